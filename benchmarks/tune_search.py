"""Looks for weights of the ranking under which people's descriptions find their photos better, and prints them.

    photoindex evaluate search --data DATA --library KEPT       # indexes the photos, once
    python benchmarks/tune_search.py KEPT/DATA-val --data DATA --split val

The photos are divided at random into two halves. Weights are chosen by the descriptions of the one half and judged by
those of the other, which chose nothing; all photos are in the library for both. The search is coordinate ascent: one
weight at a time is tried at several values in its range, and the best is kept, until a round changes nothing. Every
number of `Ranking` in `photoindex.search.ranking.weights` takes part; names and cameras stay at 0, for the file names
of a data set may give the answer away. Nothing is written: copy what convinces.
"""

from __future__ import annotations

import argparse
import dataclasses
import platform
import random
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import photoindex
from photoindex.errors import FolderError, PhotoindexError
from photoindex.library import Library
from photoindex.search.ranking.weights import DEFAULT_RANKING, Ranking
from photoindex.training.datasets import load_dataset
from photoindex.training.search_scores import (
    RetrievalScores,
    SearchedDescription,
    layers_of,
    rank_descriptions,
    score_ranks,
    with_layers,
)

# The values that may be tried: from, to. A weight that is not listed is tried in OTHERS.
RANGES: Mapping[str, tuple[float, float]] = {
    "saturation": (0.05, 5.0),
    "coordination": (0.0, 1.0),
    "near_miss": (0.0, 1.0),
    "synonyms": (0.0, 1.0),
}
OTHERS = (0.0, 3.0)
FACTORS = (0.0, 0.4, 0.7, 0.85, 1.18, 1.4, 2.5)  # of the value so far
STEPS = (0.05, 0.3)  # above it, for what is at or near 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=Path, help="a folder that `photoindex evaluate search --library` has made")
    parser.add_argument("--data", type=Path, action="append", required=True, help="as for evaluate search")
    parser.add_argument("--images", type=Path)
    parser.add_argument("--split", default="val")
    parser.add_argument("--queries", type=int, default=1000, help="descriptions a half, at most; default 1000")
    parser.add_argument("--rounds", type=int, default=3, help="over all the weights, at most; default 3")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if not (options.library / "catalogue.sqlite3").is_file():
        parser.error(f"no library in {options.library}: make one with photoindex evaluate search --library")
    try:
        with photoindex.open(options.library) as library:
            tune(library, options)
    except PhotoindexError as error:
        parser.error(str(error))


def tune(library: Library, options: argparse.Namespace) -> None:
    halves, photos = load_halves(library, options)
    print(
        f"{photos} photos; {len(halves[0])} descriptions to tune with, {len(halves[1])} held out (seed {options.seed})"
    )
    print(f"{platform.platform()}; {', '.join(path.name for path in options.data)}, split {options.split}")
    started = time.monotonic()
    before = with_layers(DEFAULT_RANKING, layers_of(DEFAULT_RANKING))
    best, at_best = before, judge(library, halves[0], photos, before)
    show("as it is", at_best)
    tried = 1
    for round_number in range(1, options.rounds + 1):
        at_start = best
        for name in numbers_of(before):
            for value in candidates(name, numbers_of(best)[name]):
                ranking = changed(best, name, value)
                scores = judge(library, halves[0], photos, ranking)
                tried += 1
                if worth(scores) > worth(at_best) + 1e-9:
                    best, at_best = ranking, scores
                    show(f"{name} {value:g}", scores)
        print(f"round {round_number}: {tried} rankings tried in {time.monotonic() - started:.0f} s", flush=True)
        if best == at_start:
            break
    print("\nheld-out half")
    show("as it is", judge(library, halves[1], photos, before))
    show("tuned", judge(library, halves[1], photos, best))
    print("\nweights: as they are, tuned")
    for name, value in numbers_of(before).items():
        print(f"  {name:24}{value:8g}{numbers_of(best)[name]:8g}")


def load_halves(library: Library, options: argparse.Namespace) -> tuple[list[list[SearchedDescription]], int]:
    """The descriptions of one half of the photos and of the other, and the number of photos in the library."""
    photos = [
        photo for path in options.data for photo in load_dataset(path, options.images) if photo.split == options.split
    ]
    draw = random.Random(options.seed)
    draw.shuffle(photos)
    halves: list[list[SearchedDescription]] = [[], []]
    for number, photo in enumerate(photos):
        try:
            known = library.show(photo.path)
        except FolderError:
            known = None
        if known is not None:
            halves[number % 2] += [SearchedDescription(text, known.id) for text in photo.captions]
    if not all(halves):
        raise FolderError(f"{options.library} does not hold the photos of the split {options.split!r}")
    return [draw.sample(half, min(len(half), options.queries)) for half in halves], library.status().searchable


def judge(
    library: Library, descriptions: Sequence[SearchedDescription], photos: int, ranking: Ranking
) -> RetrievalScores:
    return score_ranks(rank_descriptions(descriptions, partial(library.match, ranking=ranking), photos), photos)


def worth(scores: RetrievalScores) -> float:
    """What is made as large as possible: R@10, the goal, and the mean reciprocal rank, which is less coarse."""
    return scores.recall[10] + 100 * scores.reciprocal


def numbers_of(ranking: Ranking) -> dict[str, float]:
    """Every weight that may be tuned: fields as ``fields.caption``, and the other numbers by their names."""
    searched = {name for layer in layers_of(DEFAULT_RANKING) for name in layer.fields}
    weights = {f"fields.{name}": float(weight) for name, weight in ranking.fields.items() if name in searched}
    for attribute in dataclasses.fields(ranking):
        value = getattr(ranking, attribute.name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            weights[attribute.name] = float(value)
    return weights


def changed(ranking: Ranking, name: str, value: float) -> Ranking:
    if name.startswith("fields."):
        return dataclasses.replace(ranking, fields={**ranking.fields, name.removeprefix("fields."): value})
    kind = type(getattr(ranking, name))
    return dataclasses.replace(ranking, **{name: kind(value)})


def candidates(name: str, value: float) -> list[float]:
    low, high = RANGES.get(name, OTHERS)
    tried = {
        round(min(max(each, low), high), 3) for each in (*(value * f for f in FACTORS), *(value + s for s in STEPS))
    }
    return sorted(tried - {round(value, 3)})


def show(what: str, scores: RetrievalScores) -> None:
    shares = "  ".join(f"R@{k} {share:5.1f}" for k, share in scores.recall.items())
    print(f"  {what:32}{shares}  MRR {scores.reciprocal:.3f}", flush=True)


if __name__ == "__main__":
    main()
