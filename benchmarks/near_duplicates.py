"""What fingerprints are worth: pairs of a folder's photos that look alike, and changed photos that are known again.

    python benchmarks/near_duplicates.py PHOTOS [--limit 5000]

Also measures finding the near ones among 50,000 invented fingerprints.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from photoindex.library.hamming import NearStrings
from photoindex.media.decode.fingerprint import fingerprint_of
from photoindex.media.formats import PHOTO_SUFFIXES

BITS = (0, 4, 10, 15, 18, 20, 24)
MANY = 50_000
EVERY = 12  # of the photos one in so many is changed


def recompressed(quality: int) -> Callable[[Image.Image], Image.Image]:
    def change(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        return Image.open(file)

    return change


def cropped(share: float) -> Callable[[Image.Image], Image.Image]:
    def change(image: Image.Image) -> Image.Image:
        across, down = round(image.width * share), round(image.height * share)
        return image.crop((across, down, image.width - across, image.height - down))

    return change


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG of quality 50": recompressed(50),
    "JPEG of quality 10": recompressed(10),
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "20% brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "in greys": lambda image: image.convert("L"),
    "turned by 1°": lambda image: image.rotate(1),
    "2% cropped at each edge": cropped(0.02),
    "5% cropped at each edge": cropped(0.05),
}


def bits_of(prints: list[bytes]) -> np.ndarray:
    return np.unpackbits(np.frombuffer(b"".join(prints), np.uint8).reshape(len(prints), -1), axis=1).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--limit", type=int, default=5000)
    arguments = parser.parse_args()
    paths = sorted(path for path in arguments.photos.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES)
    prints: list[bytes] = []
    apart: dict[str, list[int]] = {name: [] for name in CHANGES}
    for number, path in enumerate(paths[: arguments.limit]):
        with Image.open(path) as stored:
            image = stored.convert("RGB")
        fingerprint = fingerprint_of(image)
        if not fingerprint:
            continue
        prints.append(fingerprint)
        if number % EVERY == 0:
            for name, change in CHANGES.items():
                changed = fingerprint_of(change(image)) or bytes(len(fingerprint))
                apart[name].append(int(np.abs(bits_of([fingerprint]) - bits_of([changed])).sum()))
    signs = bits_of(prints) * 2 - 1
    distances = (signs.shape[1] - signs @ signs.T) / 2
    pairs = distances[np.triu_indices(len(prints), 1)]
    print(
        f"{len(prints)} photos, {len(pairs):,} pairs; within "
        + ", ".join(f"{n} bits: {(pairs <= n).sum()}" for n in BITS)
    )
    for name, found in apart.items():
        shares = ", ".join(f"{n} bits: {np.mean(np.array(found) <= n):.0%}" for n in BITS[1:4])
        print(f"{name} ({len(found)} photos): {shares}")
    strings = np.random.default_rng(0).integers(0, 256, (MANY, 16), dtype=np.uint8)
    for most in BITS[1:4]:
        started = time.process_time()
        index = NearStrings(strings, most)
        for row in range(MANY):
            index.near(row)
        print(f"{MANY} fingerprints, {most} bits: {time.process_time() - started:.1f} s of one core")


if __name__ == "__main__":
    main()
