"""How fast this machine is: rates of the parts of a photo's way and of the whole, on the user's photos or made ones.

Everything is written to a temporary data folder; photos are only read.
"""

from __future__ import annotations

import dataclasses
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from photoindex import captioner as captioning
from photoindex.captioner import Captioner
from photoindex.captioner.jpeg_drafts import drafts_of
from photoindex.config import Settings
from photoindex.errors import FolderError, PhotoError
from photoindex.folders import PhotoFilter, scan
from photoindex.library import Library
from photoindex.media.decode import Decoder
from photoindex.system.paths import absolute, check_exists
from photoindex.types import Prediction

MADE_SIZE = (4000, 3000)  # pixels: what cameras and telephones make
MADE_DIFFERENT = 8  # made photos that differ; decoding does not mind being asked the same again
STORED = 256  # photos that only go through the catalogue and the index


@dataclass(frozen=True, slots=True)
class CaptionRate:
    """Rates in photos a second: the encoder and the captions alone, and the whole way from file to index."""

    beam_width: int
    caption: float
    whole: float


@dataclass(frozen=True, slots=True)
class Rates:
    """Photos a second. ``photos`` were measured, ``failed`` of them could not be decoded; ``found`` is how many
    photos the paths hold, ``None`` when the photos were made."""

    photos: int
    failed: int
    found: int | None
    megapixels: float  # mean of the photos
    device: str
    model: str
    load_seconds: float
    decode: float
    store: float  # the queue, the catalogue and the full-text index
    captions: tuple[CaptionRate, ...]  # by beam width

    def seconds_for(self, photos: int) -> float:
        """Return how many seconds this many photos take, by the whole rate of the first beam width."""
        return photos / self.captions[0].whole


def measure(
    paths: Sequence[Path],
    settings: Settings,
    *,
    count: int,
    beam_widths: Sequence[int] = (),
    load: Callable[[Settings], Captioner] = captioning.load_captioner,
    say: Callable[[str], None] = lambda _: None,
) -> Rates:
    """Measure on at most ``count`` photos of ``paths``, chosen by chance but the same each time; made ones if none.

    ``beam_widths``: those of the settings if none. Raises :class:`FolderError` when there is no photo at ``paths``, or
    none that can be decoded, and :class:`photoindex.errors.ModelError`.
    """
    if load is captioning.load_captioner:
        captioning.check_is_model(settings.model)  # before photos are made
    with tempfile.TemporaryDirectory(prefix="photoindex-benchmark-") as name:
        folder = Path(name).resolve()
        chosen, found = _choose(paths, settings, count, folder, say)
        widths = list(beam_widths) or [settings.beam_width]
        captions: list[CaptionRate] = []
        load_seconds = decode_rate = store_rate = megapixels = 0.0
        failed = 0
        for width in widths:
            one = dataclasses.replace(settings, beam_width=width, data_dir=folder / f"data-{width}", settle_seconds=0.0)
            started = time.perf_counter()
            captioner = load(one)
            load_seconds = load_seconds or time.perf_counter() - started
            try:
                if width == widths[0]:
                    say("decoding")
                    decode_rate, pixels, failed, megapixels = _decode(chosen, captioner, one)
                    device, model = captioner.info.device, captioner.info.name
                say(f"captioning, beam width {width}")
                caption_rate, predictions = _caption(captioner, pixels)
                with Library(one, lambda _, own=captioner: own) as library:  # type: ignore[misc]
                    started = time.perf_counter()
                    report = library.index(*chosen)
                    whole = report.captioned / (time.perf_counter() - started)
                captions.append(CaptionRate(width, caption_rate, whole))
                if not store_rate:
                    say("storing")
                    store_rate = _store(folder, captioner, predictions, one)
            finally:
                captioner.close()
    return Rates(
        photos=len(chosen),
        failed=failed,
        found=found,
        megapixels=megapixels,
        device=device,
        model=model,
        load_seconds=load_seconds,
        decode=decode_rate,
        store=store_rate,
        captions=tuple(captions),
    )


def _choose(
    paths: Sequence[Path], settings: Settings, count: int, folder: Path, say: Callable[[str], None]
) -> tuple[list[Path], int | None]:
    """Return the photos to measure on, and how many there were to choose from; ``None`` where they were made."""
    if not paths:
        say(f"making {count} photos of {MADE_SIZE[0]} x {MADE_SIZE[1]} pixels")
        return _make_photos(folder / "made", count), None
    found = _find(paths, settings)
    chosen = sorted(random.Random(1).sample(found, min(count, len(found))))
    say(f"{len(found)} photos; measuring on {len(chosen)} of them")
    return chosen, len(found)


def _find(paths: Sequence[Path], settings: Settings) -> list[Path]:
    places = [absolute(path) for path in paths]
    for place in places:
        check_exists(place)
    photo_filter = PhotoFilter(settings.hidden_files, settings.own_folders)
    files = dict.fromkeys(file.path for place in places for file in scan(place, photo_filter))
    if not files:
        raise FolderError(f"no photos in {', '.join(map(str, places))}")
    return list(files)


def _make_photos(folder: Path, count: int) -> list[Path]:
    """Write JPEGs with detail at all sizes, as photos have it: noise of several scales, added up."""
    from PIL import Image

    folder.mkdir()
    generator = np.random.default_rng(1)
    written = []
    contents: list[bytes] = []
    for number in range(count):
        path = folder / f"{number:04}.jpg"
        if number < MADE_DIFFERENT:
            image = Image.new("RGB", MADE_SIZE, "grey")
            for power in (3, 5, 7, 9):
                noise = generator.integers(0, 256, (3 << (power - 2), 1 << power, 3), np.uint8)
                image = Image.blend(image, Image.fromarray(noise).resize(MADE_SIZE, Image.Resampling.BICUBIC), 0.35)
            image.save(path, "JPEG", quality=90)
            contents.append(path.read_bytes())
        else:
            # Behind the end of the picture, where decoders do not look: another content, so that it is captioned.
            path.write_bytes(contents[number % MADE_DIFFERENT] + f"{number}".encode())
        written.append(path)
    return written


def _decode(
    photos: Sequence[Path], captioner: Captioner, settings: Settings
) -> tuple[float, list[NDArray[np.uint8]], int, float]:
    """Return the rate of decoding, the decoded photos, how many failed, and their mean size in megapixels."""
    pixels, sizes, failed = [], [], 0
    info = captioner.info
    drafts = drafts_of(settings, info)
    with Decoder.by_settings(settings, info.input_size, beside_gpu=info.is_on_gpu, drafts=drafts) as decoder:
        list(decoder.decode(photos[:1]))  # starts a worker
        started = time.perf_counter()
        for _, answer in decoder.decode(photos):
            if isinstance(answer, PhotoError):
                failed += 1
            else:
                pixels.append(answer.pixels)
                sizes.append(answer.facts.width * answer.facts.height / 1e6)
        spent = time.perf_counter() - started
    if not pixels:
        raise FolderError(f"none of the {len(photos)} photos can be decoded: photoindex index says why")
    return len(photos) / spent, pixels, failed, sum(sizes) / len(sizes)


def _caption(captioner: Captioner, pixels: Sequence[NDArray[np.uint8]]) -> tuple[float, list[Prediction]]:
    batch = captioner.info.batch_size
    captioner.caption(pixels[:batch])  # the first batch pays for what is set up once
    started = time.perf_counter()
    predictions = []
    for first in range(0, len(pixels), batch):
        predictions += captioner.caption(pixels[first : first + batch])
    return len(pixels) / (time.perf_counter() - started), predictions


class Repeater:
    """A captioner that repeats predictions of other photos, at no cost."""

    def __init__(self, captioner: Captioner, predictions: Sequence[Prediction]) -> None:
        self.info = captioner.info
        self._predictions = cycle(predictions)

    def caption(self, photos: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        return list(islice(self._predictions, len(photos)))

    def close(self) -> None:
        pass


def _store(folder: Path, captioner: Captioner, predictions: Sequence[Prediction], settings: Settings) -> float:
    """Return the rate of the whole pipeline when decoding and captioning take next to no time."""
    small = folder / "small"
    small.mkdir()
    for number in range(STORED):
        (small / f"{number}.ppm").write_bytes(b"P6 1 1 255\n" + number.to_bytes(3, "big"))
    quick = Repeater(captioner, predictions)
    with Library(dataclasses.replace(settings, data_dir=folder / "data-small"), lambda _: quick) as library:
        library.index(small / "0.ppm")  # starts a worker
        started = time.perf_counter()
        library.index(small)
        return (STORED - 1) / (time.perf_counter() - started)
