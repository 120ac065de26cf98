"""What reads each photo format here: Pillow's own decoders and the optional plugins, registered when first needed."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, features

from photoindex.media.formats import FORMATS, HEIC, JPEG_XL, PILLOW_FORMATS, RAW, PhotoFormat

# Of what Pillow is built with, what has versions worth knowing.
_PARTS = {"webp": "libwebp", "avif": "libavif", "jpg_2000": "OpenJPEG", "libtiff": "libtiff"}


@dataclass(frozen=True, slots=True)
class Reader:
    """Whether a format can be read here, by which library, or what adds that."""

    format: PhotoFormat
    version: str | None  # of the format's package; None: it cannot be read
    install: str  # a command line

    @property
    def works(self) -> bool:
        return self.version is not None


def list_readers() -> list[Reader]:
    """One for each format, whether or not it can be read."""
    Image.init()
    return [_reader(each) for each in FORMATS]


def readable_formats() -> dict[str, bool]:
    """Each format photos are read in, and whether what is installed here reads it."""
    return {reader.format.name: reader.works for reader in list_readers()}


def can_read(photo_format: PhotoFormat) -> bool:
    """Whether what is installed here reads a format."""
    if photo_format in PILLOW_FORMATS:
        Image.init()
        return photo_format.reader in Image.OPEN and all(map(features.check, photo_format.needs))
    return plugin_works(photo_format)


def _reader(photo_format: PhotoFormat) -> Reader:
    version = _version(photo_format) if can_read(photo_format) else None
    return Reader(photo_format, version, f"pip install {photo_format.install}")


def _version(photo_format: PhotoFormat) -> str:
    """``13.0.0, libwebp 1.6.0``"""
    import importlib.metadata  # a tenth of a decoding process's start, which never asks

    try:
        version = importlib.metadata.version(photo_format.package)
    except importlib.metadata.PackageNotFoundError:
        version = "of unknown version"
    parts = [f"{_PARTS[need]} {features.version(need)}" for need in photo_format.needs if need in _PARTS]
    return ", ".join([version, *parts])


@functools.cache
def pillow_readers() -> tuple[str, ...]:
    """The plugins that Pillow may try on unknown bytes; it may have been built without some."""
    Image.init()
    return tuple(each.reader for each in PILLOW_FORMATS if each.reader in Image.OPEN)


def _register_heif() -> None:
    importlib.import_module("pillow_heif").register_heif_opener()


def _register_jpeg_xl() -> None:
    importlib.import_module("pillow_jxl")  # which registers itself


_PLUGINS: dict[PhotoFormat, Callable[[], object]] = {
    HEIC: _register_heif,
    JPEG_XL: _register_jpeg_xl,
    RAW: lambda: importlib.import_module("rawpy"),
}


@functools.cache
def plugin_works(photo_format: PhotoFormat) -> bool:
    """Teach Pillow a format by its optional plugin; whether that is installed and can be loaded."""
    try:
        _PLUGINS[photo_format]()
    except (ImportError, OSError):  # OSError: a library that it brings cannot be loaded
        return False
    return True
