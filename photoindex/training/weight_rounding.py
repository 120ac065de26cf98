"""The weights of an encoder in 8 bits: the first two steps of :mod:`.eight_bits`.

One convolution after the other, weights are fitted by least squares, to give of what the rounded ones before it give
what the network gave, and rounded one input at a time, those not yet rounded making up for it (Frantar et al. 2022,
arXiv:2210.17323). Filters whose weights nearly cancel out need it most: rounding each of the first depthwise
convolution's to the nearest moves the last features by a tenth.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photoindex.captioner.eight_bits import (
    PAIR_LIMIT,
    WEIGHT_LEVELS,
    EightBitEncoder,
    adds_pairs,
    before_block,
    before_convolution,
    convolutions,
    is_signed,
    levels,
    limits_beside,
    rounded,
    run,
    run_block,
)
from photoindex.captioner.encoders import EfficientNetLite2, InvertedResidual, same_padding

# Where rounding does most harm for the time that it saves (docs/training.md has the figures): in the first blocks, in
# those without a shortcut, which all that is seen passes through, and in the last ones, as nothing behind them makes up
# for it; and in depthwise convolutions, which multiply little. OpenVINO would also have the convolution before a block
# without a shortcut round what the block is given, which not all processors do alike.
_BLOCKS = 21
_WHOLE_BLOCKS = 0, 1, 4, 7, 11, *range(15, _BLOCKS)
IN_32_BITS = (
    *(f"{number}.{kind}" for number in _WHOLE_BLOCKS for kind in ("expand", "project")),
    *(f"{number}.depthwise" for number in range(_BLOCKS)),
    "2.expand",
    "3.expand",
    "head",
)
RELU_LIMIT = 6.0
MARGIN = 1.1  # of the range of all channels behind ReLU6 in some photos, within its limit: others may have a wider one
SIGNED_MARGIN = 0.9  # of a channel's range elsewhere: rounding all values less is worth more than the outermost ones
NARROWEST = 1 / 64  # of the widest channel's range
POSITIONS = 800  # of a photo, at most, that a convolution's weights are fitted on
ROWS_PER_INPUT, LEAST_ROWS = 100, 20_000  # that are enough to fit the weights of one output
DAMPING = 0.01  # of the mean square of what is given, so that weights change for what many photos show
ROUNDING_DAMPING = 0.001


@torch.no_grad()
def prepare(teacher: EfficientNetLite2, samples: Sequence[Tensor]) -> EightBitEncoder:
    """Step 1 for a folded encoder, with batches of normalised images (N, 3, H, W): a rounded copy."""
    ranges = _ranges(teacher, samples)
    return rounded_copy(teacher, {name: ranges[name] for name in ranges if name not in IN_32_BITS})


@torch.no_grad()
def rounded_copy(teacher: EfficientNetLite2, ranges: Mapping[str, tuple[Tensor, Tensor]]) -> EightBitEncoder:
    """The same with the convolutions that are named rounded, where these are the lowest and the highest values (I,) of
    what each is given."""
    student = EightBitEncoder(copy.deepcopy(teacher), ranges)
    for name, module in convolutions(student.encoder):
        if name not in ranges:
            continue
        middle, step = _grid(name, *ranges[name])
        student.grid(name, "given_middle").copy_(middle)
        student.grid(name, "given_step").copy_(step)
        assert module.bias is not None
        if is_signed(name):
            module.bias.add_(module.weight.flatten(1) @ middle)
        module.weight.mul_(step[:, None, None] if step.ndim else step)
        student.grid(name, "step").copy_(_steps(module.weight.flatten(1), adds_pairs(module)))
    return student.to(next(teacher.parameters()).device)


@torch.no_grad()
def fit(
    student: EightBitEncoder,
    teacher: EfficientNetLite2,
    samples: Sequence[Tensor],
    report: Callable[[int, int], None] = lambda *_: None,
) -> None:
    """Step 2, from batches of normalised images (N, 3, H, W). ``report`` receives how many blocks are done, and how
    many there are."""
    whole = len(teacher.blocks) + 1
    first = min(int(name.split(".")[0]) for name in student.names if name != "head")
    wanted = [before_block(teacher, first, images, _as_it_is) for images in samples]
    found = list(wanted)
    for number in range(first, len(teacher.blocks)):
        block = teacher.blocks[number]
        assert isinstance(block, InvertedResidual)
        for kind, _ in block.convolutions():
            _fit_in_block(student, teacher, number, kind, found, wanted)
        for place, (a, b) in enumerate(zip(found, wanted, strict=True)):
            found[place] = run_block(student.encoder, number, a, student.convolve)
            wanted[place] = run_block(teacher, number, b, _as_it_is)
        report(number + 1, whole)
    _fit(student, "head", teacher.head, [(a, b, None) for a, b in zip(found, wanted, strict=True)])
    report(whole, whole)


def _as_it_is(name: str, module: nn.Conv2d, x: Tensor) -> Tensor:
    output: Tensor = module(x)
    return output


def _ranges(encoder: EfficientNetLite2, samples: Iterable[Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    """The lowest and the highest value of each channel, (I,) each, that comes to each convolution, by their names."""
    found: dict[str, tuple[Tensor, Tensor]] = {}

    def note(name: str, module: nn.Conv2d, x: Tensor) -> Tensor:
        low, high = x.amin((0, 2, 3)), x.amax((0, 2, 3))
        if name in found:
            low, high = torch.minimum(found[name][0], low), torch.maximum(found[name][1], high)
        found[name] = low, high
        return _as_it_is(name, module, x)

    for images in samples:
        run(encoder, images, note)
    return found


def _grid(name: str, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """The middle of the grid of what a convolution is given, and the distance on it.

    Behind ReLU6 a channel that is nearly always 0 may reach far in some photo, and what is cut off there does more harm
    than a grid that is the same for all channels.
    """
    _, highest = levels(name)
    if not is_signed(name):
        reach = (MARGIN * high.max()).clamp(min=1e-3, max=RELU_LIMIT)
        return torch.zeros_like(reach), reach / highest
    reach = SIGNED_MARGIN * (high - low) / 2
    return (low + high) / 2, reach.clamp(min=float(reach.max()) * NARROWEST).clamp(min=1e-5) / highest


def _fit_in_block(
    student: EightBitEncoder,
    teacher: EfficientNetLite2,
    number: int,
    kind: str,
    found: Sequence[Tensor],
    wanted: Sequence[Tensor],
) -> None:
    """Fit a convolution of a block that is given ``found`` in the student and ``wanted`` in the teacher."""
    block = teacher.blocks[number]
    assert isinstance(block, InvertedResidual)
    off = ((b - a) if kind == "project" and block.shortcut else None for a, b in zip(found, wanted, strict=True))
    given = (
        (
            before_convolution(student.encoder, number, kind, a, student.convolve),
            before_convolution(teacher, number, kind, b, _as_it_is),
            shortcut,
        )
        for a, b, shortcut in zip(found, wanted, off, strict=True)
    )
    _fit(student, f"{number}.{kind}", dict(block.convolutions())[kind], given)


def _fit(
    student: EightBitEncoder,
    name: str,
    original: nn.Conv2d,
    given: Iterable[tuple[Tensor, Tensor, Tensor | None]],
) -> None:
    """Set a convolution's weights and bias to give what ``original`` gives, and round them where they are to be.

    ``given`` holds what comes to it in the student and in the teacher, and what the student's shortcut lacks of the
    teacher's, which it makes up for.
    """
    module, rounds = dict(convolutions(student.encoder))[name], name in student.names
    outputs, inputs = module.out_channels, module.weight[0].numel()
    shape = (module.groups, outputs // module.groups, inputs)
    weight = module.weight.detach().double().view(shape)
    sums = _Sums(*shape, module.weight.device)
    for ours, theirs, lacking in given:
        places = _some_positions(module, ours)
        rows = _rows(module, student.given(name, ours) if rounds else ours, places)
        wanted = _product(original, _rows(original, theirs, places))
        if lacking is not None:
            wanted += lacking.flatten(2)[:, :, places].permute(0, 2, 1).reshape(wanted.shape)
        sums.add(rows, wanted - _product(module, rows))
        if sums.count >= ROWS_PER_INPUT * inputs + LEAST_ROWS:
            break
    square, product = sums.about_means()
    change = torch.linalg.solve(_damped(square, DAMPING), product.mT).mT
    fitted = weight + change
    if rounds:
        steps = _steps(fitted, adds_pairs(module))
        student.grid(name, "step").copy_(steps.view(outputs))
        fitted = _round_in_turn(fitted, square, steps, adds_pairs(module)) * steps[:, :, None]
    assert module.bias is not None
    module.bias.add_((sums.mean_lacking() - ((fitted - weight) @ sums.mean()[:, :, None])[:, :, 0]).view(outputs))
    module.weight.copy_(fitted.view(module.weight.shape))


class _Sums:
    """Of rows (G, M, K) of what G groups of outputs are given, and of what their outputs lack (G, M, O).

    Counted from the first rows' mean, as differences between large sums lose digits.
    """

    def __init__(self, groups: int, outputs: int, inputs: int, device: torch.device) -> None:
        def zeros(*shape: int) -> Tensor:
            return torch.zeros(groups, *shape, dtype=torch.float64, device=device)

        self.count = 0
        self._from: Tensor | None = None
        self._given, self._lacking = zeros(inputs), zeros(outputs)
        self._square, self._product = zeros(inputs, inputs), zeros(outputs, inputs)

    def add(self, rows: Tensor, lacking: Tensor) -> None:
        if self._from is None:
            self._from = rows.mean(1, keepdim=True)
        rows = rows - self._from
        self.count += rows.shape[1]
        self._given += rows.sum(1)
        self._lacking += lacking.sum(1)
        self._square += rows.mT @ rows
        self._product += lacking.mT @ rows

    def mean(self) -> Tensor:
        """Of what is given, (G, K)."""
        assert self._from is not None
        return self._given / self.count + self._from[:, 0]

    def mean_lacking(self) -> Tensor:
        """(G, O)."""
        return self._lacking / self.count

    def about_means(self) -> tuple[Tensor, Tensor]:
        """The means of products about the means: of what is given with itself (G, K, K), and with what is lacking
        (G, O, K)."""
        given, lacking = self._given / self.count, self._lacking / self.count
        square = self._square / self.count - given[:, :, None] * given[:, None, :]
        return square, self._product / self.count - lacking[:, :, None] * given[:, None, :]


def _some_positions(module: nn.Conv2d, x: Tensor) -> Tensor:
    """Of what a convolution gives, counted row by row: some at random."""
    side = -(-x.shape[-1] // module.stride[0])
    return torch.randperm(side * side, device=x.device)[:POSITIONS]


def _rows(module: nn.Conv2d, x: Tensor, positions: Tensor) -> Tensor:
    """What comes to a convolution -> what is multiplied with its weights at those positions, (groups, M, K)."""
    kernel, stride = module.kernel_size[0], module.stride[0]
    if kernel == 1:
        return x.flatten(2)[:, :, positions].permute(0, 2, 1).reshape(1, -1, x.shape[1])
    side = -(-x.shape[-1] // stride)
    x = F.pad(x, same_padding(module, x.shape[-1]) * 2)
    offsets = torch.arange(kernel, device=x.device)
    down = (positions // side * stride)[:, None, None] + offsets[None, :, None]
    across = (positions % side * stride)[:, None, None] + offsets[None, None, :]
    return x[:, :, down, across].permute(1, 0, 2, 3, 4).reshape(x.shape[1], -1, kernel * kernel)


def _product(module: nn.Conv2d, rows: Tensor) -> Tensor:
    """:func:`_rows` -> what the convolution gives there, (groups, M, outputs of a group)."""
    assert module.bias is not None
    shape = (module.groups, module.out_channels // module.groups, -1)
    return rows @ module.weight.view(shape).mT + module.bias.view(shape[0], 1, shape[1])


def _steps(weight: Tensor, limits_pairs: bool) -> Tensor:
    """Weights (…, K) -> the distance between neighbours on the grid of each output, (…), that puts none of them out of
    reach. Finer ones that cut off a few are no better."""
    reach = weight.abs().amax(-1).clamp(min=1e-9) / WEIGHT_LEVELS[1]
    if not limits_pairs:
        return reach
    both = F.pad(weight, (0, weight.shape[-1] % 2))
    first, second = both[..., ::2], both[..., 1::2]
    above, below = first.clamp(min=0) + second.clamp(min=0), -first.clamp(max=0) - second.clamp(max=0)
    return torch.maximum(reach, torch.maximum(above, below).amax(-1) / PAIR_LIMIT)


def _damped(square: Tensor, share: float) -> Tensor:
    more = share * square.diagonal(dim1=-2, dim2=-1).mean(-1) + 1e-7
    return square + more[:, None, None] * torch.eye(square.shape[-1], dtype=square.dtype, device=square.device)


def _round_in_turn(weight: Tensor, square: Tensor, steps: Tensor, limits_pairs: bool) -> Tensor:
    """Weights (G, O, K) -> whole numbers of ``steps`` (G, O), such that what they give changes least.

    ``square`` (G, K, K) are the mean products of what is given, about its mean. What rounding one weight changes is
    made up for, as far as it can be, by the weights that come after it; the inputs that vary most come first. With
    ``limits_pairs`` neighbours stay within :func:`.limits_beside`.
    """
    order = square.diagonal(dim1=-2, dim2=-1).argsort(-1, descending=True)  # (G, K)
    group = torch.arange(len(order), device=order.device)
    square = square[group[:, None, None], order[:, :, None], order[:, None, :]]
    left = weight.gather(2, order[:, None, :].expand_as(weight))
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(_damped(square, ROUNDING_DAMPING)))
    shares = torch.linalg.cholesky(inverse).mT
    found = torch.zeros_like(left)
    for number, inputs in enumerate(order.T):
        here = left[:, :, number] / steps
        if limits_pairs:  # what is not found yet is 0, and limits nothing
            here = here.clamp(*limits_beside(found[group, :, (inputs ^ 1).clamp(max=order.shape[1] - 1)]))
        whole = rounded(here, *WEIGHT_LEVELS)
        found[group, :, inputs] = whole
        change = (left[:, :, number] - whole * steps) / shares[:, number, number][:, None]
        left[:, :, number + 1 :] -= change[:, :, None] * shares[:, None, number, number + 1 :]
    return found
