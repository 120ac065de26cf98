"""Which error a photo that cannot be decoded gets: one rule for all formats.

    UnreadablePhoto     the file system failed: no permission, not there, an input/output error. Tried again.
    PhotoOutOfReach     the store that holds it gives no answer. Its job waits.
    MissingPlugin       whole as far as is known, and a plugin reads it that is not installed
    UnsupportedPhoto    whole as far as is known, in a variant of its format that nothing here reads
    OversizedPhoto      more pixels than the limit, or than memory holds
    DamagedPhoto        everything else that decoders raise of a photo's bytes

Decoders tell these apart by their words alone, so the words are looked at; what no rule knows is damage.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from PIL import Image, UnidentifiedImageError

from photoindex.errors import (
    DamagedPhoto,
    MissingPlugin,
    NotAPhoto,
    OversizedPhoto,
    PhotoError,
    PhotoOutOfReach,
    UnreadablePhoto,
    UnsupportedPhoto,
)
from photoindex.media.formats import PhotoFormat
from photoindex.system.paths import shown
from photoindex.system.regular_files import NotRegularFile
from photoindex.system.storage_errors import StoreUnavailable

# Numbers that come from a position or a size in the file that makes no sense, and not from the disk.
_NONSENSE: Final = frozenset({errno.EINVAL, errno.EOVERFLOW, errno.ERANGE, errno.EDOM, errno.EFBIG, errno.ESPIPE})
_UNSUPPORTED: Final = re.compile(
    r"""unsupported | not\ (?:yet\ )?supported | cannot\ handle | not\ implemented | unknown\ \w+\ mode | unknown\ mode
      | unknown\ (?:raw|compression|pixel|bmp|data\ layout|image|colou?r|sample) | no\ (?:known\ )?(?:decoder|packing)
      | (?:decoder|encoder)\ \S+\ not\ available
      | conversion\ from\ .*\ not | unrecogni[sz]ed | unexpected\ (?:mode|bit)
      | bad\ image\ mode | unhandled | only\ .*\bsupported
    """,
    re.VERBOSE | re.IGNORECASE,
)
_BROKEN: Final = re.compile(r"truncat|corrupt|broken|not enough|unexpected end|premature|checksum|crc", re.IGNORECASE)
MOST_REASON: Final = 120  # letters of a decoder's own words


def failure_of(path: Path, error: BaseException) -> PhotoError:
    """The error to raise for a photo whose decoder raised ``error``.

    Memory that cannot be had is not told here: MemoryError and Pillow's bomb warning are let through by all decoders.
    """
    if isinstance(error, PhotoError):
        return error
    if isinstance(error, OSError) and error.errno is not None and error.errno not in _NONSENSE:
        return unreadable(path, error)
    reason = reason_of(error)
    known = isinstance(error, NotImplementedError) or bool(_UNSUPPORTED.search(reason))
    if known and not _BROKEN.search(reason):
        return unsupported(path, f"in a variant that cannot be read here ({reason})")
    return damaged(path, reason)


@contextmanager
def of_conversion(path: Path) -> Iterator[None]:
    """Tell of a picture that cannot be made RGB: its colours are of a kind that Pillow reads but cannot convert, or
    make no sense. Like the decoders, what converts them raises nearly everything."""
    try:
        yield
    except (MemoryError, Image.DecompressionBombError):
        raise
    except Exception as error:
        raise failure_of(path, error) from error


def reason_of(error: BaseException) -> str:
    """The words of an error on one line; LibRaw's are bytes."""
    reason = error.args[0] if len(error.args) == 1 else str(error)
    text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(line.split())[:MOST_REASON] or type(error).__name__


def damaged(path: Path, reason: str) -> DamagedPhoto:
    return DamagedPhoto(f"{shown(path)} is damaged ({reason}); copy it again or restore it from a backup")


def unsupported(path: Path, what: str, advice: str = "save it in another form") -> UnsupportedPhoto:
    return UnsupportedPhoto(f"{shown(path)} is {what}; {advice}, or leave it out")


def missing_plugin(path: Path, what: str, plugin: PhotoFormat) -> MissingPlugin:
    return MissingPlugin(
        f"{shown(path)} is {what}, which needs a plugin: pip install {plugin.install}, then photoindex failures retry"
    )


def not_a_photo(path: Path) -> NotAPhoto:
    return NotAPhoto(f"{shown(path)} is not a photo in a format that can be read here; convert it, or leave it out")


def oversized(path: Path, width: int, height: int, max_pixels: int) -> OversizedPhoto:
    return OversizedPhoto(
        f"{shown(path)} has {width} x {height} pixels, more than the limit of {max_pixels};"
        " raise max_pixels to take it (PHOTOINDEX_MAX_PIXELS)"
    )


def unreadable(path: Path, error: OSError) -> UnreadablePhoto:
    """Return the failure of a file that cannot be opened or read, with what to do about it."""
    reason = error.strerror or type(error).__name__
    if isinstance(error, StoreUnavailable):
        return PhotoOutOfReach(f"cannot read {shown(path)}: {reason}", reason)
    if isinstance(error, NotRegularFile):
        advice = "give the photo file itself"
    elif isinstance(error, FileNotFoundError):
        advice = "was it moved or its disk taken away?"
    elif isinstance(error, PermissionError):
        advice = "give yourself read permission, then try again"
    else:
        advice = "check the disk, then try again"
    return UnreadablePhoto(f"cannot read {shown(path)}: {reason}; {advice}")


def refusal_of(file: object, formats: tuple[str, ...]) -> Exception | None:
    """Why the plugin that knows a file by its first bytes does not open it, which Pillow keeps to itself; None where no
    plugin knows it."""
    for name in formats:
        factory, accept = Image.OPEN[name]
        file.seek(0)  # type: ignore[attr-defined]
        head = file.read(16)  # type: ignore[attr-defined]
        if accept is None or accept(head) is not True:
            continue
        try:
            file.seek(0)  # type: ignore[attr-defined]
            factory(file, "").close()  # type: ignore[arg-type]
        except UnidentifiedImageError:
            continue
        except Exception as error:
            return error
    return None
