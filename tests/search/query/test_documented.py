"""docs/queries.md: every example is run, and every field, fact and way to name a day is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pytest

from photoindex.errors import QueryError
from photoindex.search import FullText
from photoindex.search.fulltext.document import document_of
from photoindex.search.query.clauses import HAS, NAMES
from photoindex.search.query.dates import HOLIDAYS, UNITS
from photoindex.types import Caption, Photo, PhotoFacts, Place, Term, TextLine
from photoindex.types.looks import LOOKS, SHAPES
from tests.support import REPOSITORY

PAGE = (REPOSITORY / "docs/queries.md").read_text(encoding="utf-8")
WHEN = datetime(2024, 5, 1)
TODAY = date(2024, 5, 1)
TAKEN = (
    datetime(2008, 10, 12), datetime(2008, 6, 1), datetime(2019, 7, 4), datetime(2023, 12, 25), datetime(2024, 4, 30),
    datetime(2024, 4, 24), datetime(1850, 3, 3), datetime(1999, 12, 31), datetime(2008, 1, 1),
)  # fmt: skip
TERMS = (
    ("label", "dog"), ("kind", "animal"), ("tag", "Holiday"), ("tag", "Black & White"), ("tag", "It"),
    ("keyword", "🔒"), ("tag", 'say "hi"'),
    ("person", "Anna Sousa"), ("title", "The harvest"),
)  # fmt: skip


def examples(refused: bool) -> list[str]:
    """The examples of the tables: of the section on what is refused, or of all others."""
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    chosen = [section for section in sections if section.startswith("What is refused") == refused]
    return re.findall(r"^\| `([^`]+)` \|", "\n".join(chosen), flags=re.MULTILINE)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FullText]:
    """Photos that each example finds some of."""
    captions = (
        "a giraffe in grass", "a brown dog on grass", "a dog and a cat on a couch", "a dog", "a red T-shirt",
        "海滩上的狗",
        "grass", "an ice cream", "a dog",
    )  # fmt: skip
    paths = (
        "IMG_0042.webp",
        "DSC00123.jpg",
        "lisbon/a.jpg",
        "trip/b.jpg",
        "The Who/c.jpg",
        *(f"{n}.jpg" for n in range(4)),
    )
    photos = [
        Photo(
            number, f"hash {number}", 1,
            PhotoFacts("JPEG", 4000, 3000, taken_at=taken, taken_source="exif", camera="Canon EOS R", rating=5,
                       lens="RF 50mm F1.8", latitude=38.7, longitude=-9.1, place=Place("Lisbon", country="Portugal")),
            (Path("/photos/2019", path),), (), Caption(text, "user" if number == 3 else "model", WHEN),
            candidates=(Caption("a dog", "model", WHEN),),
            terms=tuple(Term(text, 1.0, kind) for kind, text in TERMS), favourite=number == 1, hidden=number == 9,
        )
        for number, (taken, text, path) in enumerate(zip(TAKEN, captions, paths, strict=True), 1)
    ]  # fmt: skip
    for number, (looks, width, height) in enumerate(
        [("bw dark blurred", 3000, 4000), ("screenshot", 3000, 3000), ("document", 3000, 4000), ("", 9000, 3000)]
    ):
        facts = replace(photos[number].facts or PhotoFacts("JPEG", 1, 1), width=width, height=height)
        photos[number] = replace(photos[number], looks=frozenset(looks.split()), facts=facts)
    photos[0] = replace(photos[0], caption=Caption("a giraffe in grass", "model", WHEN, confidence=0.35))
    read = [TextLine(text, 0.9, (0,) * 8, block) for block, text in enumerate(["PLATFORM NINE", "parking only"])]
    photos[1] = replace(photos[1], text=tuple(read))
    with FullText.open(tmp_path_factory.mktemp("index")) as index:
        index.rebuild([document_of(photo, [Path("/photos")]) for photo in photos])
        yield index


@pytest.mark.parametrize("query", examples(refused=False))
def test_every_example_finds_something(index: FullText, query: str) -> None:
    assert index.search(query, today=TODAY)


@pytest.mark.parametrize("query", examples(refused=True))
def test_every_refused_example_is_refused(index: FullText, query: str) -> None:
    with pytest.raises(QueryError):
        index.search(query, today=TODAY)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_field_has_an_example(name: str) -> None:
    assert any(example.startswith(f"{name}:") for example in examples(refused=False)), name


def test_every_fact_has_an_example() -> None:
    facts = {f"has:{fact}" for fact in HAS} | {f"is:{fact}" for fact in (*LOOKS, *SHAPES)}
    assert facts <= set(examples(refused=False))


@pytest.mark.parametrize("name", [*HOLIDAYS, *UNITS.split("|"), "weekend", "spring", "autumn", "fall", "winter"])
def test_every_name_of_days_is_named(name: str) -> None:
    page = PAGE.replace("'", "").lower()
    same = {"xmas": "christmas", "christmas eve": "christmas", "christmas day": "christmas", "boxing day": "christmas",
            "new years": "new year", "valentines": "valentine"}  # fmt: skip
    assert same.get(name, name) in page
