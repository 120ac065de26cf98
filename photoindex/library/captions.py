"""Captions for photo files, without a library."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from photoindex import captioner as captioning
from photoindex.captioner import Captioner
from photoindex.captioner.answers import ask
from photoindex.config import Settings
from photoindex.errors import FolderError, PhotoError
from photoindex.media.decode import Decoder
from photoindex.system.paths import absolute, all_named, check_exists, shown
from photoindex.system.storage import is_folder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from photoindex.types import Prediction

Answer = tuple[Path, "Prediction | PhotoError"]


def caption_files(
    settings: Settings, paths: Sequence[Path | str], load: Callable[[Settings], Captioner] | None = None
) -> Iterator[Answer]:
    """Yield for each file, in the order given, its path with the model's answer or with the reason why there is none.

    Nothing is stored, and no data folder is needed. Raises :class:`FolderError` for a path that is no file.
    """
    places = checked_files(paths)
    captioner = (load or captioning.load_captioner)(settings)
    try:
        yield from caption_with(partial(ask, captioner), captioner.info.input_size, settings, places)
    finally:
        captioner.close()


def checked_files(paths: Sequence[Path | str]) -> list[Path]:
    """Return the absolute paths. Raises :class:`FolderError` for one where there is nothing, or a folder."""
    places = list(map(absolute, all_named(paths)))
    for place in places:
        check_exists(place)
        if is_folder(place):
            raise FolderError(f"{shown(place)} is a folder: name photos, or use `photoindex index`")
    return places


def caption_with(
    caption: Callable[[Sequence[NDArray[np.uint8]]], list[Prediction]],
    input_size: int,
    settings: Settings,
    places: Sequence[Path],
) -> Iterator[Answer]:
    """Yield the answers in the order of ``places``; photos are decoded several at a time, in any order."""
    waiting: dict[Path, Prediction | PhotoError] = {}
    missing = iter(places)
    due = next(missing, None)
    with Decoder.by_settings(settings, input_size) as decoder:
        for path, answer in decoder.decode(list(dict.fromkeys(places))):
            waiting[path] = answer if isinstance(answer, PhotoError) else caption([answer.pixels])[0]
            while due is not None and due in waiting:
                yield due, waiting[due]
                due = next(missing, None)
