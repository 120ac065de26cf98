"""The shipped model, as the pipeline uses it."""

from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from numpy.typing import NDArray

from photoindex.captioner import load_captioner, model_folder, shipped_models
from photoindex.captioner.neural import KIND_THRESHOLD, NeuralCaptioner
from photoindex.config import Settings
from photoindex.errors import CheckpointError, DeviceUnavailable
from photoindex.media.decode import decode_photo

NAMES = ("chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg", "astronaut.png")


def pixels(captioner: NeuralCaptioner) -> list[NDArray[np.uint8]]:
    folder = Path(skimage.data.__file__).parent
    return [decode_photo(folder / name, captioner.info.input_size, 10**9).pixels for name in NAMES]


@pytest.fixture(scope="module")
def shipped() -> NeuralCaptioner:
    return NeuralCaptioner.load(model_folder("default"), device="cpu")


def test_it_sees_what_is_there(shipped: NeuralCaptioner) -> None:
    cat, coffee, motorcycle, *_ = shipped.caption(pixels(shipped))
    assert cat.labels[0].name == "Egyptian cat"
    assert coffee.labels[0].name == "espresso"
    assert "motorcycle" in motorcycle.caption
    for prediction in (cat, coffee, motorcycle):
        assert 3 <= len(prediction.caption.split()) <= 20
        assert "<" not in prediction.caption


def test_it_knows_what_kinds_of_things_it_sees(shipped: NeuralCaptioner) -> None:
    cat, coffee, *others = shipped.caption(pixels(shipped))
    kinds = {kind.name: kind.probability for kind in cat.kinds}
    assert {"cat", "animal"} <= set(kinds)
    assert "drink" in {kind.name for kind in coffee.kinds}
    # All breeds together are surer than the surest of them.
    assert max(label.probability for label in cat.labels) < kinds["cat"] <= kinds["animal"] <= 1
    for prediction in (cat, coffee, *others):
        probabilities = [kind.probability for kind in prediction.kinds]
        assert probabilities == sorted(probabilities, reverse=True)
        assert all(probability >= KIND_THRESHOLD for probability in probabilities)


def test_it_offers_other_captions_with_falling_scores(shipped: NeuralCaptioner) -> None:
    for prediction in shipped.caption(pixels(shipped)):
        scores = [candidate.score for candidate in prediction.candidates]
        assert len(scores) == 3
        assert scores == sorted(scores, reverse=True)
        assert len({candidate.text for candidate in prediction.candidates}) == 3
        assert all(candidate.log_probability < 0 for candidate in prediction.candidates)


def test_a_photo_gets_the_same_caption_alone_and_among_others(shipped: NeuralCaptioner) -> None:
    photos = pixels(shipped)
    together = [prediction.caption for prediction in shipped.caption(photos)]
    assert [shipped.caption([photo])[0].caption for photo in photos] == together


def test_no_photos_no_captions(shipped: NeuralCaptioner) -> None:
    assert shipped.caption([]) == []


def test_it_is_loaded_by_name_by_path_and_by_default(tmp_path: Path) -> None:
    [name] = shipped_models()
    for model in ("default", name, str(model_folder(name))):
        settings = Settings(tmp_path, model=model, device="cpu", beam_width=1, engine="torch")
        assert load_captioner(settings).info.identity.startswith(name)
    with pytest.raises(CheckpointError, match="no model 'nonsense'"):
        load_captioner(Settings(tmp_path, model="nonsense"))


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_said_so(device: str) -> None:
    there = torch.cuda.is_available() if device == "cuda" else torch.backends.mps.is_available()
    if there:
        pytest.skip(f"this machine has {device}")
    with pytest.raises(DeviceUnavailable, match="use --device auto"):
        NeuralCaptioner.load(model_folder("default"), device=device)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU on this machine")
def test_a_gpu_sees_what_the_cpu_sees(shipped: NeuralCaptioner) -> None:
    on_gpu = NeuralCaptioner.load(model_folder("default"), device="cuda")
    ours, theirs = shipped.caption(pixels(shipped)), on_gpu.caption(pixels(on_gpu))
    for one, other in zip(ours, theirs, strict=True):
        # Half precision may turn a near tie; the best caption of one is then among the other's.
        assert one.caption in [candidate.text for candidate in other.candidates]
        assert one.candidates[0].log_probability == pytest.approx(other.candidates[0].log_probability, abs=0.5)
