"""Whether a small picture may hold text."""

from __future__ import annotations

from typing import Final

from PIL import Image

SIDE: Final = 640


def looks_like_text(picture: Image.Image) -> bool:
    return True
