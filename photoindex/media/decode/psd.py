"""Photoshop documents (.psd, .psb): the merged picture that lies behind the layers.

Pillow's reader takes the number of channels for the colour mode, so that an extra channel shifts the picture, and
knows 8 bits only; psd-tools reads every layer into memory first. The merged picture is all that is needed here. Format:
Adobe Photoshop File Formats Specification (2019), "File Header Section" and "Image Data Section".
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from photoindex.media.metadata.blocks import image_resources

SIGNATURE: Final = b"8BPS"
MOST_SIDE: Final = 300_000  # of a PSB; a PSD has a tenth
MOST_CHANNELS: Final = 56
ICC_RESOURCE: Final = 0x040F

_BITMAP, _GREY, _INDEXED, _RGB, _CMYK, _MULTICHANNEL, _DUOTONE, _LAB = 0, 1, 2, 3, 4, 7, 8, 9
# Of each colour mode: Pillow's mode, and the channels that make the picture; those behind are masks and spot colours.
_MODES: Final = {
    _BITMAP: ("L", 1),
    _GREY: ("L", 1),
    _DUOTONE: ("L", 1),  # "treat the contents as greyscale"
    _INDEXED: ("RGB", 1),
    _RGB: ("RGB", 3),
    _CMYK: ("CMYK", 4),
    _LAB: ("LAB", 3),
}
_PLAIN, _RUNS, _ZIP = 0, 1, 2  # how the picture is packed

Channel = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Header:
    """What a document says of its merged picture."""

    version: int  # 2: a PSB, whose lengths are longer
    channels: int
    width: int
    height: int
    depth: int  # bits a channel
    mode: int

    @property
    def row_bytes(self) -> int:
        """The bytes of one row of one channel."""
        return (self.width * self.depth + 7) // 8


class PsdImage(ImageFile.ImageFile):
    """The merged picture of a document, as Pillow has pictures: 8 bits a channel, on white where it is transparent."""

    format = "PSD"
    format_description = "Adobe Photoshop"

    def _open(self) -> None:
        assert self.fp is not None
        file: Any = self.fp
        self._header = header = _read_header(file)
        self._size = header.width, header.height
        colours, resources, layers = (_read_section(file, wide=False, keep=True), _read_section(file, keep=True), b"")
        layers = _read_section(file, wide=header.version == 2)
        self._palette_bytes = colours
        # With a negative number of layers the first channel behind the colours is transparency.
        self._transparent = len(layers) >= 2 and layers[0] >= 0x80
        if header.depth != 32 and (profile := image_resources(resources).get(ICC_RESOURCE)):
            self.info["icc_profile"] = profile
        self._mode = _MODES[header.mode][0]
        self._place = file.tell()
        self.tile = []

    def load(self) -> Any:
        """Decode the picture. Raises ValueError, OSError and zlib.error where its bytes are damaged."""
        if self.fp is not None and self._im is None:
            file: Any = self.fp
            file.seek(self._place)
            picture = self._picture(file)
            self.im = picture.im
        return super().load()

    def _picture(self, file: BinaryIO) -> Image.Image:
        header = self._header
        wanted = _MODES[header.mode][1]
        with_alpha = self._transparent and header.channels > wanted and header.mode in (_GREY, _DUOTONE, _RGB)
        channels = list(_read_channels(file, header, wanted + with_alpha))
        if header.mode == _INDEXED:
            table = np.frombuffer(self._palette_bytes[:768], np.uint8).reshape(3, 256).T
            return Image.fromarray(table[channels[0]])
        if with_alpha:
            alpha = channels.pop().astype(np.uint16)
            channels = [_on_white(channel, alpha) for channel in channels]
        if header.mode == _LAB:
            return Image.merge("LAB", [Image.fromarray(channel) for channel in channels])
        merged = Image.merge(self.mode, [Image.fromarray(channel) for channel in channels[:wanted]])
        # Ink is stored as its absence.
        return merged.point(lambda value: 255 - value) if header.mode == _CMYK else merged


def _read_header(file: BinaryIO) -> Header:
    data = file.read(26)
    if len(data) < 26 or data[:4] != SIGNATURE:
        raise SyntaxError("not a PSD file")
    version, channels, height, width, depth, mode = struct.unpack(">4xH6xHLLHH", data)
    if version not in (1, 2):
        raise NotImplementedError(f"version {version} of PSD is not supported")
    if mode not in _MODES:
        raise NotImplementedError(
            f"PSD colour mode {mode} is not supported" + " (multichannel)" * (mode == _MULTICHANNEL)
        )
    if depth not in (1, 8, 16, 32) or (depth == 1) != (mode == _BITMAP) or (depth > 8 and mode == _INDEXED):
        raise NotImplementedError(f"PSD with {depth} bits a channel in colour mode {mode} is not supported")
    if not _MODES[mode][1] <= channels <= MOST_CHANNELS or not (0 < width <= MOST_SIDE and 0 < height <= MOST_SIDE):
        raise SyntaxError("its header is broken")
    return Header(version, channels, width, height, depth, mode)


def _read_section(file: BinaryIO, *, wide: bool = False, keep: bool = False) -> bytes:
    """Pass over a section that begins with its length. Return all of it with ``keep``, else the number of layers."""
    form = ">Q" if wide else ">L"
    (length,) = struct.unpack(form, _exactly(file, struct.calcsize(form)))
    behind = file.tell() + length
    data = _exactly(file, length) if keep else file.read(min(length, 64))
    file.seek(behind)
    # The length of the layers' own part stands before their number.
    return data if keep else data[8 if wide else 4 :]


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise OSError("PSD file is truncated")
    return data


def _read_channels(file: BinaryIO, header: Header, count: int) -> list[Channel]:
    """The first channels of the picture, in 8 bits."""
    (packed,) = struct.unpack(">H", _exactly(file, 2))
    size = header.row_bytes * header.height
    if packed == _PLAIN:
        return [_levels(_exactly(file, size), header) for _ in range(count)]
    if packed == _RUNS:
        form = ">u4" if header.version == 2 else ">u2"
        rows = header.channels * header.height
        lengths = np.frombuffer(_exactly(file, rows * int(form[-1])), form).astype(np.int64)
        sums = lengths.reshape(header.channels, header.height).sum(axis=1)
        return [_levels(_unpacked(_exactly(file, int(each)), header), header) for each in sums[:count]]
    if packed == _ZIP:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(file.read(), size * count)
        if len(data) < size * count:
            raise OSError("PSD file is truncated")
        return [_levels(data[place : place + size], header) for place in range(0, size * count, size)]
    raise NotImplementedError(f"PSD compression {packed} is not supported")


def _unpacked(data: bytes, header: Header) -> bytes:
    """Rows packed in runs (PackBits), by Pillow's decoder of such rows."""
    picture = Image.frombytes("L", (header.row_bytes, header.height), data, "packbits", "L")
    return picture.tobytes()


def _levels(data: bytes, header: Header) -> Channel:
    """A channel of any depth in 8 bits."""
    shape = header.height, header.width
    if header.depth == 1:
        bits = np.unpackbits(np.frombuffer(data, np.uint8).reshape(header.height, -1), axis=1)[:, : header.width]
        return np.where(bits, 0, 255).astype(np.uint8)  # 1 is black
    if header.depth == 8:
        return np.frombuffer(data, np.uint8).reshape(shape)
    if header.depth == 16:
        return np.ascontiguousarray(np.frombuffer(data, np.uint8).reshape(*shape, 2)[..., 0])
    levels = np.empty(shape, np.uint8)
    values = np.frombuffer(data, ">f4").reshape(shape)
    for row in range(header.height):  # a row at a time: in floating point the whole would need four times the memory
        levels[row] = np.rint(_encoded(np.nan_to_num(values[row].astype(np.float32)).clip(0, 1)) * 255)
    return levels


def _encoded(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear light, which documents of 32 bits hold, as sRGB has it (IEC 61966-2-1)."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.power(light, 1 / 2.4, dtype=np.float32) - 0.055)


def _on_white(channel: Channel, alpha: NDArray[np.uint16]) -> Channel:
    return ((channel * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
