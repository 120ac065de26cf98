"""What a part of the encoder makes of every training view, computed once and kept on disk.

Where the trunk is not trained its maps are computed once (17 x 17 x 120 half-precision numbers are 69 kB a
view), and two cores can tune the tail. Once the tail is tuned it does not change either, and its regions are kept for
training decoders. Files are memory-mapped; what does not fit into memory is read again when it is wanted.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from photoindex.captioner.encoders import Encoder
from photoindex.errors import TrainingError
from photoindex.system.atomic import replace_file
from photoindex.system.units import human_size
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

    def __init__(self, views: Sequence[View], values: NDArray[Any]) -> None:
        self.views = tuple(views)
        self.shape = values.shape[1:]
        self._values = values

    def __len__(self) -> int:
        return len(self.views)

    def __getitem__(self, numbers: Sequence[int]) -> torch.Tensor:
        return self.stored(numbers).float()

    def stored(self, numbers: Sequence[int]) -> torch.Tensor:
        """(n, *shape), of the type that is kept."""
        return torch.from_numpy(self._values[list(numbers)])


def build_cache(
    views: Sequence[View],
    shape: tuple[int, ...],
    identity: str,
    batches: Batches,
    folder: Path,
    report: Report = lambda done, total: None,
    kept: type[np.generic] = np.float16,
) -> ViewCache:
    """Compute what is missing and open the cache. A run that was interrupted goes on where it stopped.

    ``identity`` says what the numbers are (weights, part of the encoder); with the list of views it names the file, so
    that a changed encoder or data set never meets old features. ``kept`` is the type of the numbers in the file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    listing = "\n".join(f"{view.path.name}:{view.path.stat().st_size}:{view.number}" for view in views)
    key = hashlib.sha256(f"{identity}\n{shape}\n{listing}".encode()).hexdigest()[:16]
    data, state = folder / f"features-{key}.npy", folder / f"features-{key}.json"
    done = json.loads(state.read_text())["done"] if state.exists() and data.exists() else 0
    if done < len(views):
        whole = (len(views), *shape)
        values = np.lib.format.open_memmap(data, mode="r+" if done else "w+", dtype=kept, shape=whole)
        start, each = values.offset, values[:1].nbytes
        del values
        _check_room(folder, (len(views) - done) * each)
        saved = done
        # Not through the mapping: where the disk has become full meanwhile, the system ends who writes to one.
        with open(data, "r+b") as file:
            file.seek(start + done * each)
            for part in batches(done):
                file.write(part.cpu().numpy().astype(kept).tobytes())
                done += len(part)
                if done - saved >= SAVE_EVERY or done == len(views):
                    file.flush()
                    replace_file(state, json.dumps({"done": done, "views": len(views)}))
                    saved = done
                report(done, len(views))
    return ViewCache(views, np.load(data, mmap_mode="r"))


def _check_room(folder: Path, needed: int) -> None:
    """Raises :class:`TrainingError` when a folder has no room for so many bytes: to compute them may take hours."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise TrainingError(
            f"what the encoder makes of the photos takes {human_size(needed)} more in {folder}, where "
            f"{human_size(free)} are free: make room there, or name another --output"
        )


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
        # While the CPU encodes photos, one thread reads the next ones; a GPU waits for as many as there are.
        batch, readers = (CPU_BATCH, 1) if device.type == "cpu" else (GPU_BATCH, os.cpu_count() or 1)
        for images in _images(views, size, start, batch, readers):
            pixels = encoder.preprocessing.normalise(images.to(device)).contiguous(memory_format=torch.channels_last)
            with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16, enabled=device.type == "cuda"):
                maps = encoder.trunk(pixels)
            yield maps.float().permute(0, 2, 3, 1)

    return build_cache(views, (height, width, channels), f"trunk {identity} {size}", batches, folder, report)


def pixel_cache(views: Sequence[View], size: int, folder: Path, report: Report = lambda done, total: None) -> ViewCache:
    """The pixels of these views, each uint8 (3, size, size)."""

    def batches(start: int) -> Iterator[torch.Tensor]:
        return _images(views, size, start, GPU_BATCH, os.cpu_count() or 1)

    return build_cache(views, (3, size, size), f"pixels {size}", batches, folder, report, np.uint8)


def _images(views: Sequence[View], size: int, start: int, batch: int, readers: int) -> Iterator[torch.Tensor]:
    """uint8 (n, 3, size, size) from view ``start`` on; the next views are read while these are used."""
    with ThreadPoolExecutor(readers) as pool:

        def asked(first: int) -> list[Future[NDArray[np.uint8]]]:
            return [pool.submit(load_view, view.path, size, view.number) for view in views[first : first + batch]]

        pending = asked(start)
        for first in range(start, len(views), batch):
            current, pending = pending, asked(first + batch)
            yield torch.from_numpy(np.stack([image.result() for image in current]))
