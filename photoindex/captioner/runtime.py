"""A checkpoint as it is run on a device: pixels to feature maps, and what is seen to captions.

There are two engines. ``torch`` runs both networks as they are written and is the reference. On a CPU ``auto`` takes
what is faster there: the encoder compiled (:mod:`.compiled`), where OpenVINO is installed, and the decoder rearranged
(:mod:`.inference`).
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from photoindex.captioner.beam import Hypothesis, SearchSettings
from photoindex.captioner.caption_generator import CaptionGenerator
from photoindex.captioner.checkpoint import Checkpoint
from photoindex.captioner.encoders import fold_batch_norm
from photoindex.captioner.fast_decoder import for_inference
from photoindex.captioner.openvino import compile_encoder
from photoindex.captioner.thread_pool import Shares

GPU_BATCH = 64
# A decoder step reads all of its weights, for one photo or for many; an encoder's larger batches fall out of the CPU's
# caches and are no faster, or slower (benchmarks/encoder_batches.py). So photos are seen few at a time, and then spoken
# of together.
CPU_BATCH = 64
CPU_ENCODER_BATCH = 4


class Runtime:
    """A checkpoint on its device, whose parts are moved there. Not safe to use from two threads at once."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device, *, engine: str = "auto", threads: int = 0) -> None:
        self._checkpoint, self._device = checkpoint, device
        self._encoder = copy.deepcopy(checkpoint.encoder)
        fold_batch_norm(self._encoder)
        fast = engine == "auto" and device.type == "cpu"
        self._compiled = compile_encoder(self._encoder, threads) if fast else None
        self._encoder.to(device).to(memory_format=torch.channels_last)
        for part in (checkpoint.decoder, checkpoint.term_head):
            if part is not None:
                part.to(device)
        self._generator = CaptionGenerator(
            checkpoint, for_inference(checkpoint.decoder) if fast else checkpoint.decoder
        )
        self._shares = Shares(threads or torch.get_num_threads()) if fast else None
        self.batch_size = CPU_BATCH if device.type == "cpu" else GPU_BATCH
        self.engine = "OpenVINO" if self._compiled is not None else "torch"

    def see(self, photos: NDArray[np.uint8]) -> Tensor:
        """uint8 (N, size, size, 3) -> feature maps (N, C, h, w)."""
        size = CPU_ENCODER_BATCH if self._device.type == "cpu" else len(photos)
        return torch.cat([self._encode(photos[start : start + size]) for start in range(0, len(photos), size)])

    def _encode(self, photos: NDArray[np.uint8]) -> Tensor:
        if self._compiled is not None:
            return self._compiled(photos)
        pixels = torch.from_numpy(photos).to(self._device)
        images = self._encoder.preprocessing.normalise(pixels.permute(0, 3, 1, 2))
        with torch.autocast("cuda", torch.float16, enabled=self._device.type == "cuda"):
            feature_map: Tensor = self._encoder(images.contiguous(memory_format=torch.channels_last))
        return feature_map.float()

    def classify(self, feature_map: Tensor) -> Tensor:
        """Feature maps (N, C, h, w) -> ImageNet logits (N, 1000)."""
        return self._encoder.classify(feature_map)

    def term_logits(self, feature_map: Tensor) -> Tensor | None:
        """Feature maps -> the term head's logits (N, terms), where the model has one."""
        head = self._checkpoint.term_head
        return None if head is None else head(feature_map)

    def generate(self, feature_map: Tensor, logits: Tensor | None, settings: SearchSettings) -> list[list[Hypothesis]]:
        """Feature maps of N photos and their term logits -> what to say of each, best first."""

        def generate_some(some: slice) -> list[list[Hypothesis]]:
            seen = self._checkpoint.look(feature_map[some])
            return self._generator.generate(seen, None if logits is None else logits[some], settings)

        if self._shares is None:
            return generate_some(slice(0, len(feature_map)))
        return self._shares.map(generate_some, len(feature_map))

    def close(self) -> None:
        """End the threads that it keeps; it may be used again."""
        if self._shares is not None:
            self._shares.close()
