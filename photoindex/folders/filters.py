"""Which files are photos and which folders are worth entering, judged by name and by the user's ignore files.

Names decide so that walking a tree costs no read and no stat for what is left out. What a file really is, its bytes say
later, when it is decoded. Unfinished downloads and backups (.part, .crdownload, .tmp, .partial, .download, a trailing
~) and sidecars (.xmp, .aae, .thm) need no list: their last suffix is no photo's.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from photoindex.config import CATALOGUE_FILE, INDEX_FOLDER, INDEX_STAMP, THUMBNAILS_FOLDER
from photoindex.folders.ignore import IgnoreFiles, IgnoreRules
from photoindex.media.formats import PHOTO_SUFFIXES
from photoindex.system.url_paths import is_url

# Compared without regard to case; kept out even where hidden files are wanted.
_REFUSED_FOLDERS = frozenset(
    {
        "@eadir",  # Synology: thumbnails and extended attributes
        "@recycle",  # QNAP
        ".@__thumb",  # QNAP
        "#recycle",  # Synology
        "$recycle.bin",  # Windows
        "system volume information",  # Windows
        "lost+found",  # ext4
        ".stfolder",  # Syncthing
        ".stversions",  # Syncthing
        ".thumbnails",
        ".git",
    }
)
# Photos' suffixes as they are nearly always written, without the dot: this is asked of every file of every scan.
_AS_WRITTEN = frozenset(way(suffix[1:]) for suffix in PHOTO_SUFFIXES for way in (str.lower, str.upper))
_REFUSED_FOLDER_STARTS = (".photoindex", ".trash")
_REFUSED_FOLDER_ENDS = (".lrdata",)  # Lightroom previews


@dataclass(frozen=True, slots=True)
class PhotoFilter:
    """Decides which files are taken for photos and which folders are entered.

    ``hidden_files`` also takes files and enters folders whose name begins with a dot; those that belong to a tool
    (``.git``, ``.thumbnails``, ``._*`` of macOS and the like) stay out. The filter says nothing of a root or of a file
    that the user named: those are taken as they are. Calling the filter is :meth:`accepts_file`.

    ``own_folders`` are photoindex's own, which are entered by no way. So are the thumbnails of any other library: a
    folder of that name beside a catalogue or an index, which is all that is looked for.

    Who judges many paths of one folder looks up its ``rules`` once, with :meth:`rules_in`.
    """

    hidden_files: bool = False
    own_folders: tuple[Path, ...] = ()
    ignore_files: IgnoreFiles = field(default_factory=IgnoreFiles, repr=False, compare=False)
    _own_names: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # A folder that is no link has its own name: no other needs a look at the disk.
        names = (os.path.basename(os.path.realpath(folder)).casefold() for folder in self.own_folders)
        object.__setattr__(self, "_own_names", frozenset((*names, THUMBNAILS_FOLDER)))

    def __call__(self, path: Path) -> bool:
        return self.accepts_file(path)

    def rules_in(self, folder: Path, above: IgnoreRules | None = None) -> IgnoreRules:
        """The rules of ignore files for what lies directly in ``folder``; ``above`` are those in the folder around it,
        where they are known, which saves asking every folder on the way."""
        return self.ignore_files.rules_in(folder) if above is None else self.ignore_files.rules_below(above, folder)

    def accepts_file(self, path: Path, rules: IgnoreRules | None = None) -> bool:
        """Whether the last part of ``path`` is the name of a finished photo file, and no rule leaves it out."""
        return self.names_photo(path.name) and not self._rules(path, rules).leave_out(path, is_folder=False)

    def enters_folder(self, path: Path, rules: IgnoreRules | None = None) -> bool:
        """Whether photos are looked for inside the folder that the last part of ``path`` names."""
        return self._names_folder(path) and not self._rules(path, rules).leave_out(path, is_folder=True)

    def accepts_below(self, root: Path, path: Path) -> bool:
        """Whether a walk from ``root`` would come to look at ``path``: every folder strictly between them is entered.

        The last part of ``path`` is not judged, and ``path`` may be ``root``. False when ``path`` is not below
        ``root``. Both must be spelt alike (both absolute, or both relative).
        """
        between = _between(root, path)
        if between is None or not all(map(self._names_folder, between)):
            return False
        return not between or self._rules_below(root, between) is not None

    def ignores_below(self, root: Path, path: Path) -> bool:
        """Whether a rule of an ignore file, whatever the names say, leaves out the file ``path`` or a folder on the
        way to it from ``root``."""
        rules = self._rules_below(root, _between(root, path) or [])
        return rules is None or rules.leave_out(path, is_folder=False)

    def _rules(self, path: Path, known: IgnoreRules | None) -> IgnoreRules:
        return self.rules_in(path.parent) if known is None else known

    def _rules_below(self, root: Path, folders: list[Path]) -> IgnoreRules | None:
        """The rules in the last of ``folders``, each in the one before; ``None`` when a rule leaves one out."""
        rules = self.rules_in(root)
        for folder in folders:
            if rules.leave_out(folder, is_folder=True):
                return None
            rules = self.rules_in(folder, rules)
        return rules

    def names_photo(self, name: str) -> bool:
        """Whether ``name`` is that of a finished photo file, whatever the rules of ignore files say."""
        if name[:1] == "." and (not self.hidden_files or name.startswith("._")):
            return False  # "._" is what macOS leaves beside a photo on foreign disks; it has the photo's suffix
        stem, _, suffix = name.rpartition(".")
        return stem != "" and (suffix in _AS_WRITTEN or f".{suffix.lower()}" in PHOTO_SUFFIXES)

    def is_own(self, path: Path) -> bool:
        """Whether a folder, or what a link leads to, is one of photoindex's own or holds a library's thumbnails."""
        if is_url(path):
            return False
        return any(_are_same(path, folder) for folder in self.own_folders) or _has_thumbnails(os.path.realpath(path))

    def _names_folder(self, path: Path) -> bool:
        name = path.name
        if name.startswith(".") and not self.hidden_files:
            return False
        name = name.casefold()
        if name in self._own_names and self.is_own(path):
            return False
        return not (
            name in _REFUSED_FOLDERS or name.startswith(_REFUSED_FOLDER_STARTS) or name.endswith(_REFUSED_FOLDER_ENDS)
        )


def is_thumbnail(root: Path, path: Path) -> bool:
    """Whether ``path`` lies in a folder below ``root`` in which a library keeps its thumbnails."""
    return not is_url(path) and any(_has_thumbnails(os.path.realpath(folder)) for folder in _between(root, path) or [])


def _has_thumbnails(folder: str) -> bool:
    """Return whether a library keeps its thumbnails in the folder at this real path."""
    around, name = os.path.split(folder)
    marks = (CATALOGUE_FILE, os.path.join(INDEX_FOLDER, INDEX_STAMP))
    return name.casefold() == THUMBNAILS_FOLDER and any(os.path.lexists(os.path.join(around, mark)) for mark in marks)


def _are_same(path: Path, other: Path) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:  # gone, or not there yet
        return False


def _between(root: Path, path: Path) -> list[Path] | None:
    """The folders strictly between them, from the top; ``None`` when ``path`` is not below ``root``."""
    if path == root:
        return []
    if root not in path.parents:
        return None
    return [folder for folder in reversed(path.parents) if root in folder.parents]
