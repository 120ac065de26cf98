"""The order in which the lines of a photo are read, and where a block of them ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from photoindex.types import TextLine

# Two pieces are on one line when they share this much of the lower one's height, and in one block when the gap between
# them is at most so many heights of a line.
SAME_LINE: Final = 0.5
BLOCK_GAP: Final = 1.2
SIMILAR_HEIGHT: Final = 2.0  # the larger letters of one block beside the smaller ones

Extent = tuple[float, float, float, float]  # left, top, right, bottom, in units of equal length


def in_reading_order(lines: Sequence[TextLine], width: int, height: int) -> list[list[TextLine]]:
    """Return the lines of an upright photo of this many pixels as blocks (paragraphs, columns, signs), each in reading
    order: from the top down and, on one height, from left to right. Pieces of text beside each other that belong to one
    line stay pieces."""
    extents = [_extent(line, width, height) for line in lines]
    blocks: list[list[int]] = []
    for number in sorted(range(len(lines)), key=lambda each: extents[each][1]):
        near = [block for block in blocks if any(_are_near(extents[number], extents[each]) for each in block)]
        blocks = [block for block in blocks if block not in near]
        blocks.append([each for block in near for each in block] + [number])
    ordered = [_rows(block, extents) for block in blocks]
    tops = [(min(extents[each][1] for each in block), min(extents[each][0] for each in block)) for block in ordered]
    return [[lines[each] for each in ordered[place]] for place in sorted(range(len(ordered)), key=tops.__getitem__)]


def _extent(line: TextLine, width: int, height: int) -> Extent:
    across, down = line.box[0::2], line.box[1::2]
    return min(across) * width, min(down) * height, max(across) * width, max(down) * height


def _are_near(one: Extent, other: Extent) -> bool:
    """Whether two pieces of text belong to one block: their letters are alike in size, and they lie above each other or
    on one line with little between them."""
    heights = sorted((one[3] - one[1], other[3] - other[1]))
    if heights[1] > heights[0] * SIMILAR_HEIGHT or not heights[0]:
        return False
    across = max(one[0], other[0]) - min(one[2], other[2])  # the gap; negative: they overlap
    down = max(one[1], other[1]) - min(one[3], other[3])
    least_width = min(one[2] - one[0], other[2] - other[0])
    above = down <= heights[0] * BLOCK_GAP and -across >= least_width * SAME_LINE
    return above or (-down >= heights[0] * SAME_LINE and across <= heights[0] * BLOCK_GAP)


def _rows(block: Sequence[int], extents: Sequence[Extent]) -> list[int]:
    """Return the pieces of a block in reading order."""
    rows: list[list[int]] = []
    for number in sorted(block, key=lambda each: extents[each][1] + extents[each][3]):
        top, bottom = extents[number][1], extents[number][3]
        if rows:
            last = extents[rows[-1][-1]]
            shared = min(bottom, last[3]) - max(top, last[1])
            if shared >= SAME_LINE * min(bottom - top, last[3] - last[1]):
                rows[-1].append(number)
                continue
        rows.append([number])
    return [each for row in rows for each in sorted(row, key=lambda one: extents[one][0])]
