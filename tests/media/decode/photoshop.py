"""Makes Photoshop documents in the depths, colour modes and packings that no library here writes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

BITMAP, GREY, INDEXED, RGB, CMYK, MULTICHANNEL, DUOTONE, LAB = 0, 1, 2, 3, 4, 7, 8, 9
PLAIN, RUNS, ZIP = 0, 1, 2

Channel = NDArray[np.generic]


def psd(
    mode: int,
    channels: Sequence[Channel],
    *,
    depth: int = 8,
    packed: int = PLAIN,
    version: int = 1,
    colours: bytes = b"",
    resources: Mapping[int, bytes] | None = None,
    transparent: bool = False,
    width: int | None = None,
) -> bytes:
    """A document with this merged picture, each channel an array of (height, width).

    ``transparent``: it has a layer, and says so in a way that makes the first channel behind the colours transparency.
    """
    height, columns = channels[0].shape
    header = b"8BPS" + struct.pack(">H6xHLLHH", version, len(channels), height, width or columns, depth, mode)
    blocks = b"".join(
        b"8BIM" + struct.pack(">HHL", number, 0, len(data)) + data + bytes(len(data) % 2)
        for number, data in (resources or {}).items()
    )
    wide = ">Q" if version == 2 else ">L"
    layers = struct.pack(">h", -1) + bytes(6) if transparent else b""
    inner = struct.pack(wide, len(layers)) + layers if transparent else b""
    sections = struct.pack(">L", len(colours)) + colours + struct.pack(">L", len(blocks)) + blocks
    sections += struct.pack(wide, len(inner)) + inner
    rows = [[row.tobytes() for row in channel] for channel in channels]
    return header + sections + struct.pack(">H", packed) + _packed(rows, packed, version)


def _packed(rows: Sequence[Sequence[bytes]], packed: int, version: int) -> bytes:
    together = [row for channel in rows for row in channel]
    if packed == PLAIN:
        return b"".join(together)
    if packed == ZIP:
        return zlib.compress(b"".join(together))
    runs = [_runs(row) for row in together]
    return b"".join(struct.pack(">L" if version == 2 else ">H", len(run)) for run in runs) + b"".join(runs)


def _runs(row: bytes) -> bytes:
    """PackBits: a run of equal bytes, or up to 128 as they are."""
    found, place = b"", 0
    while place < len(row):
        same = 1
        while same < 128 and place + same < len(row) and row[place + same] == row[place]:
            same += 1
        if same > 1:
            found += bytes((257 - same, row[place]))
            place += same
        else:
            part = row[place : place + 100]
            found += bytes((len(part) - 1,)) + part
            place += len(part)
    return found


def planes(image: Image.Image) -> list[NDArray[np.uint8]]:
    """The channels of an image."""
    return [np.asarray(channel) for channel in image.split()]
