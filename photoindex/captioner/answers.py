"""What a captioner answers, looked at before it is believed: one may be of another program's making."""

from __future__ import annotations

import math
from collections.abc import Sequence
from reprlib import repr as short
from typing import TYPE_CHECKING

from photoindex.errors import ModelError
from photoindex.types import Candidate, Label, Prediction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from photoindex.captioner import Captioner


def ask(captioner: Captioner, photos: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
    """Return what a captioner says of photos, which are as :meth:`.Captioner.caption` takes them.

    Raises :class:`ModelError` unless it says one thing of each, with a caption. A photo would else get another one's
    words, or be found by none.
    """
    name = captioner.info.name
    answers: object = captioner.caption(photos)
    if not isinstance(answers, Sequence) or isinstance(answers, str | bytes):
        raise ModelError(f"the model {name} answers with {short(answers)}, and not with a list of predictions")
    if len(answers) != len(photos):
        raise ModelError(f"the model {name} gives {len(answers)} answers for {len(photos)} photos")
    for answer in answers:
        problem = _problem(answer)
        if problem is not None:
            raise ModelError(f"the model {name} answers {problem}")
    return list(answers)


def _problem(answer: object) -> str | None:
    """Return what is wrong with an answer, behind "answers"; ``None`` for nothing."""
    if not isinstance(answer, Prediction):
        return f"with {short(answer)} for a photo, which is no prediction"
    if not answer.candidates:
        return "without a caption for a photo"
    problems = (*map(_candidate_problem, answer.candidates), *map(_label_problem, (*answer.labels, *answer.kinds)))
    return next((problem for problem in problems if problem is not None), None)


def _candidate_problem(candidate: object) -> str | None:
    if not isinstance(candidate, Candidate):
        return f"with {short(candidate)}, which is no candidate of a caption"
    text: object = candidate.text
    if not isinstance(text, str) or not text.strip():
        return f"with the caption {short(text)}, which says nothing"
    if not (_is_finite(candidate.log_probability) and _is_finite(candidate.score)):
        return f"with {short(candidate)}, whose numbers are not finite"
    if candidate.confidence is not None and not _is_share(candidate.confidence):
        return f"with a confidence of {short(candidate.confidence)}; it is from 0 to 1"
    return None


def _label_problem(label: object) -> str | None:
    if not isinstance(label, Label) or not _is_share(label.probability):
        return f"with {short(label)}, which is no label with a probability from 0 to 1"
    return None


def _is_finite(number: object) -> bool:
    try:
        return math.isfinite(number)  # type: ignore[arg-type]
    except (TypeError, OverflowError):
        return False


def _is_share(number: object) -> bool:
    return _is_finite(number) and 0 <= float(number) <= 1  # type: ignore[arg-type]
