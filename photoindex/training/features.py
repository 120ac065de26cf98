"""What a part of the encoder makes of every training view, computed once and kept on disk.

The trunk is never trained, so its maps are computed once for good (17 x 17 x 120 half-precision numbers are 69 kB a
view), and two cores can tune the tail. Once the tail is tuned it does not change either, and its regions are kept for
training decoders. Files are memory-mapped; what does not fit into memory is read again when it is wanted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from photoindex.captioner.encoders import Encoder
from photoindex.system.atomic import replace_file
from photoindex.training.augmentation import load_view

# Larger batches fall out of the CPU's caches and are no faster, or slower: benchmarks/encoder_batches.py.
CPU_BATCH = 4
GPU_BATCH = 64
SAVE_EVERY = 256  # views: the most that a kill costs


@dataclass(frozen=True, slots=True)
class View:
    """One view of one photo; see augmentation.py."""

    path: Path
    number: int = 0


Report = Callable[[int, int], None]  # (views done, views in all)
Batches = Callable[[int], Iterator[torch.Tensor]]  # from this view on: float (n, *shape), until all are there


class ViewCache:
    """An array for each of a list of views, in its order: ``cache[numbers]`` is float32 (n, *shape)."""

    def __init__(self, views: Sequence[View], values: NDArray[np.float16]) -> None:
        self.views = tuple(views)
        self.shape = values.shape[1:]
        self._values = values

    def __len__(self) -> int:
        return len(self.views)

    def __getitem__(self, numbers: Sequence[int]) -> torch.Tensor:
        return torch.from_numpy(self._values[list(numbers)].astype(np.float32))


def build_cache(
    views: Sequence[View],
    shape: tuple[int, ...],
    identity: str,
    batches: Batches,
    folder: Path,
    report: Report = lambda done, total: None,
) -> ViewCache:
    """Compute what is missing and open the cache. A run that was interrupted goes on where it stopped.

    ``identity`` says what the numbers are (weights, part of the encoder); with the list of views it names the file, so
    that a changed encoder or data set never meets old features.
    """
    folder.mkdir(parents=True, exist_ok=True)
    listing = "\n".join(f"{view.path.name}:{view.path.stat().st_size}:{view.number}" for view in views)
    key = hashlib.sha256(f"{identity}\n{shape}\n{listing}".encode()).hexdigest()[:16]
    data, state = folder / f"features-{key}.npy", folder / f"features-{key}.json"
    done = json.loads(state.read_text())["done"] if state.exists() and data.exists() else 0
    if done < len(views):
        whole = (len(views), *shape)
        values = np.lib.format.open_memmap(data, mode="r+" if done else "w+", dtype=np.float16, shape=whole)
        saved = done
        for part in batches(done):
            values[done : done + len(part)] = part.cpu().numpy()
            done += len(part)
            if done - saved >= SAVE_EVERY or done == len(views):
                values.flush()
                replace_file(state, json.dumps({"done": done, "views": len(views)}))
                saved = done
            report(done, len(views))
    return ViewCache(views, np.load(data, mmap_mode="r"))


def trunk_cache(
    encoder: Encoder,
    identity: str,
    views: Sequence[View],
    folder: Path,
    device: torch.device,
    report: Report = lambda done, total: None,
) -> ViewCache:
    """The trunk's maps of these views, each (h, w, channels). ``encoder`` is best folded and channels last."""
    size = encoder.preprocessing.size
    with torch.inference_mode():
        _, channels, height, width = encoder.trunk(torch.zeros(1, 3, size, size, device=device)).shape

    def batches(start: int) -> Iterator[torch.Tensor]:
        for images in _images(views, size, start, CPU_BATCH if device.type == "cpu" else GPU_BATCH):
            pixels = encoder.preprocessing.normalise(images.to(device)).contiguous(memory_format=torch.channels_last)
            with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16, enabled=device.type == "cuda"):
                maps = encoder.trunk(pixels)
            yield maps.float().permute(0, 2, 3, 1)

    return build_cache(views, (height, width, channels), f"trunk {identity} {size}", batches, folder, report)


def _images(views: Sequence[View], size: int, start: int, batch: int) -> Iterator[torch.Tensor]:
    """uint8 (n, 3, size, size) from view ``start`` on; the next views are read while these are used."""

    def read(first: int) -> torch.Tensor:
        return torch.from_numpy(
            np.stack([load_view(view.path, size, view.number) for view in views[first : first + batch]])
        )

    with ThreadPoolExecutor(1) as pool:
        firsts = range(start, len(views), batch)
        pending = pool.submit(read, start) if firsts else None
        for first in firsts:
            assert pending is not None
            images = pending.result()
            if first + batch < len(views):
                pending = pool.submit(read, first + batch)
            yield images
