"""Which segments become one, and how: a few large ones are asked faster than many small ones.

Each segment belongs to a tier by the number of its documents that are alive; when a tier has :data:`TOGETHER` segments,
they become one of the next. So a document is rewritten a few times at most, and none is once its segment is full.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from photoindex.language.analysis import stem
from photoindex.search.fulltext.collector import MOST_DOCUMENTS, Occurrences, SegmentContent
from photoindex.search.fulltext.spaces import NUMBERS, SLOTS, STEMS
from photoindex.search.fulltext.vocabulary import encode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from photoindex.search.fulltext.segment import Segment

    Alive = NDArray[np.bool_]

TOGETHER: Final = 8
_SMALLEST: Final = 256  # documents below which all segments are alike
_AT_ONCE: Final = 1 << 17  # entries whose fields are told apart at once


def to_merge(alive: Sequence[int], sizes: Sequence[int]) -> list[int]:
    """Return the numbers of segments that should become one, by how many of their documents are alive; none, mostly."""
    tiers: dict[int, list[int]] = {}
    for number, count in enumerate(alive):
        tiers.setdefault(_tier(count), []).append(number)
    for _, members in sorted(tiers.items()):
        chosen = _fitting(members, alive)
        if len(members) >= TOGETHER and len(chosen) > 1:
            return chosen
    return next(([number] for number, count in enumerate(alive) if _wasteful(count, sizes[number])), [])


def _fitting(members: Sequence[int], alive: Sequence[int]) -> list[int]:
    """Return as many of these segments as fit into one, the smallest first."""
    chosen, room = [], MOST_DOCUMENTS
    for number in sorted(members, key=alive.__getitem__):
        if (room := room - alive[number]) < 0:
            break
        chosen.append(number)
    return sorted(chosen)


def _tier(count: int) -> int:
    return max(count // _SMALLEST, 1).bit_length() // (TOGETHER.bit_length() - 1)


def _wasteful(alive: int, size: int) -> bool:
    """Return whether most documents of a segment are gone."""
    return size > _SMALLEST and alive * 2 < size


def batches(alive: Sequence[int]) -> list[list[int]]:
    """Return all segments in groups that fit into one each, in their order."""
    groups: list[list[int]] = []
    room = 0
    for number, count in enumerate(alive):
        if not groups or count > room:
            groups.append([])
            room = MOST_DOCUMENTS
        groups[-1].append(number)
        room -= count
    return groups


# ---- how -----------------------------------------------------------------------------------------


def merged(parts: Sequence[tuple[Segment, Alive]]) -> SegmentContent:
    """Return what the documents of these segments that are alive hold; no more than fit into one."""
    words: dict[bytes, int] = {}
    forms: dict[bytes, int] = {}
    occurrences: list[Occurrences] = []
    keywords: list[tuple[NDArray[np.uint32], NDArray[np.uint16]]] = []
    first = 0
    for segment, alive in parts:
        numbers = np.fromiter((words.setdefault(word, len(words)) for word in segment.words()), np.uint32)
        new_rows = np.cumsum(alive) - 1 + first
        found, bare = _taken_apart(segment, alive, numbers, new_rows)
        occurrences.append(found)
        keywords.append(bare)
        for form, count in segment.form_counts().items():
            forms[form] = forms.get(form, 0) + count
        first += int(np.count_nonzero(alive))
    content = SegmentContent(
        np.concatenate([segment.photo_ids()[alive] for segment, alive in parts]),
        list(words),
        Occurrences(*map(np.concatenate, zip(*occurrences, strict=True))),
        (np.concatenate([each[0] for each in keywords]), np.concatenate([each[1] for each in keywords])),
        forms,
        {name: np.concatenate([_numbers(*part, name) for part in parts]) for name in NUMBERS},
    )
    return _without_unused(content)


def _stemmed(form: bytes) -> bytes:
    """Return the word that an unstemmed one is searched by."""
    return encode(STEMS + stem(form.decode("utf-8", "surrogatepass")))


def _numbers(segment: Segment, alive: Alive, name: str) -> NDArray[np.uint32]:
    values = segment.numbers(name)
    return np.zeros(int(np.count_nonzero(alive)), np.uint32) if values is None else values[alive]


def _taken_apart(
    segment: Segment, alive: Alive, numbers: NDArray[np.uint32], new_rows: NDArray[np.intp]
) -> tuple[Occurrences, tuple[NDArray[np.uint32], NDArray[np.uint16]]]:
    """Return the occurrences of the words of the documents that are alive, and the words without places."""
    pointers, rows, codes = segment.array("pointers"), segment.array("rows"), segment.array("codes")
    words = np.repeat(numbers, np.diff(pointers))
    totals = segment.tallies.totals[codes]
    kept = alive[rows]
    of_entry = np.repeat(kept, totals)
    found = Occurrences(
        np.repeat(words, totals)[of_entry],
        np.repeat(new_rows[rows].astype(np.uint16), totals)[of_entry],
        _slots(segment.tallies.counts, codes)[of_entry],
        segment.array("places")[of_entry],
    )
    bare = kept & (totals == 0)
    return found, (words[bare], new_rows[rows[bare]].astype(np.uint16))


def _slots(counts: NDArray[np.int64], codes: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Return the field of each occurrence."""
    parts = [np.zeros(0, np.uint8)]
    slots = np.arange(SLOTS, dtype=np.uint8)
    for start in range(0, len(codes), _AT_ONCE):
        some = counts[codes[start : start + _AT_ONCE]]
        parts.append(np.repeat(np.broadcast_to(slots, some.shape).ravel(), some.ravel()))
    return np.concatenate(parts)


def _without_unused(content: SegmentContent) -> SegmentContent:
    """Return the content without words that only documents had which are gone."""
    used = np.zeros(len(content.words), np.bool_)
    used[content.occurrences.words] = True
    used[content.keywords[0]] = True
    if used.all():
        return content
    numbers = (np.cumsum(used) - 1).astype(np.uint32)
    words = dict.fromkeys(word for word, there in zip(content.words, used.tolist(), strict=True) if there)
    return content._replace(
        words=list(words),
        forms={form: count for form, count in content.forms.items() if _stemmed(form) in words},
        occurrences=content.occurrences._replace(words=numbers[content.occurrences.words]),
        keywords=(numbers[content.keywords[0]], content.keywords[1]),
    )
