"""What the encoder makes of the views of training photos, computed once and kept in files (features.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch

from photoindex.captioner.checkpoint import features_of
from photoindex.captioner.encoders import Encoder
from photoindex.captioner.network import PhotoFeatures, TermHead
from photoindex.training.captions import FeatureCache
from photoindex.training.datasets import CaptionedPhoto
from photoindex.training.features import View, ViewCache, build_cache, trunk_cache
from photoindex.training.loop import Report, TrainingProgress

TAIL_BATCH = 32


class EncodedViews:
    """The views of photos as an encoder represents them. ``counts`` gives the number of views of each photo.

    ``encoder`` is folded, in evaluation mode, channels last and on ``device``. ``places`` gives for each photo the
    numbers of its views among all.
    """

    def __init__(
        self,
        photos: Sequence[CaptionedPhoto],
        counts: Sequence[int],
        encoder: Encoder,
        grid: int,
        folder: Path,
        device: torch.device,
        report: Report = lambda _: None,
    ) -> None:
        self._encoder, self._grid = encoder, grid
        self._folder, self._device, self._report = folder, device, report
        self._views = [View(p.path, n) for p, count in zip(photos, counts, strict=True) for n in range(count)]
        self.places: list[list[int]] = []
        first = 0
        for count in counts:
            self.places.append(list(range(first, first + count)))
            first += count

    def trunk_maps(self, identity: str) -> ViewCache:
        """Return the trunk's maps of all views. ``identity`` names the weights."""
        report = self._reporting("computing features")
        return trunk_cache(self._encoder, identity, self._views, self._folder, self._device, report)

    def features(self, maps: ViewCache, members: Sequence[int], identity: str, head: TermHead | None) -> FeatureCache:
        """Return the regions by the encoder's tail, and the head's summaries, of the views of these photos.

        ``maps`` are the trunk's; ``identity`` names the weights of the tail and of the head.
        """
        numbers = [number for n in members for number in self.places[n]]
        views = [maps.views[number] for number in numbers]
        probe = self._encode(maps[numbers[:1]], head)
        _, regions, channels = probe.regions.shape

        def batches(start: int) -> Iterator[torch.Tensor]:
            for first in range(start, len(numbers), TAIL_BATCH):
                part = self._encode(maps[numbers[first : first + TAIL_BATCH]], head)
                yield torch.cat((part.regions.flatten(1), part.summary), 1)

        width = regions * channels + probe.summary.shape[1]
        report = self._reporting("looking")
        cache = build_cache(views, (width,), f"seen {identity} grid {self._grid}", batches, self._folder, report)
        own: list[list[int]] = [[] for _ in self.places]
        place = 0
        for n in members:
            own[n] = list(range(place, place + len(self.places[n])))
            place += len(self.places[n])
        return FeatureCache(cache, (regions, channels), own, self._device)

    def _encode(self, maps: torch.Tensor, head: TermHead | None) -> PhotoFeatures:
        with torch.inference_mode():
            with torch.autocast("cuda", torch.bfloat16, enabled=self._device.type == "cuda"):
                feature_map = self._encoder.tail(maps.to(self._device).permute(0, 3, 1, 2))
            return features_of(feature_map.float(), self._grid, head)

    def _reporting(self, stage: str) -> Callable[[int, int], None]:
        return lambda done, total: self._report(TrainingProgress(stage, 0, 0, done, total))
