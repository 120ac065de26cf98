"""The facts that `is:` asks for: what a photo looks like, and its shape."""

from __future__ import annotations

from typing import Final

# Measured when a photo is decoded: see media/decode/looks.py.
LOOKS: Final = ("bw", "dark", "blurred", "screenshot", "document")
# From its size alone.
SHAPES: Final = ("panorama", "landscape", "portrait", "square")
PANORAMA: Final = 2.2  # the longer side beside the shorter one; 16:9 is 1.8, and wide phone screens are up to 2.3
SQUARE: Final = 1.03  # as much longer a side of a square may be


def shapes_of(width: int, height: int, looks: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Return the shape of an upright photo of ``width`` x ``height`` pixels, and whether it is a panorama: no
    screenshot and no page is one."""
    shorter, longer = sorted((max(1, width), max(1, height)))
    shape = "square" if longer <= shorter * SQUARE else "landscape" if width > height else "portrait"
    is_panorama = longer >= shorter * PANORAMA and looks.isdisjoint(("screenshot", "document"))
    return ("panorama", shape) if is_panorama else (shape,)


def facts_shown(looks: frozenset[str] | None, width: int | None, height: int | None) -> tuple[str, ...]:
    """Return all that `is:` finds a photo by, in the order of the names above. ``looks`` is None for a photo that was
    decoded before they were measured."""
    known = looks or frozenset()
    shapes = () if width is None or height is None else shapes_of(width, height, known)
    return (*(name for name in LOOKS if name in known), *shapes)
