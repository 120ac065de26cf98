"""Which files are photos and which folders are worth entering, judged by name alone.

Names decide so that walking a tree costs no read and no stat for what is left out. What a file really is, its bytes say
later, when it is decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

# The image formats Pillow decodes by itself, and HEIC/HEIF/AVIF. Left out on purpose: formats Pillow only recognises
# (GRIB, BUFR, HDF5, MPEG, WMF outside Windows) and PostScript, which it hands to Ghostscript.
# Unfinished downloads and backups (.part, .crdownload, .tmp, .partial, .download, a trailing ~) need no list of their
# own: their last suffix is not a photo's.
_SUFFIXES = """
    .jpg .jpeg .jpe .jfif .mpo .jp2 .j2k .jpc .jpf .jpx .j2c
    .heic .heif .avif .avifs .webp .png .apng .gif .tif .tiff
    .bmp .dib .ico .icns .cur .psd .tga .icb .vda .vst .qoi .dds .blp .ftc .ftu .gbr
    .ppm .pgm .pbm .pnm .pfm .pcx .dcx .sgi .rgb .rgba .bw .ras .im .iim .msp .xbm .xpm
    .fit .fits .fli .flc .pcd .pxr
"""
PHOTO_SUFFIXES = frozenset(_SUFFIXES.split())

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
_REFUSED_FOLDER_STARTS = (".photoindex", ".trash")
_REFUSED_FOLDER_ENDS = (".lrdata",)  # Lightroom previews


@dataclass(frozen=True, slots=True)
class PhotoFilter:
    """Decides by name which files are taken for photos and which folders are entered.

    ``hidden_files`` also takes files and enters folders whose name begins with a dot; those that belong to a tool
    (``.git``, ``.thumbnails``, ``._*`` of macOS and the like) stay out. The filter says nothing of a root or of a file
    that the user named: those are taken as they are. Calling the filter is :meth:`accepts_file`.
    """

    hidden_files: bool = False

    def __call__(self, path: Path) -> bool:
        return self.accepts_file(path)

    def accepts_file(self, path: Path) -> bool:
        """Whether the last part of ``path`` is the name of a finished photo file."""
        name = path.name
        if name.startswith("._"):  # what macOS leaves beside a photo on foreign disks; it has the photo's suffix
            return False
        if name.startswith(".") and not self.hidden_files:
            return False
        return path.suffix.lower() in PHOTO_SUFFIXES

    def enters_folder(self, path: Path) -> bool:
        """Whether photos are looked for inside the folder that the last part of ``path`` names."""
        name = path.name
        if name.startswith(".") and not self.hidden_files:
            return False
        name = name.casefold()
        return not (
            name in _REFUSED_FOLDERS or name.startswith(_REFUSED_FOLDER_STARTS) or name.endswith(_REFUSED_FOLDER_ENDS)
        )

    def accepts_below(self, root: Path, path: Path) -> bool:
        """Whether a walk from ``root`` would come to look at ``path``: every folder strictly between them is entered.

        The last part of ``path`` is not judged, and ``path`` may be ``root``. False when ``path`` is not below
        ``root``. Both must be spelt alike (both absolute, or both relative).
        """
        try:
            between = path.relative_to(root).parent.parts
        except ValueError:
            return False
        return all(self.enters_folder(Path(part)) for part in between)
