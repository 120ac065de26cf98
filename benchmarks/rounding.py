"""What it does to see in 8 bits, convolution by convolution: how far the features move, and the time that it saves.

    python benchmarks/rounding.py PHOTOS… [--fit 320] [--judge 32]

Each convolution of the shipped encoder's blocks is rounded by itself, all others in 32 bits: its weights are fitted on
views of the first photos below PHOTOS, as `photoindex evaluate eight-bits --learn` does it, and what the last features
of the next photos change by is printed, squared, as a share of their squares: of rounding what it is given alone, and
with its weights. Behind it is the time that it takes in 32 and in 8 bits, by OpenVINO's counters, with one thread. The
choice of what stays in 32 bits rests on it (photoindex/training/weight_rounding.py). It takes some four minutes.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from side_by_side import machine, photos_below
from torch import Tensor, nn

from photoindex.captioner import model_folder, openvino
from photoindex.captioner.checkpoint import load_checkpoint
from photoindex.captioner.eight_bits import (
    EightBitEncoder,
    before_block,
    run_block,
    test_picture,
    weights_of,
)
from photoindex.captioner.encoders import EfficientNetLite2, InvertedResidual
from photoindex.config import Settings
from photoindex.training import eight_bits, weight_rounding
from photoindex.training.weight_rounding import _as_it_is

BATCH = 8
ROUNDS = 30


Convolve = Callable[[str, nn.Conv2d, Tensor], Tensor]


@torch.no_grad()
def harm(teacher: EfficientNetLite2, samples: Sequence[Tensor], judged: Sequence[Tensor]) -> dict[str, list[float]]:
    """The squared change of the features of the ``judged`` images by rounding what each convolution is given, and by
    rounding its weights as well."""
    ranges = weight_rounding._ranges(teacher, samples)
    wanted = [teacher(images) for images in judged]
    squares = sum(float(maps.square().sum()) for maps in wanted)

    def change(number: int, encoder: EfficientNetLite2, convolve: Convolve) -> float:
        """By what that block of ``encoder`` gives, convolved so, behind the teacher's blocks and before them."""
        off = 0.0
        for x, maps in zip(shown, wanted, strict=True):
            x = run_block(encoder, number, x, convolve)
            for later in range(number + 1, len(teacher.blocks)):
                x = run_block(teacher, later, x, _as_it_is)
            off += float((F.relu6(teacher.head(x)) - maps).square().sum())
        return off / squares

    found = {}
    fitted, shown = ([before_block(teacher, 0, x, _as_it_is) for x in each] for each in (samples, judged))
    for number, block in enumerate(teacher.blocks):
        assert isinstance(block, InvertedResidual)
        for kind, _ in block.convolutions():
            name = f"{number}.{kind}"
            student = weight_rounding.rounded_copy(teacher, {name: ranges[name]})
            by_inputs = change(number, teacher, _with_inputs_rounded(student, name))
            weight_rounding._fit_in_block(student, teacher, number, kind, fitted, fitted)
            found[name] = [by_inputs, change(number, student.encoder, student.convolve)]
        fitted, shown = ([run_block(teacher, number, x, _as_it_is) for x in each] for each in (fitted, shown))
    return found


def _with_inputs_rounded(student: EightBitEncoder, rounded: str) -> Convolve:
    step, middle = (student.grid(rounded, kind).view(-1, 1, 1) for kind in ("given_step", "given_middle"))

    def convolve(name: str, module: nn.Conv2d, x: Tensor) -> Tensor:
        return _as_it_is(name, module, student.given(name, x) * step + middle if name == rounded else x)

    return convolve


def times(teacher: EfficientNetLite2, samples: Sequence[Tensor]) -> list[dict[str, float]]:
    """Milliseconds of each convolution, with the rounding of what it is given, in 32 and in 8 bits."""
    library = openvino._import()
    assert library is not None, "OpenVINO is not installed"
    student = weight_rounding.rounded_copy(teacher, weight_rounding._ranges(teacher, samples))
    eight = openvino._EightBitGraph(library, weights_of(student, ""))
    return [_times_of(graph, teacher, library) for graph in (openvino._Graph(library), eight)]


def _times_of(graph: openvino._Graph, teacher: EfficientNetLite2, library: Any) -> dict[str, float]:
    convolution, strips = graph._convolution, iter(range(10**6))

    def named(x: Any, module: nn.Conv2d, *rest: Any) -> Any:
        found = convolution(x, module, *rest)
        node = found
        while not node.get_type_name().endswith("Convolution"):
            node = node.input_value(0).get_node()
        node.set_friendly_name(f"{graph._names[module]}:{next(strips)}")
        before = node.input_value(0).get_node()
        if before.get_type_name() == "FakeQuantize":
            before.set_friendly_name(f"{graph._names[module]}:{next(strips)}")
        return found

    graph._convolution = named  # type: ignore[method-assign, assignment]
    options = {
        "PERF_COUNT": True, "INFERENCE_PRECISION_HINT": "f32", "SNIPPETS_MODE": "DISABLE",
        "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": 1,
    }  # fmt: skip
    request = library.Core().compile_model(graph.of(teacher), "CPU", options).create_infer_request()
    picture, taken = test_picture(teacher.preprocessing.size)[None], []
    for _ in range(ROUNDS + 5):
        request.infer([picture])
        sums: dict[str, float] = {}
        for node in request.profiling_info:
            name = node.node_name.split(":")[0]
            sums[name] = sums.get(name, 0.0) + node.real_time.total_seconds() * 1e3
        taken.append(sums)
    return {name: statistics.median(each[name] for each in taken[5:]) for name in taken[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--fit", type=int, default=320)
    parser.add_argument("--judge", type=int, default=32)
    options = parser.parse_args()
    paths = photos_below(options.photos, options.fit + options.judge)
    torch.manual_seed(1)
    checkpoint = load_checkpoint(model_folder("default"))
    pixels = eight_bits.decoded(paths, Settings(data_dir=Path()), lambda *_: None)
    teacher, _, views = eight_bits._parts(checkpoint, pixels[: options.fit], torch.device("cpu"))
    samples = [views(BATCH) for _ in range(options.fit // BATCH)]
    judged = [
        teacher.preprocessing.normalise(eight_bits._of_size(each.float(), teacher.preprocessing.size))
        for each in pixels[options.fit :].split(BATCH)
    ]
    full, eight = times(teacher, samples[:2])
    moved = harm(teacher, samples, judged)
    print(f"{options.judge} photos; rounded each by itself, squared, in 0.01 %; ms with one thread\n")
    print(f"{'':<16}{'inputs':>8}{'all':>8}{'32 bits':>10}{'8 bits':>8}")
    for name, (by_inputs, by_all) in moved.items():
        print(f"{name:<16}{by_inputs * 1e4:>8.3f}{by_all * 1e4:>8.3f}{full[name]:>10.3f}{eight[name]:>8.3f}")
    total = [1e4 * sum(each[column] for each in moved.values()) for column in (0, 1)]
    print(f"{'together':<16}{total[0]:>8.3f}{total[1]:>8.3f}{sum(full.values()):>10.3f}{sum(eight.values()):>8.3f}")
    print(f"\n{machine('torch', 'openvino')}")


if __name__ == "__main__":
    main()
