"""The captioner the pipeline runs: a checkpoint on a device, photos in, predictions out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from photoindex.captioner.checkpoint import Checkpoint, load_checkpoint
from photoindex.captioner.device import choose_device, describe
from photoindex.captioner.encoder import fold_batch_norm
from photoindex.captioner.speaker import Speaker
from photoindex.captioner.term_head import strongest
from photoindex.search import lexicon
from photoindex.types import Candidate, Label, Prediction, TermVector, TermVocabulary

GPU_BATCH = 64
# A decoder step reads all of its weights, for one photo or for many; an encoder's larger batches fall out of the CPU's
# caches and are no faster, or slower (benchmarks/encoder_batches.py). So photos are seen few at a time, and then spoken
# of together.
CPU_BATCH = 32
CPU_ENCODER_BATCH = 4
LABELS_KEPT = 5
# The classifier is modest: of the classes it gave 0.15 to 0.2, people's captions of the photo named the thing or its
# kind in 41 of 100, of the kinds in 46; and captions leave out much that is there. Search did best near it, too.
LABEL_THRESHOLD = 0.15
KIND_THRESHOLD = 0.15  # on the sum over the classes of a kind


class NeuralCaptioner:
    """A loaded checkpoint on its device. Not safe to use from two threads at once."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device, beam_width: int, batch_size: int = 0) -> None:
        self._checkpoint = checkpoint
        self._device = device
        self._search = dataclasses.replace(checkpoint.search, beam_width=beam_width)
        self._encoder = checkpoint.encoder
        for part in checkpoint.parts().values():
            part.to(device)
        fold_batch_norm(self._encoder)
        self._encoder.to(memory_format=torch.channels_last)
        self._speaker = Speaker(checkpoint)
        members = lexicon.members(checkpoint.labels)
        self._kinds = list(members)
        self._below = torch.zeros(len(checkpoint.labels), len(members), device=device)  # which classes make up a kind
        for column, classes in enumerate(members.values()):
            self._below[classes, column] = 1
        self.name = checkpoint.name
        self.identity = checkpoint.identity
        self.encoder = checkpoint.encoder_name
        self.settings = str(self._search)
        self.input_size = checkpoint.encoder.preprocessing.size
        self.batch_size = batch_size or (CPU_BATCH if device.type == "cpu" else GPU_BATCH)
        self._encoder_batch = CPU_ENCODER_BATCH if device.type == "cpu" else self.batch_size
        self.device = describe(device)
        self._term_head = checkpoint.term_head
        self.terms: TermVocabulary | None = None
        if self._term_head is not None:
            self.terms = TermVocabulary(checkpoint.terms, self._term_head.config.scale)

    @classmethod
    def load(
        cls, folder: Path, *, device: str = "auto", beam_width: int = 3, batch_size: int = 0, threads: int = 0
    ) -> NeuralCaptioner:
        """Load a checkpoint folder; ``threads`` 0 leaves torch's choice. Raises :class:`.errors.ModelError`."""
        if threads:
            torch.set_num_threads(threads)
        chosen = choose_device(device)
        return cls(load_checkpoint(folder), chosen, beam_width, batch_size)

    def caption(self, photos: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        """uint8 (size, size, 3) each -> one prediction each, in order. A GPU short of memory gets less at once."""
        predictions: list[Prediction] = []
        while len(predictions) < len(photos):
            batch = photos[len(predictions) : len(predictions) + self.batch_size]
            try:
                predictions += self._caption_batch(batch)
            except torch.cuda.OutOfMemoryError:
                if self.batch_size == 1:
                    raise
                torch.cuda.empty_cache()
                self.batch_size //= 2
        return predictions

    def close(self) -> None:
        """Nothing to let go of by itself: the model's memory goes with the object."""

    def _see(self, photos: Sequence[NDArray[np.uint8]]) -> Tensor:
        """uint8 (size, size, 3) each -> feature maps (N, C, h, w)."""
        pixels = torch.from_numpy(np.stack(photos)).to(self._device)  # (N, size, size, 3)
        images = self._encoder.preprocessing.normalise(pixels.permute(0, 3, 1, 2))
        with torch.autocast("cuda", torch.float16, enabled=self._device.type == "cuda"):
            feature_map: Tensor = self._encoder(images.contiguous(memory_format=torch.channels_last))
        return feature_map.float()

    @torch.inference_mode()
    def _caption_batch(self, photos: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        size = self._encoder_batch
        feature_map = torch.cat([self._see(photos[start : start + size]) for start in range(0, len(photos), size)])
        labels, kinds = self._labels(self._encoder.classify(feature_map))
        impacts = None if self._term_head is None else self._term_head.impacts(self._term_head(feature_map))
        found = self._speaker.say(self._checkpoint.look(feature_map), impacts, self._search)
        terms = self._terms(impacts, len(photos))
        decode = self._checkpoint.vocabulary.decode
        return [
            Prediction(
                tuple(Candidate(decode(h.words), h.log_probability, h.score) for h in hypotheses),
                labels[number],
                kinds[number],
                terms[number],
            )
            for number, hypotheses in enumerate(found)
        ]

    def _terms(self, impacts: Tensor | None, photos: int) -> list[TermVector | None]:
        head = self._term_head
        if head is None or impacts is None:
            return [None] * photos
        return [
            TermVector(np.array(ids, np.uint16), np.array(levels, np.uint8))
            for ids, levels in strongest(impacts, head.config)
        ]

    def _labels(self, logits: Tensor) -> tuple[list[tuple[Label, ...]], list[tuple[Label, ...]]]:
        """(N, classes) -> for each photo, its labels and its kinds."""
        names = self._checkpoint.labels
        if not names:
            return [()] * len(logits), [()] * len(logits)
        probabilities = logits.float().softmax(1)
        labels = _most_probable(probabilities, names, LABELS_KEPT, LABEL_THRESHOLD)
        return labels, _most_probable(probabilities @ self._below, self._kinds, len(self._kinds), KIND_THRESHOLD)


def _most_probable(probabilities: Tensor, names: Sequence[str], kept: int, threshold: float) -> list[tuple[Label, ...]]:
    """(N, names) -> for each row its names of at least ``threshold``, at most ``kept``, the most probable first."""
    values, places = probabilities.topk(min(kept, len(names)), dim=1)
    return [
        tuple(Label(names[place], min(p, 1.0)) for p, place in zip(ps, row, strict=True) if p >= threshold)
        for ps, row in zip(values.tolist(), places.tolist(), strict=True)
    ]
