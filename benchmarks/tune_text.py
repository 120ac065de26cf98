"""Looks for weights of the text layer under which what is written finds its photo and descriptions lose nothing.

    python benchmarks/tune_text.py KEPT --data DATA [--split train] [--photos 300]

Photos of a data set with captions by people are copied, 800 pixels large. Onto half of them a line is drawn, of three
words: half of these are words that people use in descriptions of other photos, so that a sign "dog beach" disturbs who
looks for dogs on a beach. Heights, fonts and contrast vary, so that some are read unsurely. The copies are indexed in
KEPT, which is used again if it is there, and every photo is read.

Two kinds of queries are asked: the lines that were drawn, as a person remembers them (two of the three words), and the
descriptions. Weights are chosen by the photos of one half, drawn at random, and judged by the other. The choice makes
the mean of both kinds' reciprocal ranks as large as possible. Nothing is written: copy what convinces.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from random import Random

from drawn_text import WORDS, Style, draw, fonts
from PIL import Image

import photoindex
from photoindex.language.analysis import content_words
from photoindex.library import Library
from photoindex.search.ranking.weights import DEFAULT_RANKING, Ranking
from photoindex.training.datasets import CaptionedPhoto, load_dataset
from photoindex.training.search_scores import (
    SearchedDescription,
    layers_of,
    rank_descriptions,
    score_ranks,
    with_layers,
)

SURE = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.3, 1.7, 2.2, 3.0)  # weights tried
UNSURE = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
SIDE = 800
Queries = tuple[list[SearchedDescription], list[SearchedDescription]]  # lines that were drawn, descriptions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kept", type=Path, help="a folder for the photos that are made and their library")
    parser.add_argument("--data", type=Path, action="append", required=True, help="as for evaluate search")
    parser.add_argument("--split", default="train")
    parser.add_argument("--photos", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    random = Random(options.seed)
    if not (options.kept / "made.json").exists():
        make(options, random)
    made = json.loads((options.kept / "made.json").read_text("utf-8"))
    with photoindex.open(options.kept / "library", read_text="always") as library:
        library.index(options.kept / "photos")
        counts = library.status().text
        print(f"{counts.read} photos, {counts.with_text} of them with text that was read", flush=True)
        tune(library, options.kept / "photos", made, Random(options.seed))


def make(options: argparse.Namespace, random: Random) -> None:
    """Write the photos, and what was drawn onto each and what people say of it."""
    known = [photo for path in options.data for photo in load_dataset(path) if photo.split == options.split]
    chosen = random.sample(known, options.photos)
    said = sorted({word for photo in known for text in photo.captions for word in content_words(text)})
    common = [word for word in said if len(word) > 2]
    faces, made = fonts(), {}
    (options.kept / "photos").mkdir(parents=True, exist_ok=True)
    for number, photo in enumerate(chosen):
        picture = scaled(photo)
        words = random.sample(common if number % 4 else WORDS, 3)
        drawn = " ".join(words)
        if number % 2:
            drawn = ""
        else:
            style = Style(
                random.choice((10, 14, 20, 32)), contrast=random.choice((0.3, 0.6, 0.9)),
                blur=random.choice((0.0, 0.0, 1.5)), plate=random.random() < 0.5, font=random.choice(faces),
            )  # fmt: skip
            if draw(picture, drawn, style, random) is None:
                drawn = ""
        picture.save(options.kept / "photos" / f"{number}.jpg", quality=92)
        made[f"{number}.jpg"] = {"drawn": drawn, "captions": photo.captions}
    (options.kept / "made.json").write_text(json.dumps(made), "utf-8")


def scaled(photo: CaptionedPhoto) -> Image.Image:
    with Image.open(photo.path) as opened:
        picture: Image.Image = opened.convert("RGB")
    scale = SIDE / max(picture.size)
    return picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BICUBIC)


def queries(library: Library, folder: Path, made: dict[str, dict[str, object]], random: Random) -> list[Queries]:
    """Return the queries of one half of the photos and of the other."""
    halves: list[Queries] = [([], []), ([], [])]
    for name in sorted(made):
        photo = library.show(folder / name)
        lines, descriptions = halves[random.random() < 0.5]
        if photo is None:
            continue
        drawn, captions = str(made[name]["drawn"]), made[name]["captions"]
        if drawn:
            lines.append(SearchedDescription(" ".join(random.sample(drawn.split(), 2)), photo.id))
        assert isinstance(captions, list)
        descriptions += [SearchedDescription(text, photo.id) for text in captions]
    return halves


def tune(library: Library, folder: Path, made: dict[str, dict[str, object]], random: Random) -> None:
    first, second = queries(library, folder, made, random)
    photos = library.status().searchable
    print(f"to tune with: {len(first[0])} lines, {len(first[1])} descriptions; held out: {len(second[0])}, "
          f"{len(second[1])}")  # fmt: skip
    plain = with_layers(DEFAULT_RANKING, layers_of(DEFAULT_RANKING))
    as_is = plain.fields["text"], plain.fields["unsure_text"]
    best, worth = as_is, 0.0
    for pair in [(sure, as_is[1]) for sure in SURE] + [(0.0, 0.0)]:
        found = show(library, first, photos, plain, pair)
        best, worth = (pair, found) if found > worth else (best, worth)
    for unsure in UNSURE:
        pair = best[0], unsure
        found = show(library, first, photos, plain, pair)
        best, worth = (pair, found) if found > worth else (best, worth)
    print("held out: without text, as it is, tuned")
    for pair in ((0.0, 0.0), as_is, best):
        show(library, second, photos, plain, pair)


def show(library: Library, asked: Queries, photos: int, plain: Ranking, pair: tuple[float, float]) -> float:
    """Print how both kinds of queries find their photos; return the mean of their reciprocal ranks."""
    weights = {**plain.fields, "text": pair[0], "unsure_text": pair[1]}
    ranking = dataclasses.replace(plain, fields=weights)
    lines, descriptions = (judge(library, each, photos, ranking) for each in asked)
    worth = (lines[1] + descriptions[1]) / 2
    print(
        f"  text {pair[0]:<5g}unsure {pair[1]:<6g} lines R@10 {lines[0]:5.1f} MRR {lines[1]:.3f}   "
        f"descriptions R@10 {descriptions[0]:5.1f} MRR {descriptions[1]:.3f}   mean {worth:.4f}", flush=True,
    )  # fmt: skip
    return worth


def judge(library: Library, asked: Sequence[SearchedDescription], photos: int, ranking: Ranking) -> tuple[float, float]:
    found = score_ranks(rank_descriptions(asked, partial(library.match, ranking=ranking), photos), photos)
    return found.recall[10], found.reciprocal


if __name__ == "__main__":
    main()
