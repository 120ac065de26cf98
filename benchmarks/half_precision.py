"""How many captions stay the same in 16 bits, as a GPU computes the encoder, of those that 32 bits give.

    python benchmarks/half_precision.py PHOTOS… [--count 400]

Every so many of the photos below PHOTOS are captioned with the encoder in 32 bits, in 16 as its weights are rounded,
and in 16 with its biases corrected (photoindex/captioner/half_precision.py), by PyTorch on the CPU: any machine can run
it. It takes a second a photo.
"""

from __future__ import annotations

import argparse
import copy
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from side_by_side import machine, photos_below
from torch import Tensor

from photoindex.captioner import model_folder
from photoindex.captioner.checkpoint import load_checkpoint
from photoindex.captioner.encoders import Encoder, fold_batch_norm
from photoindex.captioner.half_precision import in_half_precision
from photoindex.captioner.neural import NeuralCaptioner
from photoindex.media.decode import decode_photo

BATCH = 8


def seer(encoder: Encoder, kind: torch.dtype) -> Callable[[NDArray[np.uint8]], Tensor]:
    """Photos (N, size, size, 3) -> feature maps by an encoder in numbers of this kind."""

    def see(photos: NDArray[np.uint8]) -> Tensor:
        found = []
        for start in range(0, len(photos), BATCH):
            pixels = torch.from_numpy(photos[start : start + BATCH]).permute(0, 3, 1, 2)
            images = encoder.preprocessing.normalise(pixels).to(kind).contiguous(memory_format=torch.channels_last)
            found.append(encoder(images).float())
        return torch.cat(found)

    return see


def said(captioner: NeuralCaptioner, photos: Sequence[NDArray[np.uint8]]) -> list[str]:
    return [prediction.candidates[0].text for prediction in captioner.caption(photos)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=400)
    options = parser.parse_args()
    paths = photos_below(options.photos, options.count)
    checkpoint = load_checkpoint(model_folder("default"))
    exact = copy.deepcopy(checkpoint.encoder)
    fold_batch_norm(exact)
    exact.to(memory_format=torch.channels_last)
    captioner = NeuralCaptioner(checkpoint, torch.device("cpu"), 3, engine="float")
    size = captioner.info.input_size
    photos = [decode_photo(path, size, 10**9).pixels for path in paths]
    wanted = said(captioner, photos)
    print(f"{len(photos)} photos, beams 3; equal captions to 32 bits:")
    for name, encoder in (
        ("16 bits, as rounded", copy.deepcopy(exact).half()),
        ("16 bits, biases corrected", in_half_precision(exact)),
    ):
        captioner._runtime.encode = seer(encoder, torch.float16)  # type: ignore[method-assign, assignment]
        equal = sum(map(str.__eq__, wanted, said(captioner, photos)))
        print(f"  {name:<28}{equal} ({equal / len(photos):.1%})")
        sys.stdout.flush()
    print(f"\n{machine('torch')}")


if __name__ == "__main__":
    main()
