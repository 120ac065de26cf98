"""JPEGs that every decoder decodes alike: what may be given to a decoder that is not the usual one."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final, NamedTuple

from photoindex.media.decode.signatures import FRAMES, SCAN, jpeg_segments
from photoindex.system.regular_files import read_up_to
from photoindex.system.storage import open_file
from photoindex.system.url_paths import is_url

LARGEST_FILE: Final = 64 << 20  # bytes
_START_OF_IMAGE, _END_OF_IMAGE = b"\xff\xd8", b"\xff\xd9"
_SEQUENTIAL = {0xC0, 0xC1}  # ITU-T T.81, table B.1: baseline and extended
_ADOBE = 0xEE


class PlainJpeg(NamedTuple):
    """Its width and height as stored, in pixels."""

    width: int
    height: int


def plain_jpeg(content: bytes) -> PlainJpeg | None:
    """The size of a JPEG that every decoder decodes alike, or ``None``: baseline, three channels of 8 bits in YCbCr,
    one scan, and that is whole.

    A decoder on a GPU may say nothing of a file that is cut off, takes all for YCbCr, and is slow where a photo is
    progressive.
    """
    if not content.startswith(_START_OF_IMAGE):
        return None
    size = None
    file = io.BytesIO(content)
    for marker, segment in jpeg_segments(file):
        if marker in _SEQUENTIAL:
            if size is not None or len(segment) < 15 or segment[0] != 8 or segment[5] != 3:
                return None
            if [segment[6], segment[9], segment[12]] != [1, 2, 3]:  # "RGB" has been seen
                return None
            size = PlainJpeg(int.from_bytes(segment[3:5], "big"), int.from_bytes(segment[1:3], "big"))
        elif marker in FRAMES or (marker == _ADOBE and segment[:5] == b"Adobe" and segment[11:12] != b"\x01"):
            return None
        elif marker == SCAN:
            # Within a scan no byte 0xFF is followed by that of a marker but where the scan ends.
            whole = segment[:1] == b"\x03" and content.find(_END_OF_IMAGE, file.tell()) >= 0
            return size if whole and size is not None and min(size) > 0 else None
    return None


def read_plain(path: Path) -> tuple[bytes, PlainJpeg] | None:
    """A file's bytes, if they are a plain JPEG's; what is wrong with a file is for others to say."""
    if is_url(path):  # read once, for the worker
        return None
    try:
        with open_file(path) as file:
            if file.read(2) != _START_OF_IMAGE:
                return None
            content = _START_OF_IMAGE + read_up_to(file, LARGEST_FILE)
    except OSError:
        return None
    size = plain_jpeg(content)
    return None if size is None else (content, size)
