"""An encoder learns to see in 8 bits, at a small size, where a processor has time for a few steps."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import skimage.data
import torch
from click.testing import CliRunner
from torch import Tensor

from photoindex.captioner import model_folder
from photoindex.captioner.checkpoint import Checkpoint
from photoindex.captioner.eight_bits import (
    EightBitEncoder,
    convolutions,
    digest_of,
    encoder_of,
    load_eight_bits,
)
from photoindex.captioner.encoders import build_encoder
from photoindex.captioner.model_files import EIGHT_BITS_FILE
from photoindex.cli.main import main
from photoindex.config import Settings
from photoindex.errors import CheckpointError
from photoindex.media.decode import Decoder
from photoindex.training import eight_bits
from photoindex.training.weight_rounding import prepare
from tests.training.small_encoder import SIZE, folded, off, pictures, small_checkpoint

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def small() -> Checkpoint:
    return small_checkpoint()


@pytest.fixture(scope="module")
def photos() -> Tensor:
    return pictures(128)


def test_it_learns_to_see_what_it_saw(small: Checkpoint) -> None:
    torch.manual_seed(3)
    assert small.term_head is not None
    encoder = folded(small)
    given = encoder.preprocessing.normalise(pictures(SIZE).float())
    student = prepare(encoder, [given])
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
    block: Any = encoder.blocks[1]
    assert torch.equal(dict(convolutions(student.encoder))["1.expand"].weight, block.expand.weight)


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
    assert isinstance(encoder_of(weights, folded(small)), EightBitEncoder)


def test_the_same_photos_make_the_same_weights_again(
    small: Checkpoint, photos: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eight_bits, "SAMPLE_BATCH", 4)
    monkeypatch.setattr(eight_bits, "SAMPLE_BATCHES", 1)
    first = eight_bits.learn(small, photos, CPU, steps=0, batch=1).tensors
    torch.rand(1)
    again = eight_bits.learn(small, photos, CPU, steps=0, batch=1).tensors
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_photos_keep_their_order_whichever_is_decoded_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(skimage.data.__file__).parent
    paths = [folder / name for name in ("chelsea.png", "coffee.png", "astronaut.png")]
    alone = [eight_bits.decoded([path], Settings(data_dir=tmp_path), lambda *_: None) for path in paths]
    decode = Decoder.decode
    monkeypatch.setattr(Decoder, "decode", lambda *given: sorted(decode(*given), key=lambda each: each[0]))
    assert torch.equal(eight_bits.decoded(paths, Settings(data_dir=tmp_path), lambda *_: None), torch.cat(alone))


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
