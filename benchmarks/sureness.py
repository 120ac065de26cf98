"""How far the sureness of hits can be trusted, on photos with descriptions by people.

    photoindex evaluate search --data DATA --library KEPT       # indexes the photos, once
    python benchmarks/sureness.py KEPT/DATA-val --data DATA --split val

Asks for one to four neighbouring words of people's descriptions, and compares the sureness of the first hits with
whether any description of the photo has all the words. Only every second photo is counted: the numbers of the formula
were fitted on the others of Flickr8k's. Five descriptions do not say all that a photo shows, so that it may be right
more often than is printed.
"""

from __future__ import annotations

import argparse
import platform
import random
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

import photoindex
from photoindex.errors import FolderError, PhotoindexError
from photoindex.language.analysis import stem
from photoindex.library import NEAR, Library
from photoindex.search.query.parser import parse_query
from photoindex.training.datasets import load_dataset

BINS = 10
LONGEST = 4  # words asked

Descriptions = Mapping[int, list[list[str]]]  # photo id -> the words of each of its descriptions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=Path, help="a folder that `photoindex evaluate search --library` has made")
    parser.add_argument("--data", type=Path, required=True, help="as for evaluate search")
    parser.add_argument("--split", default="val")
    parser.add_argument("--queries", type=int, default=400, help="of each length; default 400")
    parser.add_argument("--hits", type=int, default=10, help="looked at of each query; default 10")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if not (options.library / "catalogue.sqlite3").is_file():
        parser.error(f"no library in {options.library}: make one with photoindex evaluate search --library")
    try:
        with photoindex.open(options.library) as library:
            measure(library, options)
    except PhotoindexError as error:
        parser.error(str(error))


def measure(library: Library, options: argparse.Namespace) -> None:
    described = descriptions(library, options.data, options.split)
    counted = set(sorted(described)[1::2])
    print(
        f"{platform.platform()}; {options.data.name}, split {options.split}, {len(described)} photos, "
        f"{len(counted)} of them counted; {options.queries} queries a length, {options.hits} hits, seed {options.seed}"
    )
    draw = random.Random(options.seed)
    for length in range(1, LONGEST + 1):
        queries = [draw_query(draw, described, length) for _ in range(options.queries)]
        pairs = [pair for query in queries for pair in judged(library, query, described, counted, options.hits)]
        show(f"{length} word" + ("s" if length > 1 else ""), np.array(pairs))


def descriptions(library: Library, data: Path, split: str) -> Descriptions:
    found = {}
    for photo in load_dataset(data, None):
        if photo.split == split and (known := library.show(photo.path)) is not None:
            found[known.id] = [list(parse_query(text).words) for text in photo.captions]
    if not found:
        raise FolderError(f"the library does not hold the photos of the split {split!r}")
    return found


def draw_query(draw: random.Random, described: Descriptions, length: int) -> list[str]:
    while True:
        words = draw.choice(draw.choice(list(described.values())))
        if len(words) >= length:
            start = draw.randrange(len(words) - length + 1)
            return words[start : start + length]


def judged(
    library: Library, query: list[str], described: Descriptions, counted: set[int], most: int
) -> Iterable[tuple[float, bool]]:
    """Yield of each hit that counts (its sureness, whether people say all the words of the photo)."""
    asked = {stem(word) for word in query}
    for hit in library.search(" ".join(query), most):
        if hit.photo_id in counted and hit.sureness is not None:
            yield hit.sureness, asked <= {stem(word) for words in described[hit.photo_id] for word in words}


def show(name: str, pairs: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> None:
    sure, right = pairs[:, 0], pairs[:, 1]
    place = np.minimum((sure * BINS).astype(int), BINS - 1)
    bins = [(int(m.sum()), sure[m].mean(), right[m].mean()) for b in range(BINS) if (m := place == b).any()]
    error = sum(count * abs(mean - share) for count, mean, share in bins) / len(sure)
    above, below = right[sure >= 0.5], right[sure < NEAR]
    print(f"{name}: {len(sure)} hits, {right.mean():.1%} right, ECE {error:.3f}; right of those "
          f"from 0.5 on {share(above)}, below {NEAR} {share(below)}")  # fmt: skip
    for count, mean, of in bins:
        print(f"  {mean:5.2f} sure  {of:6.1%} right  {count:6} hits")


def share(right: np.ndarray[tuple[int], np.dtype[np.float64]]) -> str:
    return f"{right.mean():.1%} of {right.size}" if right.size else "none"


if __name__ == "__main__":
    main()
