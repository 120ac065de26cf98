"""Grids of 8 bits hold what an encoder computes with, and weights rounded onto them give nearly what it gave."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photoindex.captioner.eight_bits import PAIR_LIMIT, convolutions, is_signed, limits_beside, run
from photoindex.captioner.encoders import EfficientNetLite2
from photoindex.training import weight_rounding
from tests.training.small_encoder import SIZE, folded, off, pictures, small_checkpoint


@pytest.fixture
def encoder() -> EfficientNetLite2:
    return folded(small_checkpoint())


@pytest.fixture
def given(encoder: EfficientNetLite2) -> Tensor:
    """Normalised pictures."""
    return encoder.preprocessing.normalise(pictures(SIZE).float())


def greatest_sum(weight: Tensor) -> float:
    """The greatest sum, whatever its sign, of one or both of neighbouring weights (…, K)."""
    both = F.pad(weight, (0, weight.shape[-1] % 2)).unflatten(-1, (-1, 2))
    return float(torch.cat([both, both.sum(-1, keepdim=True)], -1).abs().max())


def test_grids_hold_what_convolutions_are_given(encoder: EfficientNetLite2, given: Tensor) -> None:
    student = weight_rounding.prepare(encoder, [given])
    assert set(student.names) == {name for name, _ in convolutions(encoder)} - set(weight_rounding.IN_32_BITS)
    seen = []

    def look(name: str, module: nn.Conv2d, x: Tensor) -> Tensor:
        if name in student.names:
            seen.append(name)
            step, middle = student.grid(name, "given_step"), student.grid(name, "given_middle")
            if is_signed(name):
                step, middle = step[:, None, None], middle[:, None, None]
            # The outermost twentieth of a channel's range is cut off on either side where a channel has its own.
            steps_off = (student.given(name, x) * step + middle - x).abs() / step
            assert float(steps_off.max()) <= (15 if is_signed(name) else 0.501), name
        output: Tensor = module(x)
        return output

    run(encoder, given, look)
    assert seen == list(student.names)


def test_weights_are_only_written_otherwise_before_they_are_rounded(encoder: EfficientNetLite2, given: Tensor) -> None:
    """What the grids of what is given come with goes into weights and biases."""
    student = weight_rounding.prepare(encoder, [given])

    def unrounded(name: str, module: nn.Conv2d, x: Tensor) -> Tensor:
        if name in student.names:
            step, middle = student.grid(name, "given_step"), student.grid(name, "given_middle")
            x = (x - middle[:, None, None]) / step[:, None, None] if is_signed(name) else (x - middle) / step
        output: Tensor = module(x)
        return output

    assert off(run(student.encoder, given, unrounded), encoder(given)) < 1e-3


@pytest.mark.parametrize("pairs", [False, True], ids=["alone", "in pairs"])
@pytest.mark.parametrize("shape", [(1, 8, 20), (6, 1, 9)], ids=["of all inputs", "of a channel each"])
def test_rounding_in_turn_changes_less_than_to_the_nearest(shape: tuple[int, int, int], pairs: bool) -> None:
    torch.manual_seed(5)
    groups, outputs, inputs = shape
    mixed = torch.randn(groups, inputs, inputs, dtype=torch.float64) * 0.3 + 1  # so inputs go up and down together
    rows = torch.randn(groups, 400, inputs, dtype=torch.float64) @ mixed
    weight = torch.randn(groups, outputs, inputs, dtype=torch.float64)
    steps = weight.abs().amax(2) / 7

    def changed(rounded: Tensor) -> float:
        return float((rows @ (rounded * steps[:, :, None] - weight).mT).square().mean())

    found = weight_rounding._round_in_turn(weight, rows.mT @ rows / 400, steps, pairs)
    assert torch.equal(found, found.round())
    assert changed(found) < 0.2 * changed((weight / steps[:, :, None]).round())


@pytest.mark.parametrize("inputs", [20, 21])
def test_rounding_in_turn_keeps_pairs_within_their_limit(inputs: int) -> None:
    """On a grid that is too fine for them, where other inputs have to make up for what they cannot be."""
    torch.manual_seed(7)
    rows = torch.randn(1, 400, inputs, dtype=torch.float64) @ torch.randn(inputs, inputs, dtype=torch.float64)
    weight = torch.randn(1, 50, inputs, dtype=torch.float64) * 60
    one = torch.ones(1, 50, dtype=torch.float64)
    square = rows.mT @ rows / 400
    assert greatest_sum(weight_rounding._round_in_turn(weight, square, one, False)) > PAIR_LIMIT
    found = weight_rounding._round_in_turn(weight, square, one, True)
    assert greatest_sum(found) == PAIR_LIMIT
    within = weight.clone()  # to the nearest within their limits
    within[..., 1::2] = within[..., 1::2].clamp(*limits_beside(within[..., : inputs // 2 * 2 : 2].round()))

    def changed(rounded: Tensor) -> float:
        return float((rows @ (rounded - weight).mT).square().mean())

    assert changed(found) < changed(within.round())


@pytest.mark.parametrize("inputs", [6, 7])
def test_a_grid_reaches_all_weights_and_pairs(inputs: int) -> None:
    torch.manual_seed(8)
    weight = torch.randn(1, 200, inputs)
    alone, in_pairs = weight_rounding._steps(weight, False), weight_rounding._steps(weight, True)
    torch.testing.assert_close((weight / alone[..., None]).abs().amax(-1), torch.full((1, 200), 127.0))
    assert bool((in_pairs >= alone).all())
    assert bool((in_pairs == alone).any())  # where the other of the pair has another sign, or is small
    for one, step, alone_is_enough in zip(weight[0], in_pairs[0], (in_pairs == alone)[0], strict=True):
        greatest = greatest_sum(one / step)
        assert greatest <= PAIR_LIMIT + 0.01
        assert alone_is_enough or greatest == pytest.approx(PAIR_LIMIT)


@pytest.mark.parametrize("name", ["3.depthwise", "4.depthwise", "4.expand"])
def test_rows_are_what_is_multiplied_with_the_weights(encoder: EfficientNetLite2, name: str) -> None:
    torch.manual_seed(6)
    module = dict(convolutions(encoder))[name]
    x = torch.rand(2, module.in_channels, 12, 12)
    wanted = module(x)
    positions = torch.tensor([0, 5, 7, 30, wanted.shape[-1] ** 2 - 1])
    rows = weight_rounding._rows(module, x, positions)
    found = weight_rounding._product(module, rows)  # (G, photos x positions, outputs)
    found = found.permute(1, 0, 2).reshape(2, 5, -1)
    torch.testing.assert_close(found, wanted.flatten(2)[:, :, positions].permute(0, 2, 1), rtol=1e-4, atol=1e-4)


def test_fitted_weights_see_more_than_the_nearest_ones(encoder: EfficientNetLite2, given: Tensor) -> None:
    torch.manual_seed(4)
    student = weight_rounding.prepare(encoder, [given])
    wanted = encoder(given)
    before = off(student(given), wanted)
    reports: list[tuple[int, int]] = []
    weight_rounding.fit(student, encoder, [given], lambda *report: reports.append(report))
    assert off(student(given), wanted) < 0.5 * before
    assert reports[-1] == (22, 22)
    for name in student.names:
        levels = dict(convolutions(student.encoder))[name].weight / student.grid(name, "step")[:, None, None, None]
        torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-3)
        if not name.endswith("depthwise"):
            assert greatest_sum(levels.round().flatten(1)) <= PAIR_LIMIT, name
