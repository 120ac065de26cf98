"""The photo formats: their file name suffixes and what reads each. Plain data; nothing is imported to ask it.

The watcher judges names by it, the decoder picks readers by it, and ``photoindex formats`` and the doctor tell what
this installation lacks (:mod:`photoindex.media.decode.readers`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Final


@dataclass(frozen=True, slots=True)
class PhotoFormat:
    """A format. ``reader`` is the Pillow plugin or the module that decodes it, ``needs`` the libraries Pillow may have
    been built without (as ``PIL.features`` names them), ``install`` what to give pip where it cannot be read."""

    name: str
    suffixes: frozenset[str]  # with the dot, in lower case
    reader: str
    needs: tuple[str, ...] = ()
    package: str = "Pillow"
    install: str = "--force-reinstall Pillow"


def _format(name: str, suffixes: str, reader: str = "", **more: object) -> PhotoFormat:
    dotted = frozenset(f".{suffix}" for suffix in suffixes.split())
    return PhotoFormat(name, dotted, reader or name, **more)  # type: ignore[arg-type]


# Photos and scans only. Pillow reads many more formats, but each is a parser fed with unknown bytes, some are no
# pictures of anything (icons, textures), and EPS would start Ghostscript.
PILLOW_FORMATS: Final = (
    _format("JPEG", "jpg jpeg jpe jfif mpo", needs=("jpg",)),
    _format("PNG", "png apng", needs=("zlib",)),
    _format("GIF", "gif"),
    _format("WebP", "webp", "WEBP", needs=("webp",)),
    _format("TIFF", "tif tiff", needs=("libtiff",)),
    _format("BMP", "bmp dib"),
    _format("AVIF", "avif avifs", needs=("avif",), install="--upgrade 'Pillow>=11.3'"),
    _format("JPEG 2000", "jp2 j2k jpc jpf jpx j2c", "JPEG2000", needs=("jpg_2000",)),
    _format("PNM", "ppm pgm pbm pnm pfm", "PPM"),
    _format("PSD", "psd psb"),
    _format("QOI", "qoi"),
    _format("TGA", "tga icb vda vst"),
    _format("PCX", "pcx"),
    _format("SGI", "sgi rgb rgba bw"),
)
HEIC: Final = _format("HEIC", "heic heif heics heifs hif", "HEIF", package="pillow-heif", install="'photoindex[heif]'")
JPEG_XL: Final = _format("JPEG XL", "jxl", "JXL", package="pillow-jxl-plugin", install="'photoindex[jxl]'")
# Each maker has its own, nearly all of them TIFFs inside.
RAW: Final = _format(
    "camera raw",
    # Not .raw, which anything may be called.
    "3fr arw cr2 cr3 crw dcr dng erf fff gpr iiq kdc mef mos mrw nef nrw orf pef raf rw2 rwl sr2 srf srw x3f",
    "rawpy",
    package="rawpy",
    install="'photoindex[raw]'",
)
FORMATS: Final = (*PILLOW_FORMATS, HEIC, JPEG_XL, RAW)
OPTIONAL_FORMATS: Final = tuple(each for each in FORMATS if each.package != "Pillow" or each.name == "AVIF")

PHOTO_SUFFIXES: Final = frozenset().union(*(each.suffixes for each in FORMATS))
# What a camera writes beside its raw file, of the same shot.
_DEVELOPED_SUFFIXES: Final = (PILLOW_FORMATS[0].suffixes | HEIC.suffixes) - {".mpo"}
FILM_SUFFIXES: Final = frozenset({".mov", ".mp4"})


def suffix_of(path: PurePath) -> str:
    return path.suffix.lower()


def is_raw_name(path: PurePath) -> bool:
    """Whether a file is named as a camera's raw photo."""
    return suffix_of(path) in RAW.suffixes


def is_developed_name(path: PurePath) -> bool:
    """Whether a file is named as what a camera makes of its raw photo: a JPEG or HEIC."""
    return suffix_of(path) in _DEVELOPED_SUFFIXES
