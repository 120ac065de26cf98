"""How much processor time a photo costs the recipe `joint` in its first stage, on one thread of this CPU.

python benchmarks/training_step.py

The encoder alone: features of eight photos, their gradient by way of computing them again, and the released encoder's
features of a quarter of them, as training/joint.py has it.
"""

from __future__ import annotations

import platform
import time

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from photoindex.captioner.encoders import build_encoder
from photoindex.training.joint import CPU_PART

ROUNDS = 3
EPOCHS, PHOTOS = 33, 19_000  # of the shipped model's first stage


def main() -> None:
    torch.set_num_threads(1)
    encoder = build_encoder("efficientnet_lite2").to(memory_format=torch.channels_last).train()
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    size = encoder.preprocessing.size
    images = torch.randn(CPU_PART, 3, size, size).contiguous(memory_format=torch.channels_last)
    times = []
    for _ in range(ROUNDS):
        started = time.process_time()
        checkpoint(encoder, images, use_reentrant=False).square().mean().backward()
        with torch.no_grad():
            encoder(images[: CPU_PART // 4])
        times.append((time.process_time() - started) / CPU_PART)
    best = min(times)
    print(f"{best:.2f} s of processor time a photo, {best * EPOCHS * PHOTOS / 3600:.0f} hours for {EPOCHS} epochs of "
          f"{PHOTOS} photos, on {platform.platform()}, torch {torch.__version__}")  # fmt: skip


if __name__ == "__main__":
    main()
