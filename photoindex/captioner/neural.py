"""The captioner the pipeline runs: a checkpoint on a device, photos in, predictions out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from photoindex.captioner.checkpoint import Checkpoint, load_checkpoint
from photoindex.captioner.device import choose_device, describe
from photoindex.captioner.network import PhotoFeatures, strongest
from photoindex.captioner.runtime import Runtime
from photoindex.captioner.thread_pool import Lanes
from photoindex.language import lexicon
from photoindex.types import Candidate, CaptionerInfo, Label, Prediction, TermVector, TermVocabulary

LABELS_KEPT = 5
# The classifier is modest: of the classes it gave 0.15 to 0.2, people's captions of the photo named the thing or its
# kind in 41 of 100, of the kinds in 46; and captions leave out much that is there. Search did best near it, too.
LABEL_THRESHOLD = 0.15
KIND_THRESHOLD = 0.15  # on the sum over the classes of a kind


Labels = tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class _Encoded:
    """Some photos before they are captioned: what the decoder and its search take, and of each photo its labels, kinds
    and terms."""

    features: PhotoFeatures
    logits: Tensor | None
    photos: list[tuple[Labels, Labels, TermVector | None]]


class NeuralCaptioner:
    """A loaded checkpoint on its device. Not safe to use from two threads at once."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: torch.device,
        beam_width: int,
        batch_size: int = 0,
        *,
        engine: str = "auto",
        threads: int = 0,
    ) -> None:
        self._vocabulary, self._class_names = checkpoint.vocabulary, checkpoint.labels
        self._term_head = checkpoint.term_head
        self._search = dataclasses.replace(checkpoint.search, beam_width=beam_width)
        self._runtime = Runtime(checkpoint, device, engine=engine, threads=threads)
        self._lanes = Lanes(device)
        members = lexicon.members(checkpoint.labels)
        self._kinds = list(members)
        self._below = torch.zeros(len(checkpoint.labels), len(members), device=device)  # which classes make up a kind
        for column, classes in enumerate(members.values()):
            self._below[classes, column] = 1
        terms = None
        if checkpoint.term_head is not None:
            terms = TermVocabulary(checkpoint.terms, checkpoint.term_head.config.scale)
        self.info = CaptionerInfo(
            name=checkpoint.name,
            identity=checkpoint.identity,
            encoder=checkpoint.encoder_name,
            settings=str(self._search),
            input_size=checkpoint.encoder.preprocessing.size,
            batch_size=batch_size or self._runtime.batch_size,
            device=f"{describe(device)}, {self._runtime.engine}",
            terms=terms,
            is_on_gpu=device.type != "cpu",
        )

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        device: str = "auto",
        beam_width: int = 3,
        batch_size: int = 0,
        threads: int = 0,
        engine: str = "auto",
    ) -> NeuralCaptioner:
        """Load a checkpoint folder; ``threads`` 0 leaves the engine's choice. Raises :class:`.errors.ModelError`."""
        chosen = choose_device(device, threads)
        return cls(load_checkpoint(folder), chosen, beam_width, batch_size, engine=engine, threads=threads)

    def caption(self, photos: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        """uint8 (size, size, 3) each -> one prediction each, in order. A GPU short of memory gets less at once."""
        predictions: list[Prediction] = []
        while len(predictions) < len(photos):
            batch = photos[len(predictions) : len(predictions) + self.info.batch_size]
            try:
                predictions += self._lanes.map(self._caption_batch, batch)
            except torch.cuda.OutOfMemoryError:
                if self.info.batch_size == 1:
                    raise
                torch.cuda.empty_cache()
                self.info = dataclasses.replace(self.info, batch_size=self.info.batch_size // 2)
        return predictions

    def close(self) -> None:
        """End what runs for it. The model's memory goes with the object."""
        self._lanes.close()
        self._runtime.close()

    @torch.inference_mode()
    def _caption_batch(self, photos: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        predictions = self._runtime.each(self._generate_captions, self._encode_photos(photos))
        return [prediction for part in predictions for prediction in part]

    def _generate_captions(self, encoded: _Encoded) -> list[Prediction]:
        captions = self._runtime.generate(encoded.features, encoded.logits, self._search)
        decode = self._vocabulary.decode
        return [
            Prediction(
                tuple(Candidate(decode(h.words), h.log_probability, h.score, h.confidence) for h in hypotheses),
                labels,
                kinds,
                terms,
            )
            for hypotheses, (labels, kinds, terms) in zip(captions, encoded.photos, strict=True)
        ]

    def _encode_photos(self, photos: Sequence[NDArray[np.uint8]]) -> list[_Encoded]:
        """Return all but the captions of some photos, in the parts that threads made. Their feature maps, the most of a
        batch's memory, end here."""
        feature_map = self._runtime.encode(self._runtime.together(photos))

        def encode_some(some: slice) -> list[_Encoded]:
            part = feature_map[some]
            features, logits = self._runtime.features_of(part)
            labels, kinds = self._labels(self._runtime.classify(part))
            return [
                _Encoded(features, logits, list(zip(labels, kinds, self._terms(logits, len(features)), strict=True)))
            ]

        return self._runtime.shared(encode_some, len(photos))

    def _terms(self, logits: Tensor | None, photos: int) -> list[TermVector | None]:
        head = self._term_head
        if head is None or logits is None:
            return [None] * photos
        return [TermVector(ids, levels) for ids, levels in strongest(head.impacts(logits), head.config)]

    def _labels(self, logits: Tensor) -> tuple[list[Labels], list[Labels]]:
        """(N, classes) -> for each photo, its labels and its kinds."""
        names = self._class_names
        if not names:
            return [()] * len(logits), [()] * len(logits)
        probabilities = logits.float().softmax(1)
        labels = _most_probable(probabilities, names, LABELS_KEPT, LABEL_THRESHOLD)
        return labels, _most_probable(probabilities @ self._below, self._kinds, len(self._kinds), KIND_THRESHOLD)


def _most_probable(probabilities: Tensor, names: Sequence[str], kept: int, threshold: float) -> list[Labels]:
    """(N, names) -> for each row its names of at least ``threshold``, at most ``kept``, the most probable first."""
    values, places = probabilities.topk(min(kept, len(names)), dim=1)
    return [
        tuple(Label(names[place], min(p, 1.0)) for p, place in zip(ps, row, strict=True) if p >= threshold)
        for ps, row in zip(values.tolist(), places.tolist(), strict=True)
    ]
