"""An encoder learns to see in 8 bits, at a small size, where a processor has time for a few steps."""

from __future__ import annotations

import copy
import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from click.testing import CliRunner
from PIL import Image
from torch import Tensor, nn

from photoindex.captioner import model_folder
from photoindex.captioner.checkpoint import Checkpoint, load_checkpoint
from photoindex.captioner.eight_bits import (
    EightBitEncoder,
    convolutions,
    digest_of,
    encoder_of,
    is_signed,
    load_eight_bits,
    run,
)
from photoindex.captioner.encoders import EfficientNetLite2, build_encoder, fold_batch_norm
from photoindex.captioner.model_files import EIGHT_BITS_FILE
from photoindex.cli.main import main
from photoindex.errors import CheckpointError
from photoindex.training import eight_bits

SIZE = 96
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def small() -> Checkpoint:
    """The shipped model with small pictures."""
    checkpoint = load_checkpoint(model_folder("default"))
    checkpoint.encoder.preprocessing = dataclasses.replace(checkpoint.encoder.preprocessing, size=SIZE)
    return checkpoint


@pytest.fixture(scope="module")
def photos() -> Tensor:
    folder = Path(skimage.data.__file__).parent
    names = ("chelsea.png", "coffee.png", "astronaut.png", "rocket.jpg")
    pictures = [np.asarray(Image.open(folder / name).convert("RGB").resize((128, 128))) for name in names]
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)


@pytest.fixture
def encoder(small: Checkpoint) -> EfficientNetLite2:
    found = copy.deepcopy(small.encoder)
    assert isinstance(found, EfficientNetLite2)
    fold_batch_norm(found)
    return found.requires_grad_(False)


def images(encoder: EfficientNetLite2, photos: Tensor) -> Tensor:
    return encoder.preprocessing.normalise(eight_bits._of_size(photos.float(), SIZE))


def off(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).norm() / wanted.norm())


def test_grids_hold_what_convolutions_are_given(encoder: EfficientNetLite2, photos: Tensor) -> None:
    given = images(encoder, photos)
    student = eight_bits.prepare(encoder, [given])
    assert set(student.names) == {name for name, _ in convolutions(encoder)} - set(eight_bits.IN_32_BITS)
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


def test_weights_are_only_written_otherwise_before_they_are_rounded(encoder: EfficientNetLite2, photos: Tensor) -> None:
    """What the grids of what is given come with goes into weights and biases."""
    given = images(encoder, photos)
    student = eight_bits.prepare(encoder, [given])

    def unrounded(name: str, module: nn.Conv2d, x: Tensor) -> Tensor:
        if name in student.names:
            step, middle = student.grid(name, "given_step"), student.grid(name, "given_middle")
            x = (x - middle[:, None, None]) / step[:, None, None] if is_signed(name) else (x - middle) / step
        output: Tensor = module(x)
        return output

    assert off(run(student.encoder, given, unrounded), encoder(given)) < 1e-3


@pytest.mark.parametrize("shape", [(1, 8, 20), (6, 1, 9)], ids=["of all inputs", "of a channel each"])
def test_rounding_in_turn_changes_less_than_to_the_nearest(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(5)
    groups, outputs, inputs = shape
    mixed = torch.randn(groups, inputs, inputs, dtype=torch.float64) * 0.3 + 1  # so inputs go up and down together
    rows = torch.randn(groups, 400, inputs, dtype=torch.float64) @ mixed
    weight = torch.randn(groups, outputs, inputs, dtype=torch.float64)
    steps = weight.abs().amax(2) / 7

    def changed(rounded: Tensor) -> float:
        return float((rows @ (rounded * steps[:, :, None] - weight).mT).square().mean())

    found = eight_bits._round_in_turn(weight, rows.mT @ rows / 400, steps)
    assert torch.equal(found, found.round())
    assert changed(found) < 0.2 * changed((weight / steps[:, :, None]).round())


@pytest.mark.parametrize("name", ["3.depthwise", "4.depthwise", "4.expand"])
def test_rows_are_what_is_multiplied_with_the_weights(encoder: EfficientNetLite2, name: str) -> None:
    torch.manual_seed(6)
    module = dict(convolutions(encoder))[name]
    x = torch.rand(2, module.in_channels, 12, 12)
    wanted = module(x)
    positions = torch.tensor([0, 5, 7, 30, wanted.shape[-1] ** 2 - 1])
    found = eight_bits._product(module, eight_bits._rows(module, x, positions))  # (G, photos x positions, outputs)
    found = found.permute(1, 0, 2).reshape(2, 5, -1)
    torch.testing.assert_close(found, wanted.flatten(2)[:, :, positions].permute(0, 2, 1), rtol=1e-4, atol=1e-4)


def test_fitted_weights_see_more_than_the_nearest_ones(encoder: EfficientNetLite2, photos: Tensor) -> None:
    torch.manual_seed(4)
    given = images(encoder, photos)
    student = eight_bits.prepare(encoder, [given])
    wanted = encoder(given)
    before = off(student(given), wanted)
    reports: list[tuple[int, int]] = []
    eight_bits.fit(student, encoder, [given], lambda *report: reports.append(report))
    assert off(student(given), wanted) < 0.5 * before
    assert reports[-1] == (22, 22)
    for name in student.names:
        levels = dict(convolutions(student.encoder))[name].weight / student.grid(name, "step")[:, None, None, None]
        torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-3)


def test_it_learns_to_see_what_it_saw(small: Checkpoint, encoder: EfficientNetLite2, photos: Tensor) -> None:
    torch.manual_seed(3)
    assert small.term_head is not None
    given = images(encoder, photos)
    student = eight_bits.prepare(encoder, [given])
    wanted = encoder(given)
    before = off(student(given).detach(), wanted)
    reports: list[int] = []
    eight_bits.distil(
        student, encoder, small.term_head.requires_grad_(False), [given] * 40, 40, 3e-4,
        lambda number, *_: reports.append(number),
    )  # fmt: skip
    assert off(student(given).detach(), wanted) < 0.8 * before
    assert reports == list(range(40))
    # What comes before the first rounded convolution is as it was.
    assert torch.equal(dict(convolutions(student.encoder))["1.expand"].weight, encoder.blocks[1].expand.weight)


def test_what_is_learned_is_stored_and_compared(
    small: Checkpoint, photos: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eight_bits, "SAMPLE_BATCH", 4)
    monkeypatch.setattr(eight_bits, "SAMPLE_BATCHES", 2)
    reports: set[tuple[str, int, int]] = set()
    weights = eight_bits.learn(small, photos, CPU, 2, 2, lambda *report: reports.add(report), folder=tmp_path)
    assert {("rounding", 22, 22), ("learning", 2, 2)} <= reports
    assert weights.digest == digest_of(small.encoder)
    stored = load_eight_bits(tmp_path, small.encoder)
    assert stored is not None
    assert all(torch.equal(stored.tensors[name], value) for name, value in weights.tensors.items())
    found = eight_bits.compare(small, weights, photos, CPU)
    assert 0 < found.features < 1  # four photos are too few for it to learn from
    assert 0 < found.logits < 1
    encoder = copy.deepcopy(small.encoder)
    assert isinstance(encoder, EfficientNetLite2)
    fold_batch_norm(encoder)
    assert isinstance(encoder_of(weights, encoder), EightBitEncoder)


def test_another_encoder_cannot(small: Checkpoint, photos: Tensor) -> None:
    other = dataclasses.replace(small, encoder=build_encoder("resnet50"))
    with pytest.raises(CheckpointError, match="EfficientNet-Lite2"):
        eight_bits.learn(other, photos, CPU, steps=1, batch=1)


def test_the_command_compares_and_says_what_is_missing(tmp_path: Path) -> None:
    data = tmp_path / "few"
    (data / "images").mkdir(parents=True)
    folder = Path(skimage.data.__file__).parent
    for name in ("chelsea.png", "coffee.png"):
        shutil.copy(folder / name, data / "images" / name)
    (data / "captions.tsv").write_text(
        "image\tsplit\tcaption\nchelsea.png\tval\ta cat\ncoffee.png\tval\ta cup of coffee\n", encoding="utf-8"
    )
    done = CliRunner().invoke(main, ["evaluate", "eight-bits", "--data", str(data)])
    assert done.exit_code == 0, done.output
    assert "few" in done.output
    assert "2 photos: features" in done.output
    done = CliRunner().invoke(main, ["evaluate", "eight-bits", "--data", str(data), "--json"])
    [row] = json.loads(done.stdout)
    assert (row["data"], row["photos"]) == ("few", 2)
    assert 0 < row["features"] < 0.15
    assert 0 < row["logits"] < 0.15
    model = tmp_path / "model"
    shutil.copytree(model_folder("default"), model)
    (model / EIGHT_BITS_FILE).unlink()
    done = CliRunner().invoke(main, ["evaluate", "eight-bits", "--data", str(data), "--model", str(model)])
    assert done.exit_code != 0
    assert "--learn" in done.output
