"""What a captioner says of a photo, and of itself."""

from __future__ import annotations

from dataclasses import dataclass

from photoindex.types.terms import TermVector, TermVocabulary


@dataclass(frozen=True, slots=True)
class CaptionerInfo:
    """Facts of a loaded captioner."""

    name: str
    identity: str  # changes with the weights: captions made under another identity are stale
    encoder: str
    settings: str  # how captions are searched for, recorded with each
    input_size: int  # pixels a side of the square it takes
    batch_size: int  # photos it likes to get at a time
    device: str  # for a person
    terms: TermVocabulary | None = None  # what the vectors of its predictions are over; None: it predicts no terms
    is_on_gpu: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """One caption the model considered: its text and the natural logarithm of its probability.

    ``score`` is the log-probability per word that beam search ranks by. ``confidence`` is how likely the caption is
    right, 0 to 1, where the model knows it.
    """

    text: str
    log_probability: float
    score: float
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """An object class the encoder sees, with its probability (0 to 1)."""

    name: str
    probability: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the captioner says of one photo: captions, best first, object labels, the kinds of things that are there
    ("dog" with the probability of all breeds together, though none may be sure), and its terms when the model has any.

    Labels and kinds come most probable first.
    """

    candidates: tuple[Candidate, ...]
    labels: tuple[Label, ...] = ()
    kinds: tuple[Label, ...] = ()
    terms: TermVector | None = None

    @property
    def caption(self) -> str:
        return self.candidates[0].text
