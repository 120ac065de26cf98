"""A checkpoint as it is run on a device: pixels to feature maps, and these to captions.

There are four engines. ``torch`` runs both networks as they are written and is the reference. ``float`` takes what is
faster and says the same: the decoder rearranged (:mod:`.fast_decoder`), on a CPU the encoder and the decoder's products
compiled (:mod:`.openvino`), where OpenVINO is installed, and on an NVIDIA GPU the encoder in half precision. ``auto``
has the encoder in 8 bits besides (:mod:`.eight_bits`), on a CPU, for a model that has one and a processor that computes
rightly with it: one caption in twenty is another one, on average as good. ``graphs`` is ``auto`` with the decoder's
steps recorded (:mod:`.recorded_decoder`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from photoindex.captioner.beam import Hypothesis, SearchSettings
from photoindex.captioner.caption_generator import CaptionGenerator
from photoindex.captioner.checkpoint import Checkpoint, features_of
from photoindex.captioner.encoders import fold_batch_norm
from photoindex.captioner.fast_decoder import TERM_HEAD_LAYERS, Product, for_inference, products, with_products
from photoindex.captioner.half_precision import in_half_precision
from photoindex.captioner.network import PhotoFeatures
from photoindex.captioner.openvino import compile_encoder, compile_products
from photoindex.captioner.recorded_decoder import RecordedDecoder
from photoindex.captioner.thread_pool import LEAST_PHOTOS, Item, Part, Shares, shared_among

# A GPU is not busy with less, and each step of beam search takes as long for few photos as for many. Two lanes
# (:mod:`.thread_pool`) share it out.
GPU_BATCH = 512
GPU_SHARE = 0.5  # of its free memory, that a batch may take
GPU_PHOTO_BYTES = 1000  # a pixel of the encoder's input, of a photo's activations and of all that is computed from them
# A decoder step reads all of its weights, for one photo or for many; an encoder's larger batches fall out of the CPU's
# caches and are no faster, or slower (benchmarks/encoder_batches.py). So photos are encoded few at a time, and then
# captioned together: 32 on two cores, where 48 take one part in a hundred less time and 30 MB more.
CPU_SHARES = 2  # of LEAST_PHOTOS, or as many as there are threads
CPU_ENCODER_BATCH = 4


class Runtime:
    """A checkpoint on its device, whose parts are moved there. Only a GPU may be asked by several threads at once.

    It holds only what it runs: the memory of the rest is free once nobody else holds the checkpoint.
    """

    def __init__(self, checkpoint: Checkpoint, device: torch.device, *, engine: str = "auto", threads: int = 0) -> None:
        self._device, self._grid = device, checkpoint.decoder.config.grid
        self._encoder = copy.deepcopy(checkpoint.encoder)
        fold_batch_norm(self._encoder)
        fast = engine != "torch"
        on_cpu = device.type == "cpu"
        eight_bits = checkpoint.eight_bits if engine in ("auto", "graphs") else None
        self._compiled = compile_encoder(self._encoder, threads, eight_bits) if fast and on_cpu else None
        if self._compiled is not None:  # whose weights need not be held twice
            for name, _ in list(self._encoder.named_children()):
                if name != "classifier":
                    setattr(self._encoder, name, nn.Identity())
        self._encoder.to(device).to(memory_format=torch.channels_last)
        self._type = torch.float16 if fast and device.type == "cuda" else torch.float32
        if self._type is torch.float16:
            self._encoder = in_half_precision(self._encoder)
        for part in (checkpoint.decoder, checkpoint.term_head):
            if part is not None:
                part.to(device)
        cores = threads or torch.get_num_threads()
        self._shares = Shares(cores) if fast and on_cpu else None

        def compile(weights: Sequence[tuple[Tensor, Tensor | None]]) -> Sequence[Product]:
            compiled = compile_products(weights, cores, shared_among(cores)) if on_cpu else None
            return products(weights) if compiled is None else compiled

        decoder = for_inference(checkpoint.decoder, compile) if fast else checkpoint.decoder
        recorded = RecordedDecoder(decoder, device) if engine == "graphs" else None
        self._generator = CaptionGenerator(checkpoint, recorded or decoder)
        head = checkpoint.term_head
        self._term_head = with_products(head, compile, TERM_HEAD_LAYERS) if fast and head is not None else head
        self.batch_size = _batch(device, cores, checkpoint.encoder.preprocessing.size)
        self.engine = "torch"
        if self._compiled is not None:
            self.engine = "OpenVINO in 8 bits" if self._compiled.bits == 8 else "OpenVINO"
        if recorded is not None:
            problem = recorded.examine(checkpoint.decoder.config)
            self.engine += f", steps cannot be recorded: {problem}" if problem else ", steps recorded"

    def together(self, photos: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """uint8 (size, size, 3) each -> (N, size, size, 3), in memory that the device copies from without a detour."""
        if self._device.type != "cuda":
            return np.stack(photos)
        pinned = torch.empty((len(photos), *photos[0].shape), dtype=torch.uint8, pin_memory=True)
        return np.stack(photos, out=pinned.numpy())

    def encode(self, photos: NDArray[np.uint8]) -> Tensor:
        """uint8 (N, size, size, 3) -> feature maps (N, C, h, w)."""
        if self._compiled is not None:
            return self._compiled(photos)
        size = CPU_ENCODER_BATCH if self._device.type == "cpu" else len(photos)
        return torch.cat([self._encode_batch(photos[start : start + size]) for start in range(0, len(photos), size)])

    def _encode_batch(self, photos: NDArray[np.uint8]) -> Tensor:
        pixels = torch.from_numpy(photos).to(self._device, non_blocking=True)
        images = self._encoder.preprocessing.normalise(pixels.permute(0, 3, 1, 2)).to(self._type)
        feature_map: Tensor = self._encoder(images.contiguous(memory_format=torch.channels_last))
        return feature_map.float()

    def classify(self, feature_map: Tensor) -> Tensor:
        """Feature maps (N, C, h, w) -> ImageNet logits (N, 1000)."""
        return self._encoder.classify(feature_map.to(self._type)).float()

    def features_of(self, feature_map: Tensor) -> tuple[PhotoFeatures, Tensor | None]:
        """Feature maps (N, C, h, w) -> what the decoder is given of these photos, in a third of the memory; and the
        term head's logits (N, terms), where the model has one."""

        def features_of_some(some: slice) -> list[tuple[PhotoFeatures, Tensor | None]]:
            part = feature_map[some]
            features = features_of(part, self._grid, self._term_head)
            return [(features, None if self._term_head is None else self._term_head.logits(part, features.summary))]

        parts = self.shared(features_of_some, len(feature_map))
        if len(parts) == 1:
            return parts[0]
        logits = [each for _, each in parts if each is not None]
        return PhotoFeatures.joined([features for features, _ in parts]), torch.cat(logits) if logits else None

    def shared(self, work: Callable[[slice], list[Item]], photos: int) -> list[Item]:
        """What ``work`` returns for all of so many photos, in order, shared out among threads on a CPU."""
        return work(slice(0, photos)) if self._shares is None else self._shares.map(work, photos)

    def each(self, work: Callable[[Part], Item], parts: Sequence[Part]) -> list[Item]:
        """The same for the parts that :meth:`shared` made of a batch. Joining them first would copy them by all of
        torch's threads, which then wait for more by spinning: 0.5 ms of processor a photo."""
        return list(map(work, parts)) if self._shares is None else self._shares.each(work, parts)

    def generate(
        self, features: PhotoFeatures, logits: Tensor | None, settings: SearchSettings
    ) -> list[list[Hypothesis]]:
        """Features of N photos and their term logits -> the captions of each, best first."""

        def generate_some(some: slice) -> list[list[Hypothesis]]:
            part = PhotoFeatures(features.regions[some], features.summary[some])
            return self._generator.generate(part, None if logits is None else logits[some], settings)

        return self.shared(generate_some, len(features))

    def close(self) -> None:
        """End the threads that it keeps; it may be used again."""
        if self._shares is not None:
            self._shares.close()


def _batch(device: torch.device, cores: int, size: int) -> int:
    """How many photos of ``size`` pixels a side a device is given at once; a GPU a power of 2."""
    if device.type != "cuda":
        return LEAST_PHOTOS * max(CPU_SHARES, shared_among(cores))
    fitting = int(torch.cuda.mem_get_info(device)[0] * GPU_SHARE / (GPU_PHOTO_BYTES * size * size))
    return 1 << max(0, min(fitting, GPU_BATCH).bit_length() - 1)
