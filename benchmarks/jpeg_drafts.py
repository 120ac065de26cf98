"""JPEGs decoded small by a GPU (the setting decode_on_gpu), beside the processes that decode all photos.

    python benchmarks/jpeg_drafts.py PHOTOS… [--device cuda] [--count 256] [--workers 0] [--rounds 3]

Every so many of the photos below PHOTOS are enlarged to 12 megapixels, JPEGs as cameras make them. They are decoded for
the shipped model by the processes alone and by them beside the device, in turns, and by the device alone; shown are
photos a second, median and range. Then both ways' pixels are captioned, and compared. With --device cpu, by the same
code through libjpeg, the comparison shows what averaging whole pictures changes; the rates mean nothing then.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from PIL import Image
from side_by_side import machine, photos_below, spread

from photoindex.captioner import load_captioner
from photoindex.captioner.jpeg_drafts import DraftProcess
from photoindex.config import load_settings
from photoindex.errors import PhotoError
from photoindex.media.decode import Decoder, decode_with_thumbnails, drafts
from photoindex.media.decode.draft_thread import AT_ONCE
from photoindex.media.decode.drafts import draft_scale
from photoindex.media.decode.plain_jpeg import read_plain
from photoindex.types import DecodedPhoto

LONGER_SIDE = 4000


def enlarge(photos: Sequence[Path], folder: Path) -> list[Path]:
    """Write JPEGs with noise as a sensor has, the longer side that of a camera."""
    written = []
    noise = np.random.default_rng(1).normal(0, 4, (LONGER_SIDE, LONGER_SIDE, 3)).astype(np.int16)
    for number, photo in enumerate(photos):
        with Image.open(photo) as image:
            scale = LONGER_SIDE / max(image.size)
            squashed = 0.75 if image.width == image.height else 1
            size = round(image.width * scale), round(image.height * scale * squashed)
            pixels = np.asarray(image.convert("RGB").resize(size, Image.Resampling.BICUBIC), np.int16)
        path = folder / f"IMG_{number:04}.jpg"
        noisy = pixels + noise[: size[1], : size[0]]
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path, quality=90)
        written.append(path)
    return written


def decode(decoder: Decoder, paths: Sequence[Path]) -> dict[Path, DecodedPhoto | PhotoError]:
    return dict(decoder.decode(paths))


def draft(process: DraftProcess, paths: Sequence[Path], size: int) -> int:
    """Has the device decode all of them, as many at once as it is asked for; returns how many it did."""
    made = 0
    for start in range(0, len(paths), AT_ONCE):
        read = [found for path in paths[start : start + AT_ONCE] if (found := read_plain(path)) is not None]
        scales = [draft_scale(each, size) for _, each in read]
        made += sum(each is not None for each in process.make([content for content, _ in read], scales))
    return made


def drafted_by(process: DraftProcess, paths: Sequence[Path], size: int) -> dict[Path, DecodedPhoto | PhotoError]:
    """What a worker makes of each photo whose draft it is given."""
    found: dict[Path, DecodedPhoto | PhotoError] = {}
    for path in paths:
        if (read := read_plain(path)) is not None:
            drafts.lend(process.make([read[0]], [draft_scale(read[1], size)])[0])
        found[path] = decode_with_thumbnails(path, size, 10**9)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--workers", type=int, default=0, help="processes that decode; 0: as beside a GPU")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    paths = photos_below(options.photos, options.count)
    with tempfile.TemporaryDirectory() as name:
        settings = load_settings(data_dir=Path(name), device=options.device, engine="float")
        photos = enlarge(paths, Path(name))
        with closing(load_captioner(settings)) as captioner, closing(DraftProcess(options.device)) as process:
            size = captioner.info.input_size
            workers = options.workers or settings.decoders_beside_gpu
            usual = Decoder(size, workers, 60.0, 10**9, decode_with_thumbnails)
            beside = Decoder(size, workers, 60.0, 10**9, decode_with_thumbnails, drafts=DraftProcess(options.device))
            found: dict[str, dict[Path, DecodedPhoto | PhotoError]] = {}
            times: dict[str, list[float]] = {}
            ways: dict[str, Callable[[], object]] = {
                f"{workers} processes": lambda: found.update(usual=decode(usual, photos)),
                f"{workers} processes beside {options.device}": lambda: decode(beside, photos),
                f"{options.device} alone, drafts": lambda: draft(process, photos, size),
            }
            with usual, beside:
                for number in range(options.rounds + 1):
                    for way, run in ways.items():
                        started = time.perf_counter()
                        run()
                        if number:  # the first round starts processes
                            times.setdefault(way, []).append(time.perf_counter() - started)
            found["drafted"] = drafted_by(process, photos, size)
            if process.problem:
                sys.exit(process.problem)
            pairs = [
                (photo.pixels, other.pixels)
                for path, photo in found["usual"].items()
                if isinstance(photo, DecodedPhoto) and isinstance(other := found["drafted"][path], DecodedPhoto)
            ]
            captions = [
                [each.candidates[0].text for each in captioner.caption(pixels)] for pixels in zip(*pairs, strict=True)
            ]
    for way, taken in times.items():
        print(f"{way:<34}{spread([len(photos) / each for each in taken], '.1f')} photos a second")
    differences = [float(np.abs(pixels.astype(int) - other).mean()) for pixels, other in pairs]
    equal = sum(map(str.__eq__, *captions))
    drafted = sum(not np.array_equal(*pair) for pair in pairs)
    print(f"\n{drafted} of {len(pairs)} photos were decoded by {options.device}")
    print(f"pixels differ by {np.mean(differences):.2f} grey levels on average, {max(differences):.2f} at most")
    print(f"{equal} captions are equal ({equal / len(pairs):.1%})")
    print(f"\n{machine('torch', 'torchvision')}")


if __name__ == "__main__":
    main()
