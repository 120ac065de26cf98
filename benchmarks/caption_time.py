"""How long captioning takes on this CPU, from pixels to captions: the shipped model beside the ways it came from.

python benchmarks/caption_time.py [--photos 64] [--rounds 3]

Reading and storing are left out. The rows take turns, so that a machine that slows down slows all; the median of
the rounds is shown, and the slowest. A decoder without training stands in for the classic one: it says as many words as
the shipped model does on average, and how fast it says them does not depend on which they are.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
import skimage.data
import torch
from numpy.typing import NDArray
from PIL import Image

from photoindex.captioner import model_folder
from photoindex.captioner.beam import SearchSettings, search
from photoindex.captioner.checkpoint import Checkpoint, load_checkpoint
from photoindex.captioner.encoders import build_encoder
from photoindex.captioner.network import DecoderConfig, PhotoFeatures, build_decoder, regions_of
from photoindex.captioner.neural import NeuralCaptioner

CPU = torch.device("cpu")
Photos = Sequence[NDArray[np.uint8]]
NAMES = ("astronaut", "chelsea", "coffee", "rocket", "cat", "immunohistochemistry", "retina", "hubble_deep_field")


def crops(count: int, size: int) -> list[NDArray[np.uint8]]:
    """``count`` different parts of photos that scikit-image carries, uint8 (size, size, 3)."""
    whole = [Image.fromarray(getattr(skimage.data, name)()) for name in NAMES if _is_here(name)]
    found = []
    for number in range(count):
        photo = whole[number % len(whole)]
        edge = number // len(whole) % 8 * 0.03
        width, height = photo.size
        part = (int(width * edge), int(height * edge), width, height)
        found.append(np.array(photo.convert("RGB").resize((size, size), Image.Resampling.BICUBIC, box=part)))
    return found


def _is_here(name: str) -> bool:
    """Some photos are downloaded when they are first used: those are left out."""
    return any(os.path.exists(os.path.join(skimage.data.__path__[0], name + ending)) for ending in (".png", ".jpg"))


def classic(encoder_name: str, words: int) -> Callable[[Photos], object]:
    """The tutorial's way: the network as released, one photo at a time, one mean vector, a greedy LSTM."""
    encoder = build_encoder(encoder_name).eval()
    decoder = build_decoder(DecoderConfig("pooled", 3400, encoder.feature_dim)).eval()
    settings = SearchSettings(beam_width=1, max_words=words, no_repeat=0, say_once=False)

    def run(photos: Photos) -> None:
        for photo in photos:
            with torch.inference_mode():
                images = encoder.preprocessing.normalise(torch.from_numpy(photo).permute(2, 0, 1).unsqueeze(0))
                regions = regions_of(encoder(images), 9)
                search(decoder, PhotoFeatures(regions, regions.new_zeros(1, 0)), settings)

    return run


def plain_recipe(shipped: Checkpoint, words: int) -> Callable[[Photos], object]:
    """The shipped model's encoder, run as well as the shipped one is, and the tutorial's decoder."""
    config = DecoderConfig("pooled", len(shipped.vocabulary), shipped.encoder.feature_dim)
    settings = SearchSettings(beam_width=1, max_words=words, no_repeat=0, say_once=False)
    model = dataclasses.replace(
        load_checkpoint(model_folder("default")), decoder=build_decoder(config).eval(), term_head=None, terms=(),
        search=settings,
    )  # fmt: skip
    captioner = NeuralCaptioner(model, CPU, beam_width=1)
    return lambda photos: captioner.caption(photos)


def shipped_model(beam_width: int) -> Callable[[Photos], object]:
    captioner = NeuralCaptioner(load_checkpoint(model_folder("default")), CPU, beam_width)
    return lambda photos: captioner.caption(photos)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    shipped = load_checkpoint(model_folder("default"))
    photos = crops(options.photos, shipped.encoder.preprocessing.size)
    small = [np.array(Image.fromarray(photo).resize((224, 224))) for photo in photos]
    said = NeuralCaptioner(load_checkpoint(model_folder("default")), CPU, 1).caption(photos)
    words = round(statistics.mean(len(found.candidates[0].text.split()) for found in said))
    rows: list[tuple[str, Callable[[Photos], object], Photos]] = [
        ("ResNet-152, classic", classic("resnet152", words), small[: max(1, len(small) // 8)]),
        (f"{shipped.encoder_name}, classic", classic(shipped.encoder_name, words), photos),
        (f"{shipped.encoder_name}, plain recipe", plain_recipe(shipped, words), photos),
        *((f"{shipped.name}, beam {width}", shipped_model(width), photos) for width in (1, 3, 5)),
    ]
    times: dict[str, list[float]] = {}
    for number in range(options.rounds + 1):
        for name, run, given in rows:
            started = time.perf_counter()
            run(given)
            if number:  # the first round is for warming up
                times.setdefault(name, []).append((time.perf_counter() - started) / len(given))
    plain = statistics.median(times[rows[2][0]])
    print(f"{'':32}{'photos/s':>10}{'ms a photo':>12}{'slowest':>10}{'x plain recipe':>16}")
    for name, found in times.items():
        middle = statistics.median(found)
        print(f"{name:32}{1 / middle:10.1f}{1e3 * middle:12.1f}{1e3 * max(found):10.1f}{middle / plain:16.2f}")
    print(
        f"\n{len(photos)} photos, {words} words a caption, {options.rounds} rounds; {platform.platform()}, "
        f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, torch {torch.__version__}"
    )


if __name__ == "__main__":
    main()
