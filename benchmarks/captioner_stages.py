"""What captioning takes by itself, from pixels to predictions, on a device; and whether it says what the CPU says.

    python benchmarks/captioner_stages.py [--device cuda] [--photos FOLDER] [--count 1024] [--rounds 5] [--compare 1000]
        [--engine graphs]

Photos are read before the clock starts: those of FOLDER, repeated where there are fewer than --count, or parts of the
photos that scikit-image carries. Shown are photos a second, median and range of the rounds, of

- the encoder: pixels in the computer's memory to feature maps;
- beam search: feature maps to captions, with learned terms for evidence;
- both, and NeuralCaptioner.caption, which is what the program calls: captions, labels and terms as Python has them;

and the most memory of a GPU that it took. --compare N captions the first N photos on the CPU as well, by PyTorch in
32 bits, and counts the equal captions.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import skimage.data
import torch
from numpy.typing import NDArray
from side_by_side import PHOTO_SUFFIXES, machine
from throughput import NAMES

from photoindex.captioner import model_folder
from photoindex.captioner.checkpoint import load_checkpoint
from photoindex.captioner.device import choose_device
from photoindex.captioner.neural import NeuralCaptioner
from photoindex.captioner.runtime import Runtime
from photoindex.config import ENGINES
from photoindex.media.decode import decode_photo


def read(folder: Path | None, size: int, count: int) -> tuple[list[NDArray[np.uint8]], int]:
    """``count`` photos, and how many different ones they are."""
    if folder is None:
        source = Path(skimage.data.__file__).parent
        paths = [source / name for name in NAMES if (source / name).exists()]
    else:
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES)
    different = [decode_photo(path, size, 10**9).pixels for path in paths[:count]]
    if folder is None:  # each moved a little: no two are alike
        moved = (np.roll(photo, 7 * n, axis=n % 2) for n, photo in enumerate(cycle(different)))
        return [np.ascontiguousarray(photo) for photo in islice(moved, count)], count
    return list(islice(cycle(different), count)), len(different)


def rates(way: Callable[[], object], device: torch.device, photos: int, rounds: int) -> list[float]:
    """Photos a second of each round, after one that is not counted."""
    found = []
    for number in range(rounds + 1):
        started = time.perf_counter()
        way()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        if number:
            found.append(photos / (time.perf_counter() - started))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--engine", choices=ENGINES, default="auto")
    parser.add_argument("--photos", type=Path, metavar="FOLDER")
    parser.add_argument("--count", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=0)
    parser.add_argument("--compare", type=int, default=0, metavar="N")
    options = parser.parse_args()
    device = choose_device(options.device)
    folder = model_folder("default")
    checkpoint = load_checkpoint(folder)
    runtime = Runtime(checkpoint, device, engine=options.engine)
    batch = options.batch_size or runtime.batch_size
    photos, different = read(options.photos, checkpoint.encoder.preprocessing.size, options.count)
    captioner = NeuralCaptioner.load(folder, device=options.device, batch_size=batch, engine=options.engine)
    batches = [np.stack(photos[start : start + batch]) for start in range(0, len(photos), batch)]

    @torch.inference_mode()
    def see() -> list[torch.Tensor]:
        return [runtime.encode(some) for some in batches]

    @torch.inference_mode()
    def say(maps: Sequence[torch.Tensor]) -> None:
        for some in maps:
            runtime.generate(*runtime.features_of(some), checkpoint.search)

    maps = see()
    rows = {
        "encoder": see,
        "beam search": lambda: say(maps),
        "encoder and beam search": lambda: say(see()),
        "NeuralCaptioner.caption": lambda: captioner.caption(photos),
    }
    print(f"{'':26}{'photos/s':>10}{'range':>18}")
    for name, way in rows.items():
        found = rates(way, device, len(photos), options.rounds)
        print(f"{name:26}{statistics.median(found):10.0f}{f'{min(found):.0f} to {max(found):.0f}':>18}", flush=True)
    if device.type == "cuda":
        print(f"GPU memory at most: {torch.cuda.max_memory_allocated(device) / 1e9:.1f} GB")
    if options.compare:
        compared = photos[: options.compare]
        reference = NeuralCaptioner.load(folder, device="cpu", engine="torch")
        pairs = list(zip(captioner.caption(compared), reference.caption(compared), strict=True))
        equal = sum(ours.caption == theirs.caption for ours, theirs in pairs)
        print(f"captions equal to the CPU's: {equal} of {len(pairs)}")
    print(
        f"\n{len(photos)} photos, {different} different ones, batches of {batch}, {options.rounds} rounds; "
        f"{captioner.info.device}; {machine('torch', 'photoindex')}"
    )


if __name__ == "__main__":
    main()
