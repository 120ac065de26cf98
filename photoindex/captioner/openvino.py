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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from photoindex.captioner.eight_bits import EightBitWeights, convolutions, is_right, levels, test_picture
from photoindex.captioner.encoders import EfficientNetLite2, Encoder, InvertedResidual

# Imported by `import openvino` when it is there; it imports openvino_telemetry, which sends as soon as it is imported.
_CONVERTER = "openvino.tools.ovc"
MOST_STREAMS = 4  # each has memory of its own


class CompiledEncoder:
    """Photos in, feature maps out, on the CPU; computed in so many ``bits``.

    Each of its ``streams`` computes photos of its own, in threads of its own: none waits for another after every layer,
    which takes long where something else is at work on the same cores.
    """

    def __init__(self, compiled: Any, openvino: Any, shape: tuple[int, ...], bits: int, streams: int) -> None:
        self.bits = bits
        self._openvino, self._shape = openvino, shape
        self._requests = [compiled.create_infer_request() for _ in range(streams)]

    def __call__(self, photos: NDArray[np.uint8], at_once: int = 1) -> Tensor:
        """uint8 (N, size, size, 3) -> feature maps (N, C, h, w), each stream computing so many photos ``at_once``: more
        than one take as long each, and more memory."""
        photos = np.ascontiguousarray(photos)  # OpenVINO keeps the memory of neither alive
        maps = torch.empty(len(photos), *self._shape)
        tensor, answers = self._openvino.Tensor, maps.numpy()
        try:
            for start, request in zip(range(0, len(photos), at_once), itertools.cycle(self._requests)):
                some = slice(start, start + at_once)
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

    With ``eight_bits`` those are its weights, where this processor computes rightly with them. ``threads`` 0 leaves
    OpenVINO's choice. The encoder itself is left as it is.
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
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    size = encoder.preprocessing.size
    graph = _Graph(openvino) if eight_bits is None else _EightBitGraph(openvino, eight_bits)
    try:
        compiled = openvino.Core().compile_model(graph.of(encoder), "CPU", options)
        shape = tuple(side.get_length() for side in list(compiled.output(0).partial_shape)[1:])
        found = CompiledEncoder(compiled, openvino, shape, 32 if eight_bits is None else 8, streams)
        if eight_bits is not None and not is_right(eight_bits, found(test_picture(size)[None], 1)):
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
    """Our modules as OpenVINO's operations."""

    def __init__(self, openvino: Any) -> None:
        self._openvino, self._operations = openvino, openvino.opset13
        self._names: dict[nn.Conv2d, str] = {}

    def of(self, encoder: EfficientNetLite2) -> Any:
        ops, size = self._operations, encoder.preprocessing.size
        self._names = {encoder.stem: "stem"} | {module: name for name, module in convolutions(encoder)}
        photos = ops.parameter([-1, size, size, 3], np.uint8)
        x = ops.convert(ops.transpose(photos, np.array([0, 3, 1, 2])), "f32")
        shift, scale = (
            255 * np.array(values, np.float32).reshape(1, 3, 1, 1)
            for values in (encoder.preprocessing.mean, encoder.preprocessing.std)
        )
        x = ops.divide(ops.subtract(x, shift), scale)
        x = ops.clamp(self._convolution(x, encoder.stem), 0.0, 6.0)
        for block in encoder.blocks:
            assert isinstance(block, InvertedResidual)
            x = self._block(x, block)
        x = ops.clamp(self._convolution(x, encoder.head), 0.0, 6.0)
        return self._openvino.Model([x], [photos], "encoder")

    def _block(self, x: Any, block: InvertedResidual) -> Any:
        h = x
        for module in (block.expand, block.depthwise):
            if module is not None:
                h = self._operations.clamp(self._convolution(h, module), 0.0, 6.0)
        h = self._convolution(h, block.project)
        return self._operations.add(x, h) if block.shortcut else h

    def _convolution(self, x: Any, module: nn.Conv2d) -> Any:
        """With TensorFlow's SAME padding, which is what :class:`.encoders.SamePaddingConv2d` pads by; a 1 x 1
        convolution needs none."""
        ops, stride = self._operations, list(module.stride)
        shape = list(module.weight.shape)
        weight = self._weight(module, shape if module.groups == 1 else [module.groups, -1, *shape[1:]])
        convolve = ops.convolution if module.groups == 1 else ops.group_convolution
        x = convolve(x, weight, stride, [0, 0], [0, 0], [1, 1], "same_upper")
        bias = self._bias(module)
        return x if bias is None else ops.add(x, bias.numpy().reshape(1, -1, 1, 1))

    def _weight(self, module: nn.Conv2d, shape: list[int]) -> Any:
        return np.ascontiguousarray(module.weight.detach().numpy().reshape(shape))

    def _bias(self, module: nn.Conv2d) -> Tensor | None:
        return None if module.bias is None else module.bias.detach()


class _EightBitGraph(_Graph):
    """The same with the weights of :mod:`.eight_bits`: OpenVINO finds by the grids what it can compute in 8 bits."""

    def __init__(self, openvino: Any, weights: EightBitWeights) -> None:
        super().__init__(openvino)
        self._weights, self._tensors = weights, weights.tensors

    def _convolution(self, x: Any, module: nn.Conv2d) -> Any:
        name = self._names[module]
        return super()._convolution(self._given(name, x) if self._weights.holds(name) else x, module)

    def _given(self, name: str, x: Any) -> Any:
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
