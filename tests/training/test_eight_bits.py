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
from torch import Tensor

from photoindex.captioner import model_folder
from photoindex.captioner.checkpoint import Checkpoint, load_checkpoint
from photoindex.captioner.eight_bits import EightBitEncoder, digest_of, encoder_of, levels, places
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


def test_channels_are_evened_out_and_nothing_else_changes(encoder: EfficientNetLite2, photos: Tensor) -> None:
    given = images(encoder, photos)
    before = encoder(given)
    peaks = eight_bits._greatest(encoder, [given])
    eight_bits._even_out(encoder, peaks)
    assert off(encoder(given), before) < 1e-4
    after = eight_bits._greatest(encoder, [given])

    def unevenness(peaks: dict[str, Tensor]) -> float:
        """How much greater the greatest channel's peak is than the middle one's, in the middle of all places."""
        each = [float(peak.max() / peak.median().clamp(min=1e-3)) for peak in peaks.values()]
        return float(np.median(each))

    assert unevenness(after) < 0.8 * unevenness(peaks)


def test_grids_hold_what_passes(encoder: EfficientNetLite2, photos: Tensor) -> None:
    student = eight_bits.prepare(encoder, [images(encoder, photos)])
    peaks = {
        place: float(peak.max()) for place, peak in eight_bits._greatest(encoder, [images(encoder, photos)]).items()
    }
    for place in places(encoder):
        reach = float(student.step(place)) * levels(place)[1]
        assert 0.25 * peaks[place] < reach <= 1.001 * peaks[place]


def test_it_learns_to_see_what_it_saw(small: Checkpoint, encoder: EfficientNetLite2, photos: Tensor) -> None:
    torch.manual_seed(3)
    assert small.term_head is not None
    given = images(encoder, photos)
    student = eight_bits.prepare(copy.deepcopy(encoder), [given])
    wanted = encoder(given)
    before = off(student(given).detach(), wanted)
    student.encoder.requires_grad_(True)
    reports: list[int] = []
    eight_bits.distil(
        student, encoder, small.term_head.requires_grad_(False), [given] * 25, 25, 4e-3,
        lambda number, *_: reports.append(number),
    )  # fmt: skip
    assert off(student(given).detach(), wanted) < 0.8 * before
    assert reports == list(range(25))


def test_what_is_learned_is_stored_and_compared(
    small: Checkpoint, photos: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eight_bits, "SAMPLE_BATCH", 4)
    monkeypatch.setattr(eight_bits, "SAMPLE_BATCHES", 1)
    weights = eight_bits.learn(small, photos, CPU, steps=2, batch=2)
    assert weights.digest == digest_of(small.encoder)
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
