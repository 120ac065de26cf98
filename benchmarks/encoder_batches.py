"""How many photos a second the encoder takes on this CPU: by batch size, as written and as the captioner runs it.

python benchmarks/encoder_batches.py
"""

from __future__ import annotations

import os
import platform
import time

import torch

from photoindex.captioner import model_folder
from photoindex.captioner.checkpoint import load_checkpoint
from photoindex.captioner.encoders import Encoder, fold_batch_norm

PHOTOS = 64


def rate(encoder: Encoder, batch: int, memory_format: torch.memory_format) -> float:
    """Photos a second, the better of two runs after one to warm up."""
    size = encoder.preprocessing.size
    images = torch.randn(batch, 3, size, size).contiguous(memory_format=memory_format)
    best = float("inf")
    with torch.inference_mode():
        encoder(images)
        for _ in range(2):
            started = time.monotonic()
            for _ in range(PHOTOS // batch):
                encoder(images)
            best = min(best, time.monotonic() - started)
    return PHOTOS / best


def main() -> None:
    plain = load_checkpoint(model_folder("default")).encoder
    folded = load_checkpoint(model_folder("default")).encoder
    fold_batch_norm(folded)
    folded.to(memory_format=torch.channels_last)
    print("batch  as written  folded, channels last")
    for batch in (1, 2, 4, 8, 16, 32):
        ours = rate(folded, batch, torch.channels_last)
        print(f"{batch:5d}  {rate(plain, batch, torch.contiguous_format):10.1f}  {ours:21.1f}")
    machine = f"{platform.platform()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"
    print(f"\nphotos a second on {machine}, torch {torch.__version__}")


if __name__ == "__main__":
    main()
