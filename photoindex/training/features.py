"""Region features of every training photo, computed once and kept on disk.

With a frozen encoder the CNN's output never changes, so that two cores train a decoder at full speed from the cache:
81 regions of 1280 half-precision numbers are 207 kB a photo and view. The file is memory-mapped.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

from photoindex.captioner.encoder import Encoder, fold_batch_norm
from photoindex.errors import DatasetError

# Larger batches fall out of the CPU's caches and are no faster, or slower: benchmarks/encoder_batches.py.
CPU_BATCH = 4
GPU_BATCH = 64


def load_square(path: Path, size: int) -> NDArray[np.uint8]:
    """A photo as uint8 (3, size, size), turned upright and resized without cropping. Raises :class:`DatasetError`."""
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
            square = upright.resize((size, size), Image.Resampling.BICUBIC)
    except (OSError, ValueError, SyntaxError) as error:
        raise DatasetError(f"cannot read the training photo {path}: {error}") from error
    pixels: NDArray[np.uint8] = np.asarray(square, dtype=np.uint8).transpose(2, 0, 1)
    return pixels


class FeatureCache:
    """Feature maps of a list of photos: :meth:`rows` gives (n, regions, channels) for photo numbers.

    With ``mirror`` each photo has a second view, flipped left to right.
    """

    def __init__(self, parts: Sequence[NDArray[np.float16]]) -> None:
        self._parts = parts  # each (photos, views, regions, channels)
        self._where = [(part, row) for part, features in enumerate(parts) for row in range(len(features))]
        self.views = min(part.shape[1] for part in parts)
        self.regions, self.channels = parts[0].shape[2:]

    def rows(self, photos: Sequence[int], views: Sequence[int] | None = None) -> torch.Tensor:
        """float32 (n, regions, channels) of these photos; ``views`` picks 0, or 1 for the mirrored one."""
        chosen = [0] * len(photos) if views is None else views
        places = [self._where[photo] for photo in photos]
        picked = np.stack([self._parts[part][row, view] for (part, row), view in zip(places, chosen, strict=True)])
        return torch.from_numpy(picked.astype(np.float32))


def build_cache(
    encoder: Encoder,
    identity: str,
    paths: Sequence[Path],
    folder: Path,
    *,
    mirror: bool = False,
    device: torch.device | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> FeatureCache:
    """Compute what is missing and open the cache. A run that was interrupted goes on where it stopped.

    Each image folder has a file of its own, so that data sets can be combined freely. ``identity`` names the encoder's
    weights; with the list of photos it names the file, so that a changed encoder or data set never meets old features.
    ``progress`` is called with (photos done, photos in all). ``encoder`` is changed for speed: pass a copy.
    """
    device = device or torch.device("cpu")
    folder.mkdir(parents=True, exist_ok=True)
    encoder = encoder.eval().to(device)
    fold_batch_norm(encoder)
    encoder = encoder.to(memory_format=torch.channels_last)
    parts, before = [], 0
    for _, group in itertools.groupby(paths, key=lambda path: path.parent):
        members = list(group)

        def report(done: int, start: int = before) -> None:
            if progress:
                progress(start + done, len(paths))

        parts.append(_build_part(encoder, identity, members, folder, mirror, device, report))
        before += len(members)
    return FeatureCache(parts)


def _build_part(
    encoder: Encoder,
    identity: str,
    paths: Sequence[Path],
    folder: Path,
    mirror: bool,
    device: torch.device,
    report: Callable[[int], None],
) -> NDArray[np.float16]:
    """The features of one image folder, memory-mapped: (photos, views, regions, channels)."""
    size = encoder.preprocessing.size
    listing = "\n".join(f"{path.name}:{path.stat().st_size}" for path in paths)
    key = hashlib.sha256(f"{identity}\n{size}\n{mirror}\n{listing}".encode()).hexdigest()[:16]
    data, state = folder / f"features-{key}.npy", folder / f"features-{key}.json"
    with torch.inference_mode():
        probe = encoder(torch.zeros(1, 3, size, size, device=device))
    shape = (len(paths), 2 if mirror else 1, probe.shape[2] * probe.shape[3], probe.shape[1])
    done = json.loads(state.read_text())["done"] if state.exists() and data.exists() else 0
    cache = np.lib.format.open_memmap(data, mode="r+" if done else "w+", dtype=np.float16, shape=shape)
    batch = CPU_BATCH if device.type == "cpu" else GPU_BATCH
    for start, images in _batches(paths, size, done, batch):
        pixels = images.to(device)
        views = [pixels, pixels.flip(3)] if mirror else [pixels]
        for number, view in enumerate(views):
            x = encoder.preprocessing.normalise(view).contiguous(memory_format=torch.channels_last)
            with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16, enabled=device.type == "cuda"):
                maps = encoder(x)
            rows = maps.float().flatten(2).transpose(1, 2).cpu().numpy()  # (n, regions, channels)
            cache[start : start + len(rows), number] = rows
        finished = start + len(images)
        if finished == len(paths) or (start // batch) % 64 == 63:
            cache.flush()
            state.write_text(json.dumps({"done": finished, "photos": len(paths)}))
        report(finished)
    features: NDArray[np.float16] = np.load(data, mmap_mode="r")
    return features


def _batches(paths: Sequence[Path], size: int, start: int, batch: int) -> Iterator[tuple[int, torch.Tensor]]:
    """(first number, uint8 (n, 3, size, size)) from ``start`` on; the next photos are read while these are used."""

    def read(first: int) -> torch.Tensor:
        return torch.from_numpy(np.stack([load_square(path, size) for path in paths[first : first + batch]]))

    with ThreadPoolExecutor(1) as pool:
        firsts = range(start, len(paths), batch)
        pending = pool.submit(read, start) if firsts else None
        for first in firsts:
            assert pending is not None
            images = pending.result()
            if first + batch < len(paths):
                pending = pool.submit(read, first + batch)
            yield first, images
