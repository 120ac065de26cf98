"""Captioning a folder of photos as cameras make them, from files to a library that can be searched.

    python benchmarks/throughput.py [--photos 96] [--rounds 3] [--mixed]

Makes photos of 12 megapixels by enlarging those that scikit-image carries, with noise as a sensor has, or with --mixed
of 1 to 24 megapixels. Each way takes them all, in turns, so that a machine that slows down slows all:

- the classic tutorial's: torchvision's ResNet-152 as written, one photo at a time, decoded whole by Pillow, one mean
  vector, a greedy LSTM; nothing is stored;
- as CLIP tools do: open_clip's ViT-B/32 image tower (of random weights; it takes no less time for that), one photo at a
  time, decoded whole by Pillow; left out where open_clip is not installed;
- photoindex index, with everything it stores; what its parts take by themselves; and what is left, hashing, storing and
  the index of words: the time of the process that indexes, with captions that are given at once.

Models are loaded and warm before the clock starts. Slow ways get fewer photos. Shown are photos a second, median and
range of the rounds, and processor time a photo; and how busy the cores are meanwhile.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
import torch
from PIL import Image

import photoindex
from photoindex.captioner import Captioner, load_captioner, model_folder
from photoindex.captioner.beam import SearchSettings, search
from photoindex.captioner.checkpoint import load_checkpoint
from photoindex.captioner.encoders import build_encoder
from photoindex.captioner.network import DecoderConfig, PhotoFeatures, build_decoder, regions_of
from photoindex.captioner.runtime import Runtime
from photoindex.config import load_settings
from photoindex.library import Library
from photoindex.library.benchmark import Repeater
from photoindex.media.decode import Decoder

Way = Callable[[Sequence[Path]], object]
NAMES = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png")
CAPTION_WORDS = 11
LEFT = "  all else"
MIXED = (1, 2, 8, 12, 12, 12, 16, 24)  # megapixels


def make_photos(folder: Path, count: int, mixed: bool) -> list[Path]:
    """Different parts of a few photos, enlarged. No two have the same bytes."""
    source = Path(skimage.data.__file__).parent
    whole = [Image.open(source / name).convert("RGB") for name in NAMES if (source / name).exists()]
    paths = []
    for number in range(count):
        photo = whole[number % len(whole)]
        megapixels = MIXED[number % len(MIXED)] if mixed else 12
        size = (round(2000 * (megapixels / 3) ** 0.5), round(1500 * (megapixels / 3) ** 0.5))
        edge = number // len(whole) % 16 * 0.01
        box = (photo.width * edge, photo.height * edge, photo.width, photo.height)
        pixels = np.asarray(photo.resize(size, Image.Resampling.BICUBIC, box=box), np.int16)
        noise = np.random.default_rng(number).normal(0, 4, pixels.shape).astype(np.int16)
        path = folder / f"IMG_{number:04}.jpg"
        Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8)).save(path, quality=88)
        paths.append(path)
    return paths


def tutorial() -> Way:
    from torchvision import transforms

    encoder = build_encoder("resnet152").eval()
    decoder = build_decoder(DecoderConfig("pooled", 3400, encoder.feature_dim)).eval()
    settings = SearchSettings(beam_width=1, max_words=CAPTION_WORDS, no_repeat=0, say_once=False)
    mean, std = encoder.preprocessing.mean, encoder.preprocessing.std
    prepare = transforms.Compose([transforms.ToTensor(), transforms.Normalize(mean, std)])

    def run(paths: Sequence[Path]) -> None:
        for path in paths:
            image = Image.open(path).convert("RGB").resize((224, 224), Image.Resampling.LANCZOS)
            with torch.inference_mode():
                regions = regions_of(encoder(prepare(image).unsqueeze(0)), 7)
                search(decoder, PhotoFeatures(regions, regions.new_zeros(1, 0)), settings)

    return run


def clip_tower() -> Way | None:
    try:
        import open_clip
    except ImportError:
        return None
    model, _, prepare = open_clip.create_model_and_transforms("ViT-B-32", pretrained=None)
    model.eval()

    def run(paths: Sequence[Path]) -> None:
        for path in paths:
            with torch.inference_mode():
                model.encode_image(prepare(Image.open(path)).unsqueeze(0), normalize=True)

    return run


def given_captions(captioner: Captioner) -> Repeater:
    """Says of all photos what a model says of a few pictures, at once."""
    size = captioner.info.input_size
    pictures = np.random.default_rng(1).integers(0, 256, (16, size, size, 3), np.uint8)
    return Repeater(captioner, captioner.caption(list(pictures)))


class Indexing:
    """``photoindex index`` of a folder into an empty library, with a model that stays loaded.

    The libraries stay until the end: files are slower to make just after many others went.
    """

    def __init__(self, folder: Path, captioner: Captioner) -> None:
        self._folder, self._runs, self._captioner = folder, 0, captioner

    def __call__(self, paths: Sequence[Path]) -> None:
        self._runs += 1
        settings = load_settings(data_dir=self._folder / f"library-{id(self)}-{self._runs}")
        with Library(settings, lambda _: self._captioner) as library:
            report = library.index(paths[0].parent)
        assert report.captioned == len(paths), report


def parts(workers: int) -> dict[str, Way]:
    """What indexing spends its time on, each by itself."""
    checkpoint = load_checkpoint(model_folder("default"))
    runtime = Runtime(checkpoint, torch.device("cpu"))
    size = checkpoint.encoder.preprocessing.size
    decoder = Decoder(size, workers=workers, seconds=60, max_pixels=10**9)
    seen: dict[int, Any] = {}

    def pixels(count: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        return np.random.default_rng(1).integers(0, 256, (count, size, size, 3), np.uint8)

    def decode(paths: Sequence[Path]) -> None:
        for _, answer in decoder.decode(paths):
            assert not isinstance(answer, Exception), answer

    def see(paths: Sequence[Path]) -> None:
        with torch.inference_mode():
            seen[len(paths)] = runtime.encode(pixels(len(paths)))

    def say(paths: Sequence[Path]) -> None:
        with torch.inference_mode():
            maps = seen[len(paths)]
            for start in range(0, len(maps), runtime.batch_size):
                batch = maps[start : start + runtime.batch_size]
                runtime.generate(*runtime.features_of(batch), checkpoint.search)

    return {"  decoding": decode, f"  encoder ({runtime.engine})": see, "  beam search": say}


@contextmanager
def measured(times: list[tuple[float, float]], photos: int, whose: Sequence[int]) -> Iterator[None]:
    """Adds (seconds, processor seconds) a photo, of this process and, if asked, of children that have ended."""
    wall, own = time.perf_counter(), processor(whose)
    yield
    times.append(((time.perf_counter() - wall) / photos, (processor(whose) - own) / photos))


def processor(whose: Sequence[int]) -> float:
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, whose))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mixed", action="store_true", help="photos of 1 to 24 megapixels instead of 12")
    options = parser.parse_args()
    os.environ.setdefault("PHOTOINDEX_READ_TEXT", "never")  # what that costs is measured by text_in_photos.py
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "photos").mkdir()
        photos = make_photos(folder / "photos", options.photos, options.mixed)
        few = photos[: max(4, options.photos // 8)]
        captioner = load_captioner(load_settings(data_dir=folder))
        rows: list[tuple[str, Way | None, Sequence[Path]]] = [
            ("ResNet-152, the tutorial's way", tutorial(), few),
            ("CLIP ViT-B/32 tower, Pillow", clip_tower(), few),
            ("photoindex index", Indexing(folder, captioner), photos),
            *((name, way, photos) for name, way in parts(load_settings(data_dir=folder).decoders).items()),
            (LEFT, Indexing(folder, given_captions(captioner)), photos),
        ]
        times: dict[str, list[tuple[float, float]]] = {}
        for number in range(options.rounds + 1):
            for name, way, given in rows:
                if way is None:
                    continue
                whose = (resource.RUSAGE_SELF, *([] if name == LEFT else [resource.RUSAGE_CHILDREN]))
                with measured(times.setdefault(name, []), len(given), whose):
                    way(given)
                if number == 0:  # the first round is for warming up
                    times[name].clear()
        megabytes = sum(path.stat().st_size for path in photos) / len(photos) / 1e6
    first = statistics.median(seconds for seconds, _ in next(iter(times.values())))
    print(f"{'':34}{'photos/s':>9}{'range':>15}{'CPU ms':>8}{'x tutorial':>12}")
    for name, found in times.items():
        rates = sorted(1 / seconds for seconds, _ in found)
        middle = statistics.median(seconds for seconds, _ in found)
        span = f"{rates[0]:.1f} to {rates[-1]:.1f}"
        cpu = 1e3 * statistics.median(seconds for _, seconds in found)
        # Workers that decode go on living: their time is not in this process's account.
        shown = "" if "decoding" in name else f"{cpu:.0f}"
        print(f"{name:34}{1 / middle:9.1f}{span:>15}{shown:>8}{first / middle:12.1f}")
    busy = statistics.median(cpu / seconds for seconds, cpu in times["photoindex index"]) / (os.cpu_count() or 1)
    print(f"\nphotoindex index keeps the cores {busy:.0%} busy")
    sizes = "1 to 24" if options.mixed else "12"
    print(
        f"\n{options.photos} JPEGs of {megabytes:.1f} MB on average ({sizes} megapixels), "
        f"{options.rounds} rounds; {platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"torch {torch.__version__}, photoindex {photoindex.__version__}"
    )


if __name__ == "__main__":
    main()
