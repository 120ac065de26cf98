"""How Google Takeout calls the JSON file of a photo: which of a folder's belong to which.

Google documents none of this; it is what its archives hold, as the projects that read them found out (immich-go,
GooglePhotosTakeoutHelper, ente):

    IMG_1.jpg.json                          of IMG_1.jpg, until 2024
    IMG_1.jpg.supplemental-metadata.json    of IMG_1.jpg, since then
    IMG_1.jpg(1).json                       of IMG_1(1).jpg, and so with .supplemental-metadata(1).json
    IMG_1.jpg.json                          also of IMG_1-edited.jpg, which has none of its own; the word is translated
    IMG_1.json                              of IMG_1.jpg, when its title had no suffix; the same with the word


What stands before ``.json`` is cut at 46 characters, without the number: first the word (``.supplemental-met``), then
the photo's own name. Photos' names are cut at 51. Of names that begin with the same 46 characters the JSON's title
tells them apart (takeout.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, Literal

from photoindex.media.formats import PHOTO_SUFFIXES

SUFFIX: Final = ".json"
MOST: Final = 46  # UTF-16 units of a JSON's name before its number and suffix
MOST_OF_PHOTO: Final = 51  # the same of a photo's name

_WORD: Final = "supplemental-metadata"
# Files of an archive that speak of albums and accounts.
_OF_ALBUMS: Final = frozenset(
    {"metadata", "print-subscriptions", "shared_album_comments", "user-generated-memory-titles"}
)
# Edited and effects, in the languages of accounts.
_EDITED: Final = tuple(
    "-edited -effects -smile -mix -bearbeitet -bewerkt -modifié -modificato -modificado -editado -editada -editat"
    " -edytowane -redigerad -redigeret -redigert -muokattu -düzenlendi -изменено -編集済み -已修改 -수정됨".split()
) + ("-ha editado",)
_COUNTED: Final = re.compile(r"(?P<name>.+)\((?P<number>\d{1,5})\)", re.DOTALL)
_NUMBERED: Final = re.compile(r"(?P<stem>.*)\((?P<number>\d{1,5})\)(?P<suffix>\.[^.]*)", re.DOTALL)

Kind = Literal["whole", "cut", "stem"]  # how much of its photo's name a JSON's name holds
Key = tuple[str, str]  # a photo's name without its number, or the beginning of one, in folded case; the number or ""


def names_json(name: str) -> bool:
    """Whether ``name`` may be that of some photo's JSON."""
    return _key(name) is not None


def title_decides(json_name: str) -> bool:
    """Whether a JSON's name holds a part of its photo's name alone: only its title tells whose it is."""
    key = _key(json_name)
    return key is not None and key[1] != "whole"


def original_stem(photo_name: str) -> str:
    """The stem of a photo's name without its number, and without the word for an edited one."""
    (name, _), *originals = _photo_keys(photo_name)
    return (originals[-1][0] if originals else name).rpartition(".")[0]


class TakeoutNames:
    """The JSON files of one folder by the photos they may belong to."""

    def __init__(self, names: Iterable[str]) -> None:
        self._whole: dict[Key, list[str]] = {}
        self._cut: dict[Key, list[str]] = {}
        self._stems: dict[Key, list[str]] = {}
        kinds: dict[Kind, dict[Key, list[str]]] = {"whole": self._whole, "cut": self._cut, "stem": self._stems}
        for name in names:
            key = _key(name)
            if key is not None:
                kinds[key[1]].setdefault(key[0], []).append(name)
        self._lengths = sorted({len(name) for name, _ in self._cut})

    def __bool__(self) -> bool:
        return bool(self._whole or self._cut or self._stems)

    def of(self, photo_name: str) -> list[str]:
        """The names of a photo's JSON files; of an edited photo without any those of its original."""
        if not self:
            return []
        plain = (photo_name.casefold(), "")
        if plain in self._whole and not self._cut:  # nearly always
            return self._whole[plain]
        keys = list(_photo_keys(photo_name))
        if plain not in keys:
            # A number may be the photo's own, or tell it from one of the same title, whose JSON then has it, too. What
            # is cut does not say which, so one with the number goes before one without.
            keys = [plain, *keys] if plain in self._whole else [*keys, plain]
        return next((names for find in (self._at, self._by_stem) for key in keys if (names := find(key))), [])

    def _at(self, key: Key) -> list[str]:
        name, number = key
        names = list(self._whole.get(key, ()))
        for length in self._lengths:
            if length < len(name):
                names += self._cut.get((name[:length], number), ())
        return names

    def _by_stem(self, key: Key) -> list[str]:
        name, number = key
        stem, dot, suffix = name.rpartition(".")
        return self._stems.get((stem, number), []) if dot and f".{suffix}" in PHOTO_SUFFIXES else []


def _key(json_name: str) -> tuple[Key, Kind] | None:
    """The photo that a JSON's name speaks of, and how much of its name that is; None where it is no photo's."""
    if json_name.startswith("._") or json_name[-len(SUFFIX) :].lower() != SUFFIX:
        return None
    whole = json_name[: -len(SUFFIX)]
    name, number = whole.casefold(), ""
    if whole.endswith(")") and (match := _COUNTED.fullmatch(name)):
        name, number = match["name"], match["number"]
    photo, _, word = name.rpartition(".")
    if f".{word}" in PHOTO_SUFFIXES and photo:
        return (name, number), "whole"
    if _WORD.startswith(word) and _is_photo(photo):
        return (photo, number), "whole"
    # What is cut may end with a number of the photo's own, so that counts as well.
    if _units(whole) >= MOST:
        return (name, number), "cut"
    stem = photo if word == _WORD and photo else name
    return ((stem, number), "stem") if stem and stem not in _OF_ALBUMS else None


def _photo_keys(photo_name: str) -> Iterator[Key]:
    """What a photo's JSON may be filed under: its name without the number, then those of its original."""
    match = _NUMBERED.fullmatch(photo_name)
    whole = f"{match['stem']}{match['suffix']}" if match else photo_name
    number = match["number"] if match else ""
    yield whole.casefold(), number
    stem, dot, suffix = whole.rpartition(".")
    folded = stem.casefold()
    if not dot or "-" not in folded:
        return
    cut = _units(whole) >= MOST_OF_PHOTO
    before, dash, _ = folded.rpartition("-")
    last = folded[len(before) :]
    for word in _EDITED:
        if before and (last == word or (cut and dash and len(last) > 1 and word.startswith(last))):
            yield f"{before}.{suffix}".casefold(), number
            return


def _is_photo(name: str) -> bool:
    stem, dot, suffix = name.rpartition(".")
    return bool(stem and dot) and f".{suffix}" in PHOTO_SUFFIXES


def _units(name: str) -> int:
    """The length as UTF-16 counts, in which an emoji is two."""
    return len(name) if name.isascii() else len(name.encode("utf-16-le", "surrogatepass")) // 2
