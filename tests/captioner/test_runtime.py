"""The engines: OpenVINO and the rearranged decoder do what torch does; without OpenVINO torch does all."""

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from numpy.typing import NDArray

from photoindex.captioner import model_folder, openvino
from photoindex.captioner.checkpoint import load_checkpoint
from photoindex.captioner.encoders import Preprocessing, build_encoder, fold_batch_norm
from photoindex.captioner.neural import NeuralCaptioner
from photoindex.captioner.openvino import compile_encoder
from photoindex.captioner.runtime import CPU_ENCODER_BATCH, Runtime
from photoindex.captioner.thread_pool import LEAST_PHOTOS
from photoindex.media.decode import decode_photo
from photoindex.types import Prediction

CPU = torch.device("cpu")
NAMES = ("chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg", "astronaut.png", "brick.png", "moon.png")


@pytest.fixture(scope="module")
def photos() -> list[NDArray[np.uint8]]:
    folder = Path(skimage.data.__file__).parent
    size = load_checkpoint(model_folder("default")).encoder.preprocessing.size
    return [decode_photo(folder / name, size, 10**9).pixels for name in NAMES if (folder / name).exists()]


@pytest.fixture(scope="module")
def fast() -> NeuralCaptioner:
    if find_spec("openvino") is None:  # found and not imported, which is what the last test is about
        pytest.skip("OpenVINO is not installed: there is one engine only")
    return NeuralCaptioner.load(model_folder("default"), device="cpu", engine="float")


def torch_captioner() -> NeuralCaptioner:
    return NeuralCaptioner.load(model_folder("default"), device="cpu", engine="torch")


def same(found: list[Prediction], wanted: list[Prediction]) -> None:
    for one, other in zip(found, wanted, strict=True):
        assert [c.text for c in one.candidates] == [c.text for c in other.candidates]
        assert [c.score for c in one.candidates] == pytest.approx([c.score for c in other.candidates], abs=1e-3)
        assert [label.name for label in one.labels] == [label.name for label in other.labels]
        assert [kind.name for kind in one.kinds] == [kind.name for kind in other.kinds]
        assert one.terms is not None
        assert other.terms is not None
        # A step apart where an impact lies on the edge between two, and so perhaps the weakest of the terms.
        levels = dict(zip(one.terms.ids.tolist(), one.terms.impacts.astype(int).tolist(), strict=True))
        wanted_levels = dict(zip(other.terms.ids.tolist(), other.terms.impacts.astype(int).tolist(), strict=True))
        both = levels.keys() & wanted_levels.keys()
        assert len(both) >= len(levels) - 2
        assert all(abs(levels[term] - wanted_levels[term]) <= 1 for term in both)


def test_openvino_captions_like_torch(fast: NeuralCaptioner, photos: list[NDArray[np.uint8]]) -> None:
    reference = torch_captioner()
    assert fast.info.device.endswith(", OpenVINO")
    assert reference.info.device.endswith(", torch")
    assert len(photos) > CPU_ENCODER_BATCH  # the last batch of the encoder is a smaller one
    same(fast.caption(photos), reference.caption(photos))


def test_many_photos_are_shared_out_and_captioned_like_few(
    fast: NeuralCaptioner, photos: list[NDArray[np.uint8]]
) -> None:
    many = [photos[number % len(photos)] for number in range(2 * LEAST_PHOTOS + 5)]
    before = torch.get_num_threads()
    found = fast.caption(many)
    assert torch.get_num_threads() == before
    few = fast.caption(photos)
    same(found, [few[number % len(photos)] for number in range(len(many))])


def test_without_openvino_torch_does_all(photos: list[NDArray[np.uint8]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    alone = NeuralCaptioner.load(model_folder("default"), device="cpu", engine="auto")
    assert alone.info.device.endswith(", torch")
    same(alone.caption(photos[:2]), torch_captioner().caption(photos[:2]))


def test_another_encoder_is_left_to_torch() -> None:
    assert compile_encoder(build_encoder("resnet50").eval()) is None


@pytest.mark.parametrize("size", [320, 257, 70, 33, 5])
@pytest.mark.parametrize("all_blocks", [False, True])
def test_in_strips_a_photo_is_seen_as_it_is_whole(
    fast: NeuralCaptioner, size: int, all_blocks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if all_blocks:
        monkeypatch.setattr(openvino, "LARGE", 0)
    assert fast.info.device.endswith("OpenVINO")
    encoder = load_checkpoint(model_folder("default")).encoder
    fold_batch_norm(encoder)
    encoder.preprocessing = Preprocessing(size, (0.4, 0.5, 0.6), (0.2, 0.3, 0.25))  # other encoders have one for all
    photos = np.random.default_rng(size).integers(0, 256, (3, size, size, 3), np.uint8)
    compiled = compile_encoder(encoder)
    assert compiled is not None
    with torch.inference_mode():
        wanted = encoder(encoder.preprocessing.normalise(torch.from_numpy(photos).permute(0, 3, 1, 2)))
    torch.testing.assert_close(compiled(photos), wanted, rtol=1e-3, atol=1e-3)


def test_the_checkpoint_keeps_its_own_encoder() -> None:
    checkpoint = load_checkpoint(model_folder("default"))
    before = {name: value.clone() for name, value in checkpoint.encoder.state_dict().items()}
    Runtime(checkpoint, CPU)
    after = checkpoint.encoder.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_nothing_that_reports_to_its_makers_is_imported(fast: NeuralCaptioner) -> None:
    assert fast.info.device.endswith("OpenVINO")
    assert [name for name in sys.modules if "telemetry" in name or name.startswith("openvino.tools")] == []
