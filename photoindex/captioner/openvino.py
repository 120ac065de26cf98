"""Networks as OpenVINO compiles them for a CPU: the encoder in well under half of torch's time, the decoder's products.

torch runs a network as written, an operation at a time, each through memory; OpenVINO joins convolution, bias and
ReLU6, lays weights out for the processor at hand and needs no compiler on the user's machine. torch stays the
reference: tests hold that both see the same, and whatever cannot be had here (the library, a processor it knows) leaves
torch.

The graph is built from the module's own weights, operation by operation: OpenVINO's converter would trace the module,
and it brings along a module that reports usage to its makers over the network. Neither is ever imported here.
"""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from photoindex.captioner.eight_bits import EightBitWeights, convolutions, is_right, levels, test_picture
from photoindex.captioner.encoders import EfficientNetLite2, Encoder, InvertedResidual, Preprocessing, same_padding

# Imported by `import openvino` when it is there; it imports openvino_telemetry, which sends as soon as it is imported.
_CONVERTER = "openvino.tools.ovc"
MOST_STREAMS = 4  # each has memory of its own
LARGE = 3_000_000  # bytes that one convolution passes on to the next: more than the caches of a core hold
STRIPS = 4  # of a photo, for what is as large


class CompiledEncoder:
    """Photos in, feature maps out, on the CPU; computed in so many ``bits``.

    Each of its ``streams`` computes photos of its own, in threads of its own: none waits for another after every layer,
    which takes long where something else is at work on the same cores.
    """

    def __init__(self, compiled: Any, openvino: Any, shape: tuple[int, ...], bits: int, streams: int) -> None:
        self.bits = bits
        self._openvino, self._shape = openvino, shape
        self._requests = [compiled.create_infer_request() for _ in range(streams)]

    def __call__(self, photos: NDArray[np.uint8]) -> Tensor:
        """uint8 (N, size, size, 3) -> feature maps (N, C, h, w). Each stream computes one photo at a time: several take
        as long each, and more memory."""
        photos = np.ascontiguousarray(photos)  # OpenVINO keeps the memory of neither alive
        maps = torch.empty(len(photos), *self._shape)
        tensor, answers = self._openvino.Tensor, maps.numpy()
        try:
            for number, request in zip(range(len(photos)), itertools.cycle(self._requests)):
                some = slice(number, number + 1)
                request.wait()
                request.set_input_tensor(tensor(photos[some], shared_memory=True))
                request.set_output_tensor(tensor(answers[some], shared_memory=True))
                request.start_async()
        finally:
            for request in self._requests:
                request.wait()
        return maps


def compile_encoder(
    encoder: Encoder, threads: int = 0, eight_bits: EightBitWeights | None = None
) -> CompiledEncoder | None:
    """A folded encoder (:func:`.encoders.fold_batch_norm`) compiled; None where that cannot be done.

    Its weights are ``eight_bits`` where this processor computes rightly with them. ``threads`` 0 leaves OpenVINO's
    choice. The encoder itself is left as it is.
    """
    if not isinstance(encoder, EfficientNetLite2):
        return None
    openvino = _import()
    if openvino is None:
        return None
    streams = min(threads or torch.get_num_threads(), MOST_STREAMS)
    options: dict[str, Any] = {
        "NUM_STREAMS": streams,
        # Where a processor has matrix units for 16 bits OpenVINO would use them: other features, other captions.
        "INFERENCE_PRECISION_HINT": "f32",
    }
    if eight_bits is not None:
        # What OpenVINO's snippets make of an addition and rounding behind it rounds a little elsewhere, which is no
        # faster here, and would change what a model has said of some photos before.
        options["SNIPPETS_MODE"] = "DISABLE"
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    size = encoder.preprocessing.size
    graph = _Graph(openvino) if eight_bits is None else _EightBitGraph(openvino, eight_bits)
    try:
        compiled = openvino.Core().compile_model(graph.of(encoder), "CPU", options)
        shape = tuple(side.get_length() for side in list(compiled.output(0).partial_shape)[1:])
        found = CompiledEncoder(compiled, openvino, shape, 32 if eight_bits is None else 8, streams)
        if eight_bits is not None and not is_right(eight_bits, found(test_picture(size)[None])):
            del found, compiled
            return compile_encoder(encoder, threads)
        return found
    except RuntimeError:  # all that OpenVINO raises, e.g. for a processor it has no plugin for
        return None


class CompiledProduct:
    """``x @ weight.T + bias`` for rows x, in float32. Threads may ask at the same time.

    torch multiplies by Intel's MKL, which takes more than twice the time on other makers' processors.
    """

    def __init__(self, compiled: Any, openvino: Any, width: int) -> None:
        self._compiled, self._openvino, self._width = compiled, openvino, width
        self._of_thread = threading.local()

    def __call__(self, rows: Tensor) -> Tensor:
        """(N, K) -> (N, O)."""
        request = getattr(self._of_thread, "request", None)
        if request is None:
            request = self._of_thread.request = self._compiled.create_infer_request()
        answer = torch.empty(len(rows), self._width)
        rows = rows.contiguous()  # OpenVINO keeps the memory of neither alive
        request.set_input_tensor(self._openvino.Tensor(rows.numpy(), shared_memory=True))
        request.set_output_tensor(self._openvino.Tensor(answer.numpy(), shared_memory=True))
        request.infer()
        return answer


def compile_products(
    weights: Sequence[tuple[Tensor, Tensor | None]], threads: int, streams: int
) -> list[CompiledProduct] | None:
    """Products with each weight (O, K) and bias (O,) compiled; None where that cannot be done.

    As many threads as ``streams`` may ask at once; all together they get ``threads`` cores.
    """
    openvino = _import()
    if openvino is None:
        return None
    options = {
        "NUM_STREAMS": streams,
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    products = []
    try:
        core = openvino.Core()
        for weight, bias in weights:
            ops = openvino.opset13
            rows = ops.parameter([-1, weight.shape[1]], np.float32)
            answer = ops.matmul(rows, ops.constant(weight.detach().numpy(), shared_memory=True), False, True)
            if bias is not None:
                answer = ops.add(answer, bias.detach().numpy().reshape(1, -1))
            compiled = core.compile_model(openvino.Model([answer], [rows], "product"), "CPU", options)
            products.append(CompiledProduct(compiled, openvino, len(weight)))
    except RuntimeError:
        return None
    return products


def _import() -> Any | None:
    """OpenVINO, without its converter; None where it is not installed."""
    try:
        with _without_converter():
            import openvino
            import openvino.opset13
    except ImportError:
        return None
    return openvino


@contextmanager
def _without_converter() -> Iterator[None]:
    """Have the import of OpenVINO's converter fail, which OpenVINO takes for its not being installed."""
    if _CONVERTER in sys.modules:
        yield
        return
    sys.modules[_CONVERTER] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[_CONVERTER]


class _Graph:
    """Our modules as OpenVINO's operations, for one photo."""

    def __init__(self, openvino: Any) -> None:
        self._openvino, self._operations = openvino, openvino.opset13
        self._names: dict[nn.Conv2d, str] = {}

    def of(self, encoder: EfficientNetLite2) -> Any:
        ops, size = self._operations, encoder.preprocessing.size
        self._names = {encoder.stem: "stem"} | {module: name for name, module in convolutions(encoder)}
        photos = ops.parameter([1, size, size, 3], np.uint8)
        blocks = list(encoder.blocks)
        first = next(number for number, block in enumerate(blocks) if block.shortcut)
        chain = [(encoder.stem, True), *itertools.chain(*map(_modules, blocks[:first]))]
        x = self._in_strips(lambda *rows: self._normalised(photos, rows, encoder.preprocessing), size, chain)
        for block in blocks[first:]:
            x = self._block(x, block)
        return self._openvino.Model([self._convolution(x, encoder.head, True)], [photos], "encoder")

    def _block(self, x: Any, block: nn.Module) -> Any:
        ops, (height, width) = self._operations, list(x.shape)[2:]
        chain, shortcut = list(_modules(block)), x if block.shortcut else None
        if 4 * chain[0][0].out_channels * height * width > LARGE:
            return self._in_strips(lambda *rows: self._rows(x, 2, rows), height, chain, shortcut)
        h = self._convolutions(x, chain, [None] * len(chain))
        return h if shortcut is None else ops.add(shortcut, h)

    def _in_strips(
        self,
        rows_of: Callable[[int, int], Any],
        height: int,
        chain: Sequence[tuple[nn.Conv2d, bool]],
        shortcut: Any = None,
    ) -> Any:
        """What a chain of convolutions gives, a strip of its rows after the other: whole, what they pass on is larger
        than the caches of a processor. ``rows_of`` has rows of what the chain is given, of ``height`` in all."""
        ops, heights = self._operations, [height]
        for module, _ in chain:
            heights.append(-(-heights[-1] // module.stride[0]))
        count = min(STRIPS, heights[-1])
        edges = [heights[-1] * strip // count for strip in range(count + 1)]
        strips = []
        for edge in itertools.pairwise(edges):
            rows, paddings = edge, []
            for (module, _), given in zip(reversed(chain), reversed(heights[:-1]), strict=True):
                first, last, padding = _rows_for(module, given, *rows)
                rows = first, last
                paddings.append(padding)
            x = self._convolutions(rows_of(*rows), chain, paddings[::-1])
            strips.append(x if shortcut is None else ops.add(self._rows(shortcut, 2, edge), x))
        return ops.concat(strips, 2)

    def _rows(self, x: Any, axis: int, rows: tuple[int, int]) -> Any:
        start, end = rows
        return self._operations.slice(x, *(np.array([number]) for number in (start, end, 1, axis)))

    def _normalised(self, photos: Any, rows: tuple[int, int], preprocessing: Preprocessing) -> Any:
        """uint8 (1, H, W, 3) -> (1, 3, rows, W)."""
        ops, x = self._operations, self._operations.convert(self._rows(photos, 1, rows), "f32")
        # By channel though all may have the same: with one number for all, OpenVINO would turn first, and copy twice.
        shift, scale = (255 * np.array(values, np.float32) for values in (preprocessing.mean, preprocessing.std))
        return ops.transpose(ops.divide(ops.subtract(x, shift), scale), np.array([0, 3, 1, 2]))

    def _convolutions(
        self, x: Any, chain: Sequence[tuple[nn.Conv2d, bool]], paddings: Sequence[tuple[int, int] | None]
    ) -> Any:
        """One after the other, each with its padding as :meth:`_convolution` takes it."""
        for (module, is_bounded), padding in zip(chain, paddings, strict=True):
            x = self._convolution(x, module, is_bounded, padding)
        return x

    def _convolution(self, x: Any, module: nn.Conv2d, is_bounded: bool, padding: tuple[int, int] | None = None) -> Any:
        """With as many rows of zeros above and below as ``padding`` says, else as many as TensorFlow's SAME; and with
        ReLU6 behind it where what it gives ``is_bounded``."""
        ops, stride, shape = self._operations, list(module.stride), list(module.weight.shape)
        height, width = x.shape[2:]
        (above, below), (left, right) = padding or same_padding(module, height), same_padding(module, width)
        weight = self._weight(module, shape if module.groups == 1 else [module.groups, -1, *shape[1:]])
        convolve = ops.convolution if module.groups == 1 else ops.group_convolution
        x = convolve(self._given(x, module), weight, stride, [above, left], [below, right], [1, 1])
        bias = self._bias(module)
        if bias is not None:
            x = ops.add(x, bias.numpy().reshape(1, -1, 1, 1))
        return ops.clamp(x, 0.0, 6.0) if is_bounded else x

    def _given(self, x: Any, module: nn.Conv2d) -> Any:
        return x

    def _weight(self, module: nn.Conv2d, shape: list[int]) -> Any:
        return np.ascontiguousarray(module.weight.detach().numpy().reshape(shape))

    def _bias(self, module: nn.Conv2d) -> Tensor | None:
        return None if module.bias is None else module.bias.detach()


def _modules(block: nn.Module) -> Iterator[tuple[nn.Conv2d, bool]]:
    """The convolutions of a block, and whether what they give is bounded."""
    assert isinstance(block, InvertedResidual)
    for kind, module in block.convolutions():
        yield module, kind != "project"


def _rows_for(module: nn.Conv2d, height: int, start: int, end: int) -> tuple[int, int, tuple[int, int]]:
    """Which of so many rows a convolution takes to give those from ``start`` to ``end``, and how many rows of zeros
    above and below them."""
    stride, (above, _) = module.stride[0], same_padding(module, height)
    first = start * stride - above
    last = (end - 1) * stride + module.kernel_size[0] - above
    return max(first, 0), min(last, height), (max(-first, 0), max(last - height, 0))


class _EightBitGraph(_Graph):
    """The same with the weights of :mod:`.eight_bits`: OpenVINO finds by the grids what it can compute in 8 bits."""

    def __init__(self, openvino: Any, weights: EightBitWeights) -> None:
        super().__init__(openvino)
        self._weights, self._tensors = weights, weights.tensors

    def _given(self, x: Any, module: nn.Conv2d) -> Any:
        name = self._names[module]
        if not self._weights.holds(name):
            return x
        lowest, highest = levels(name)
        step, middle = (self._tensors[f"{name}.{kind}"].numpy() for kind in ("given_step", "given_middle"))
        edges = [(middle + level * step).astype(np.float32).reshape(-1, 1, 1) for level in (lowest, highest)]
        return self._operations.fake_quantize(
            x, edges[0][None], edges[1][None], np.float32(lowest), np.float32(highest), highest - lowest + 1
        )

    def _weight(self, module: nn.Conv2d, shape: list[int]) -> Any:
        ops, name = self._operations, self._names[module]
        weight = self._tensors[f"{name}.weight"].numpy().reshape(shape)
        if not self._weights.holds(name):
            return np.ascontiguousarray(weight, np.float32)
        steps = self._tensors[f"{name}.step"].numpy().reshape(len(weight), *(1 for _ in weight.shape[1:]))
        return ops.multiply(ops.convert(ops.constant(np.ascontiguousarray(weight)), "f32"), steps)

    def _bias(self, module: nn.Conv2d) -> Tensor | None:
        return self._tensors[f"{self._names[module]}.bias"]
