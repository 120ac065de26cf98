"""Greys of TIFFs in numbers that Pillow takes for others, and with pixels that stand for no data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photoindex.media.decode import decode_photo
from tests.media.decode.makers import SHORT, Tag
from tests.media.decode.test_formats import plain_tiff

SIZE = 64


@pytest.mark.parametrize(
    ("kind", "low", "high", "bits", "sample_format"),
    [
        ("<u4", 0, 2**32 - 1, 32, 1), ("<u4", 2**30, 3 * 2**30, 32, 1), ("<u4", 0, 2**31 - 1, 32, 1),
        ("<i4", -(2**31), 2**31 - 1, 32, 2), ("<i1", -128, 127, 8, 2), ("<u1", 0, 255, 8, 1),
    ],
)  # fmt: skip
def test_tiff_greys_of_signed_and_unsigned_numbers(
    tmp_path: Path, kind: str, low: int, high: int, bits: int, sample_format: int
) -> None:
    ramp = np.tile(np.linspace(low, high, SIZE).clip(low, high), (SIZE, 1)).round().astype(np.int64).astype(kind)
    tags: dict[int, Tag] = {258: (SHORT, bits), 262: (SHORT, 1), 339: (SHORT, sample_format)}
    (tmp_path / "grey.tif").write_bytes(plain_tiff(ramp, tags))
    pixels = decode_photo(tmp_path / "grey.tif", SIZE, 10_000).pixels
    assert np.abs(pixels[0, :, 0] - np.linspace(0, 255, SIZE)).max() <= 1


@pytest.mark.parametrize("nothing", [-3.4e38, 3.4e38, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("low", "high"), [(0, 1), (-40, 900)])
def test_tiff_floating_point_greys_with_a_pixel_without_data(
    tmp_path: Path, nothing: float, low: int, high: int
) -> None:
    ramp = np.tile(np.linspace(low, high, SIZE).astype(np.float32), (SIZE, 1))
    ramp[-1, -1] = nothing
    Image.fromarray(ramp).save(tmp_path / "grey.tif")
    pixels = decode_photo(tmp_path / "grey.tif", SIZE, 10_000).pixels
    assert np.abs(pixels[0, :, 0] - np.linspace(0, 255, SIZE)).max() <= 1
