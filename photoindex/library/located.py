"""Where the files of photos are now, as far as it can be seen by looking."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from photoindex.system.presence import files_at, is_present

if TYPE_CHECKING:
    from photoindex.types import Hit, Photo


def located(hits: Sequence[Hit]) -> list[Hit]:
    """Return the hits with paths of files that are there; ``present`` says of each whether there is any.

    Several paths of one file count once. The order of a hit's paths stays. A query that asks for paths (``path:``,
    ``folder:``, ``name:``) is never answered with another copy: where the copies asked for are gone, none is there.
    """
    return [_located(hit) for hit in hits]


def located_photo(photo: Photo) -> Photo:
    """Return the photo with ``paths`` of files that are there, and all other paths in ``missing_paths``."""
    there = tuple(path for path in photo.paths if is_present(path))
    if there == photo.paths:
        return photo
    gone = tuple(path for path in photo.paths if path not in there)
    return dataclasses.replace(photo, paths=there, missing_paths=(*gone, *photo.missing_paths))


def _located(hit: Hit) -> Hit:
    if not hit.other_paths:
        return hit if is_present(hit.path) else dataclasses.replace(hit, present=False)
    paths = (hit.path, *hit.other_paths)
    files = [places[0] for places in files_at(paths)]
    if not files or files[0] not in paths[: hit.asked_for]:
        return dataclasses.replace(hit, present=False)
    return dataclasses.replace(hit, path=files[0], other_paths=tuple(files[1:]))
