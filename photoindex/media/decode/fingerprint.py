"""A photo's fingerprint: bits that stay the same when it is made smaller, compressed again or lightened a little.

The difference hash of Neal Krawetz in rows and columns, by the library ``dhash``: whether each of 8 × 8 fields is
darker than its neighbour to the right, and than the one below. Photos whose bits differ in few places look alike.
"""

from __future__ import annotations

import dhash
from PIL import Image

SIDE = 8  # fields along each side
BITS = 2 * SIDE * SIDE
# Pictures that hardly vary, such as black frames, would all be alike: their bits are noise.
LEAST_RANGE = 10  # grey levels of 255


def fingerprint_of(image: Image.Image) -> bytes:
    """The fingerprint of an upright picture, squashed to a square: 16 bytes, or none of one that hardly varies."""
    grey = image.convert("L").resize((SIDE + 1, SIDE + 1), Image.Resampling.LANCZOS)
    low, high = grey.getextrema()
    if high - low < LEAST_RANGE:  # type: ignore[operator]
        return b""
    rows, columns = dhash.dhash_row_col(list(grey.tobytes()), SIDE)
    return bytes(dhash.format_bytes(rows, columns, SIDE))
