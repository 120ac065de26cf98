"""The photos of a training run: captioned by people, by machines, or with a label alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from photoindex.training.datasets import CaptionedPhoto
from photoindex.training.terms import TermVocabularyBuilder


@dataclass(frozen=True, slots=True)
class PhotoSets:
    """All photos of a run, known by their places in ``photos`` ("numbers").

    ``repeats`` says how often each is seen in an epoch; it is 0 for the ``noisy`` and the ``labelled`` training photos,
    which take part by shares.
    """

    photos: tuple[CaptionedPhoto, ...]
    repeats: tuple[int, ...]
    noisy: frozenset[int] = frozenset()
    labelled: frozenset[int] = frozenset()

    @classmethod
    def gathered(
        cls,
        photos: Sequence[CaptionedPhoto],
        noisy: Sequence[CaptionedPhoto] = (),
        labelled: Sequence[CaptionedPhoto] = (),
    ) -> PhotoSets:
        """A photo that is listed several times in ``photos`` is there once, and seen as often; one that people
        captioned is neither noisy nor labelled. Of those, validation photos only measure, and no label does."""
        # A data set named several times is trained on as often: its features are computed once all the same.
        counted = Counter(photo.path for photo in photos)
        known = list({photo.path: photo for photo in photos}.values())
        extra = [photo for photo in noisy if photo.split in ("train", "val") and photo.path not in counted]
        things = [photo for photo in labelled if photo.split == "train" and photo.path not in counted]
        first = len(known) + len(extra)
        everything = (*known, *extra, *things)
        return cls(
            everything,
            (*(counted[photo.path] for photo in known), *[0] * (len(extra) + len(things))),
            frozenset(n for n in range(len(known), first) if everything[n].split == "train"),
            frozenset(range(first, len(everything))),
        )

    def trained(self) -> list[int]:
        """Return the photos to learn from."""
        return [n for n, photo in enumerate(self.photos) if photo.split == "train"]

    def by_people(self) -> list[int]:
        """Return the photos to learn from that people captioned."""
        return [n for n in self.trained() if n not in self.noisy and n not in self.labelled]

    def captioned(self) -> list[int]:
        """Return the photos to learn from that have more than a label."""
        return [n for n in self.trained() if n not in self.labelled]

    def captions(self, numbers: Sequence[int], *, repeated: bool = False) -> Iterator[str]:
        """Yield all captions of these photos; ``repeated``: as often as they are seen."""
        for n in numbers:
            for _ in range(self.repeats[n] if repeated else 1):
                yield from self.photos[n].captions

    def record(self) -> dict[str, Any]:
        """Count what is learned from; recorded in the checkpoint."""
        trained = [(self.photos[n], self.repeats[n]) for n in self.trained()]
        return {
            "photos": sum(n for _, n in trained),
            "captions": sum(n * len(photo.captions) for photo, n in trained),
            "noisy_photos": len(self.noisy),
            "labelled_photos": len(self.labelled),
        }

    def terms(self, numbers: Sequence[int], threshold: int, pair_threshold: int) -> TermVocabularyBuilder:
        """Return the terms of these photos' captions; pairs of stems are those that people say."""
        people = self.captions(self.by_people())
        return TermVocabularyBuilder.from_captions(self.captions(numbers), people, threshold, pair_threshold)
