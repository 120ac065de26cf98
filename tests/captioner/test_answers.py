"""Answers of a captioner that are none: each ends the run in a line, and no photo gets another one's words."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from photoindex.errors import ModelError
from photoindex.types import Candidate, Label, Prediction
from tests.conftest import OpenLibrary
from tests.support import FakeCaptioner, make_photo

Answers = Callable[[list[Prediction]], Any]


class Odd(FakeCaptioner):
    """Says something else than it should, until it is cured."""

    def __init__(self, instead: Answers) -> None:
        super().__init__()
        self.instead: Answers | None = instead

    def caption(self, photos: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        right = super().caption(photos)
        return right if self.instead is None else self.instead(right)


def said(*arguments: Any, **others: Any) -> Answers:
    """Answers with this candidate for each photo."""
    return lambda right: [Prediction((Candidate(*arguments, **others),)) for _ in right]


def labelled(label: Any, where: str = "labels") -> Answers:
    wrong: dict[str, Any] = {where: (label,)}
    return lambda right: [Prediction(each.candidates, **wrong) for each in right]


ANSWERS: dict[str, tuple[Answers, str]] = {
    "nothing": (lambda right: None, r"answers with None, and not with a list of predictions"),
    "a generator": (lambda right: iter(right), r"answers with <.*>, and not with a list of predictions"),
    "a text": (lambda right: "ab", r"answers with 'ab', and not with a list of predictions"),
    "too few": (lambda right: right[1:], r"gives 1 answers for 2 photos"),
    "too many": (lambda right: [*right, right[0]], r"gives 3 answers for 2 photos"),
    "none of them": (lambda right: [], r"gives 0 answers for 2 photos"),
    "one that is none": (lambda right: [right[0], None], r"answers with None for a photo, which is no prediction"),
    "texts": (lambda right: ["a cat", "a dog"], r"answers with 'a cat' for a photo, which is no prediction"),
    "no caption": (lambda right: [right[0], Prediction(())], r"answers without a caption for a photo"),
    "an empty caption": (said("", -1.0, -1.0), r"answers with the caption '', which says nothing"),
    "a blank caption": (said(" \n", -1.0, -1.0), r"answers with the caption ' \\n', which says nothing"),
    "a number for a caption": (said(42, -1.0, -1.0), r"answers with the caption 42, which says nothing"),
    "bytes for a caption": (said(b"cat", -1.0, -1.0), r"answers with the caption b'cat', which says nothing"),
    "texts for candidates": (lambda right: [Prediction(("a cat",))] * 2, r"answers with 'a cat', which"),  # type: ignore[arg-type]
    "no number": (said("a cat", math.nan, -1.0), r"whose numbers are not finite"),
    "an endless score": (said("a cat", -1.0, -math.inf), r"whose numbers are not finite"),
    "no score": (said("a cat", -1.0, None), r"whose numbers are not finite"),
    "a confidence that is no number": (said("a cat", -1.0, -1.0, math.nan), r"a confidence of nan; it is from 0 to 1"),
    "a confidence of 2": (said("a cat", -1.0, -1.0, 2.0), r"a confidence of 2.0; it is from 0 to 1"),
    "a label without one": (labelled(Label("cat", math.nan)), r"which is no label with a probability from 0 to 1"),
    "a kind of 7": (labelled(Label("cat", 7.0), "kinds"), r"which is no label with a probability from 0 to 1"),
    "a text for a label": (labelled("cat"), r"answers with 'cat', which is no label"),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_is_none_ends_the_run_and_loses_nothing(
    open_library: OpenLibrary, album: Path, name: str
) -> None:
    answers, line = ANSWERS[name]
    captioner = Odd(answers)
    make_photo(album / "a.jpg", "red"), make_photo(album / "b.jpg", "blue")
    with open_library(captioner) as library:
        with pytest.raises(ModelError, match=f"^the model fake .*{line}"):
            library.index(album)
        assert (library.status().jobs["queued"], library.status().captioned) == (2, 0)
        captioner.instead = None
        assert library.index(album).captioned == 2
        assert [hit.path.name for hit in library.search("blue")] == ["b.jpg"]


@pytest.mark.parametrize(
    "name", [name for name in ANSWERS if name not in ("too few", "one that is none", "no caption")]
)
def test_a_caption_that_nothing_is_stored_of_is_looked_at_too(
    open_library: OpenLibrary, album: Path, name: str
) -> None:
    photo = make_photo(album / "a.jpg")
    with (
        open_library(Odd(ANSWERS[name][0])) as library,
        pytest.raises(ModelError, match=r"^the model fake"),
    ):
        list(library.caption(photo))


def test_numbers_of_numpy_and_a_tuple_are_taken(open_library: OpenLibrary, album: Path) -> None:
    make_photo(album / "a.jpg")
    number = np.float32(0.5)
    answers = (Prediction((Candidate("a cat", number, number, number),), (Label("cat", number),)),)
    with open_library(Odd(lambda _: answers)) as library:
        assert library.index(album).captioned == 1
        [hit] = library.search("cat")
        assert (hit.caption, hit.confidence) == ("a cat", 0.5)


@pytest.mark.parametrize("error", [ValueError("out of order"), MemoryError(), KeyboardInterrupt(), SystemExit(3)])
def test_what_a_captioner_raises_is_raised_and_loses_nothing(
    open_library: OpenLibrary, album: Path, error: BaseException
) -> None:
    def fail(_: object) -> None:
        raise error

    captioner = Odd(fail)
    make_photo(album / "a.jpg")
    with open_library(captioner) as library:
        with pytest.raises(type(error)) as raised:
            library.index(album)
        assert raised.value is error
        captioner.instead = None
        assert library.index(album).captioned == 1
