"""The encoder as OpenVINO compiles it for a CPU: the same features in well under half of torch's time.

torch runs a network as written, an operation at a time, each through memory; OpenVINO joins convolution, bias and
ReLU6, lays weights out for the processor at hand and needs no compiler on the user's machine. torch stays the
reference: tests hold that both see the same, and whatever cannot be had here (the library, a processor it knows) leaves
torch.

The graph is built from the module's own weights, operation by operation: OpenVINO's converter would trace the module,
and it brings along a module that reports usage to its makers over the network. Neither is ever imported here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from photoindex.captioner.encoders import EfficientNetLite2, Encoder, InvertedResidual

# Imported by `import openvino` when it is there; it imports openvino_telemetry, which sends as soon as it is imported.
_CONVERTER = "openvino.tools.ovc"


class CompiledEncoder:
    """Photos in, feature maps out, on the CPU."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled

    def __call__(self, photos: NDArray[np.uint8]) -> Tensor:
        """uint8 (N, size, size, 3) -> feature maps (N, C, h, w)."""
        # Copied: the result's memory belongs to the request and is written again by the next one.
        return torch.from_numpy(self._compiled(photos, share_inputs=True)[0].copy())


def compile_encoder(encoder: Encoder, threads: int = 0) -> CompiledEncoder | None:
    """A folded encoder (:func:`.encoder.fold_batch_norm`) compiled; None where that cannot be done.

    ``threads`` 0 leaves OpenVINO's choice. The encoder itself is left as it is.
    """
    if not isinstance(encoder, EfficientNetLite2):
        return None
    try:
        with _without_converter():
            import openvino
            from openvino import opset13
    except ImportError:
        return None
    options: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        # Where a processor has matrix units for 16 bits OpenVINO would use them: other features, other captions.
        "INFERENCE_PRECISION_HINT": "f32",
    }
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    graph = _Graph(openvino, opset13)
    try:
        return CompiledEncoder(openvino.Core().compile_model(graph.of(encoder), "CPU", options))
    except RuntimeError:  # all that OpenVINO raises, e.g. for a processor it has no plugin for
        return None


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

    def __init__(self, openvino: Any, operations: Any) -> None:
        self._openvino, self._operations = openvino, operations

    def of(self, encoder: EfficientNetLite2) -> Any:
        ops, size = self._operations, encoder.preprocessing.size
        photos = ops.parameter([-1, size, size, 3], np.uint8)
        x = ops.convert(ops.transpose(photos, np.array([0, 3, 1, 2])), "f32")
        shift, scale = (
            255 * np.array(values, np.float32).reshape(1, 3, 1, 1)
            for values in (encoder.preprocessing.mean, encoder.preprocessing.std)
        )
        x = ops.divide(ops.subtract(x, shift), scale)
        x = self._convolution(x, encoder.stem, clamped=True)
        for block in encoder.blocks:
            assert isinstance(block, InvertedResidual)
            x = self._block(x, block)
        return self._openvino.Model([self._convolution(x, encoder.head, clamped=True)], [photos], "encoder")

    def _block(self, x: Any, block: InvertedResidual) -> Any:
        h = x if block.expand is None else self._convolution(x, block.expand, clamped=True)
        h = self._convolution(h, block.depthwise, clamped=True)
        h = self._convolution(h, block.project, clamped=False)
        return self._operations.add(x, h) if block.shortcut else h

    def _convolution(self, x: Any, module: nn.Conv2d, *, clamped: bool) -> Any:
        """With TensorFlow's SAME padding, which is what :class:`.encoder.SamePaddingConv2d` pads by; a 1 x 1
        convolution needs none."""
        ops, stride = self._operations, list(module.stride)
        weight = module.weight.detach().numpy()
        if module.groups == 1:
            x = ops.convolution(x, np.ascontiguousarray(weight), stride, [0, 0], [0, 0], [1, 1], "same_upper")
        else:
            grouped = np.ascontiguousarray(weight.reshape(module.groups, -1, *weight.shape[1:]))
            x = ops.group_convolution(x, grouped, stride, [0, 0], [0, 0], [1, 1], "same_upper")
        if module.bias is not None:
            x = ops.add(x, module.bias.detach().numpy().reshape(1, -1, 1, 1))
        return ops.clamp(x, 0.0, 6.0) if clamped else x
