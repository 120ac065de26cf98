"""The stage in which encoder, term head and decoder learn at once: on a small encoder alone, and within a whole run."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from photoindex.captioner.checkpoint import load_checkpoint
from photoindex.captioner.encoders import ENCODERS, Encoder, InvertedResidual, Preprocessing, set_drop_path
from photoindex.captioner.network import DecoderConfig, TermHead, TermHeadConfig, build_decoder
from photoindex.captioner.vocabulary import Vocabulary
from photoindex.cli.train import _recipe
from photoindex.cli.train import train as train_command
from photoindex.training.caption_scores import caption_photos
from photoindex.training.captions import CaptionRecipe, encoded_captions
from photoindex.training.datasets import CaptionedPhoto
from photoindex.training.device_augmentation import Augmentation, varied
from photoindex.training.features import View, pixel_cache
from photoindex.training.joint import JointInputs, JointRecipe, JointStage, Networks, plain_members
from photoindex.training.loop import Loop, Schedule, TrainingProgress
from photoindex.training.photo_sets import PhotoSets
from photoindex.training.recipes import RECIPES, Recipe
from photoindex.training.reward import RewardRecipe
from photoindex.training.sentences import SIZE, Meanings
from photoindex.training.terms import TermRecipe, contrastive
from photoindex.training.train import RUN_SUFFIX, train

CPU = torch.device("cpu")
COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (30, 40, 220), "white": (240, 240, 240)}
CAPTIONS = {name: f"a {name} wall stands in the sun" for name in COLOURS}
RECIPE = JointRecipe(
    epochs=30, batch_photos=4, encoder_rate=0.01, head_rate=0.01, decoder_rate=0.01, hidden_size=16, dropout=0.0,
    threshold=1, pair_threshold=1, warmup_steps=0, augmentation=Augmentation(colour=0.0, erased=0.0),
)  # fmt: skip


class SmallEncoder(Encoder):
    """Two blocks at 32 pixels."""

    feature_dim = 8
    preprocessing = Preprocessing(32, (0.5,) * 3, (0.25,) * 3)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 4, 4)
        self.blocks = nn.Sequential(*(InvertedResidual(8, 8, 3, 1, 2) for _ in range(2)))
        self.classifier = nn.Linear(8, 10)

    def trunk(self, images: Tensor) -> Tensor:
        found: Tensor = self.stem(images)
        return found

    def tail(self, maps: Tensor) -> Tensor:
        return F.relu(self.blocks(maps))

    def tail_modules(self) -> tuple[nn.Module, ...]:
        return (self.blocks,)

    def classify(self, feature_map: Tensor) -> Tensor:
        found: Tensor = self.classifier(feature_map.mean((2, 3)))
        return found


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[CaptionedPhoto]:
    """A wall of each colour to learn from, and one to try."""
    folder, noise, made = tmp_path_factory.mktemp("walls"), np.random.default_rng(1), []
    for name, colour in COLOURS.items():
        for split in ("train", "val"):
            pixels = np.clip(np.array(colour) + noise.normal(0, 10, (64, 48, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{name}-{split}.png")
            made.append(CaptionedPhoto(folder / f"{name}-{split}.png", split, (CAPTIONS[name],) * 2))
    return made


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that share so little work mostly wait for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def stage_of(sets: PhotoSets, cache: Path, recipe: JointRecipe = RECIPE) -> JointStage:
    torch.manual_seed(1)
    encoder = SmallEncoder()
    terms = sets.terms(sets.trained(), 1, 1)
    words = Vocabulary.from_captions(sets.captions(sets.trained()), 1)
    head = TermHead(TermHeadConfig(len(terms), encoder.feature_dim, recipe.hidden_size, recipe.dropout, somebody=True))
    decoder = build_decoder(DecoderConfig("attention", len(words), 8, recipe.hidden_size, 16, 2, 3, 0.0))
    said = sorted(set(sets.captions(sets.trained())))
    trained, plain = sets.trained(), plain_members(sets)
    inputs = JointInputs(
        sets,
        terms,
        pixel_cache([View(sets.photos[n].path) for n in trained], 40, cache),
        trained,
        pixel_cache([View(sets.photos[n].path) for n in plain], 32, cache),
        plain,
        Meanings(said, torch.eye(len(said), SIZE), CPU),
        encoded_captions(sets.photos, sets.trained(), sets.noisy, words, CaptionRecipe()),
    )
    return JointStage(inputs, Networks(encoder, head, decoder), recipe, CPU)


def train_stage(stage: JointStage, file: Path, recipe: JointRecipe = RECIPE) -> dict[str, object]:
    schedule = Schedule(recipe.epochs, recipe.batch_photos, recipe.warmup_steps, recipe.clip_norm, recipe.seed)
    return Loop(stage, schedule, file, asdict(recipe)).run()


# ---- views ------------------------------------------------------------------------------------------


def test_views_have_the_size_and_range_asked_for_and_are_repeated_by_a_seed() -> None:
    photos = torch.randint(0, 256, (5, 3, 40, 40), dtype=torch.uint8)
    for change in (Augmentation(), Augmentation(smallest_area=0.05, colour=0.9, degrees=90.0, erased=1.0)):
        views = []
        for seed in (3, 3, 4):
            torch.manual_seed(seed)
            views.append(varied(photos, 32, change))
        assert views[0].shape == (5, 3, 32, 32)
        assert views[0].dtype == torch.float32
        assert 0 <= views[0].min() <= views[0].max() <= 255
        assert torch.equal(views[0], views[1])
        assert not torch.equal(views[0], views[2])


def test_without_changes_a_view_is_the_photo_or_its_mirror_image() -> None:
    photos = torch.randint(0, 256, (6, 3, 32, 32), dtype=torch.uint8)
    # An aspect of its own makes a view of the whole area smaller than the photo, so light is all that is left out here.
    gradient = torch.arange(32).mul(8).to(torch.uint8).expand(6, 3, 32, 32)
    torch.manual_seed(1)
    views = varied(gradient, 32, Augmentation(smallest_area=1.0, colour=0.0, degrees=0.0, erased=0.0))
    rising = (views[:, :, :, -1] - views[:, :, :, 0]).mean((1, 2))
    assert {*rising.sign().tolist()} == {-1.0, 1.0}
    assert varied(photos, 32, Augmentation(erased=1.0)).eq(127.5).flatten(1).any(1).all()
    assert not varied(photos, 32, Augmentation(erased=0.0)).eq(127.5).flatten(1).sum(1).gt(10).any()


# ---- parts ------------------------------------------------------------------------------------------


def test_captions_that_mean_the_same_share_their_photos() -> None:
    meanings = F.normalize(torch.tensor([[1.0, 0.0], [0.99, 0.1], [0.0, 1.0]]), dim=1)
    shares = Meanings.shared(meanings, torch.tensor([0, 1, 2]), 3, 0.2, 0.07)
    assert shares.sum(1).tolist() == pytest.approx([1, 1, 1])
    assert shares[0, 0] > 0.8
    assert shares[0, 1] > 0.09 > 0.001 > shares[0, 2]
    own = Meanings.shared(meanings, torch.tensor([0, 1, 2]), 3, 0.0, 0.07)
    assert torch.equal(own, torch.eye(3))


def test_a_contrastive_loss_with_targets_of_one_caption_each_is_the_usual_one() -> None:
    scores, owners, weights = torch.randn(4, 4), torch.arange(4), torch.rand(4)
    hard = contrastive(scores, owners, weights)
    assert torch.allclose(hard, contrastive(scores, owners, weights, torch.eye(4)), atol=1e-5)
    shared = torch.full((4, 4), 0.1) + 0.6 * torch.eye(4)
    assert not torch.allclose(hard, contrastive(scores, owners, weights, shared), atol=1e-3)


def test_blocks_are_left_out_in_training_alone() -> None:
    encoder = SmallEncoder()
    set_drop_path(encoder, 1.0)
    assert [block.drop_path for block in encoder.blocks] == [0.0, 0.5]
    images = torch.randn(32, 3, 32, 32)
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
    whole = encoder.eval()(images)
    encoder.train()
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    changed = (encoder(images) - whole).abs().flatten(1).amax(1) > 1e-6
    assert changed.any()
    assert torch.equal(encoder.eval()(images), whole)


def test_a_label_takes_part_in_terms_and_in_captions(photos: list[CaptionedPhoto], cache: Path) -> None:
    people = [photo for photo in photos if "white" not in photo.path.name]
    label = [replace(photo, captions=("a screen",)) for photo in photos if photo.path.name == "white-train.png"]
    sets = PhotoSets.gathered(people, labelled=label)
    [thing] = sets.labelled
    recipe = replace(RECIPE, labelled_share=1.0)
    assert thing in stage_of(sets, cache, recipe).members(0)
    assert thing not in stage_of(sets, cache, replace(recipe, labelled_share=0.0)).members(0)
    assert "screen" in sets.terms(sets.trained(), 1, 9).terms
    assert "screen" not in sets.terms(sets.captioned(), 1, 9).terms


def test_every_weight_is_trained_once_and_blocks_near_the_pixels_more_slowly(
    photos: list[CaptionedPhoto], cache: Path
) -> None:
    stage = stage_of(PhotoSets.gathered(photos), cache)
    groups = stage.groups()
    trained = [id(parameter) for group in groups for parameter in group["params"]]
    every = {id(p) for module in stage.modules().values() for p in module.parameters()}
    assert len(trained) == len(set(trained))
    assert set(trained) == every
    encoder: Any = stage.modules()["encoder"]
    rate = {id(p): group["lr"] for group in groups for p in group["params"]}
    rates = [rate[id(p)] for p in (encoder.stem.weight, encoder.blocks[0].project.weight, encoder.classifier.weight)]
    assert rates == pytest.approx([0.01 * 0.95**3, 0.01 * 0.95**2, 0.01])
    assert all(group["weight_decay"] == 0 for group in groups for p in group["params"] if p.dim() == 1)


def test_a_batch_in_parts_has_the_gradient_of_the_whole(
    photos: list[CaptionedPhoto], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gradients = []
    for part in (1, 100):
        monkeypatch.setattr("photoindex.training.joint.CPU_PART", part)
        stage = stage_of(PhotoSets.gathered(photos), cache, replace(RECIPE, drop_path=0.0))
        for module in stage.modules().values():
            module.train()
        torch.manual_seed(2)
        stage.loss(stage.members(0), random.Random(1))[0].backward()
        encoder: Any = stage.modules()["encoder"]
        gradients.append(encoder.stem.weight.grad)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-3, atol=1e-6)


# ---- the stage --------------------------------------------------------------------------------------


def test_the_stage_learns_a_handful_of_photos_by_heart(
    photos: list[CaptionedPhoto], tmp_path: Path, cache: Path
) -> None:
    stage = stage_of(PhotoSets.gathered(photos), cache)
    before = {key: value.clone() for key, value in stage.modules()["encoder"].state_dict().items()}
    record = train_stage(stage, tmp_path / "joint.run.safetensors")
    history: Any = record["history"]
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]
    assert max(epoch["recall_1"] for epoch in history) == 100
    after = stage.modules()["encoder"].state_dict()
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    assert "stem.weight" in moved
    assert not {key for key in moved if "running" in key}  # statistics stay as released
    assert stage.greatest_impact() > 0


# ---- within a whole run -----------------------------------------------------------------------------

TINY = Recipe(
    encoder="small",
    views=2,
    words=TermRecipe(epochs=0),
    joint=replace(RECIPE, epochs=12, batch_photos=2, dropout=0.2),
    captions=CaptionRecipe(hidden_size=64, heads=2, dropout=0.0, threshold=1, epochs=20, learning_rate=0.01,
                           warmup_steps=0, label_smoothing=0.0, batch_photos=2, text_captions=0),
    reward=RewardRecipe(epochs=1, batch_photos=4, warmup_steps=0, person_penalty=1.0),
)  # fmt: skip


@pytest.fixture
def small_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """An encoder that needs no released weights and no time."""
    monkeypatch.setitem(ENCODERS, "small", SmallEncoder)
    monkeypatch.setattr("photoindex.training.train.load_pretrained", lambda *_: "no weights")


def run(
    photos: list[CaptionedPhoto], output: Path, cache: Path, recipe: Recipe = TINY, **options: Any
) -> dict[str, Any]:
    for package in ("pycocoevalcap", "tokenizers", "all_minilm_l6_v2"):
        pytest.importorskip(package, reason=f"training needs {package}")
    return train(photos, recipe, output, name="tiny", device=CPU, cache_folder=cache, **options)


class Stop(Exception):
    """The power goes."""


def test_a_joint_run_survives_a_kill_and_ends_with_a_model_that_captions_and_has_terms(
    photos: list[CaptionedPhoto], tmp_path: Path, cache: Path, small_encoder: None
) -> None:
    def cut(progress: TrainingProgress) -> None:
        if progress.stage == "joint" and (progress.epoch, progress.done) == (12, 1):
            raise Stop

    record = run(photos, tmp_path / "whole", cache)
    assert set(record["stages"]) == {"joint", "captions", "reward"}
    kept = {file.name for file in cache.iterdir()}
    with pytest.raises(Stop):
        run(photos, tmp_path / "cut", cache, progress=cut, checkpoint_seconds=0.0)
    first = replace(TINY, captions=replace(TINY.captions, epochs=1), reward=replace(TINY.reward, epochs=0))
    run(photos, tmp_path / "cut", cache, first, resume=True)
    whole, resumed = (load_file(tmp_path / name / f"joint{RUN_SUFFIX}") for name in ("whole", "cut"))
    assert whole.keys() == resumed.keys()
    for key, value in whole.items():
        torch.testing.assert_close(resumed[key], value)
    model, config = tmp_path / "whole" / "model.safetensors", tmp_path / "whole" / "config.json"
    weights, sizes = load_file(model), config.read_text()
    run(photos, tmp_path / "whole", cache, resume=True)  # of a run that is finished
    assert all(torch.equal(value, weights[key]) for key, value in load_file(model).items())
    assert config.read_text() == sizes
    assert {file.name for file in cache.iterdir()} == kept  # the same weights: nothing is computed again
    checkpoint = load_checkpoint(tmp_path / "whole")
    assert {"red", "wall", "red wall"} <= {*checkpoint.terms}
    unseen = [photo for photo in photos if photo.split == "val"]
    [captions] = caption_photos(checkpoint, unseen, [1], CPU)
    assert captions == list(CAPTIONS.values())


def test_the_recipe_takes_options_and_leaves_the_others_as_they_are() -> None:
    recipe = _recipe("joint", {"word_epochs": 3, "seed": 7, "batch_photos": 16})
    assert (recipe.words.epochs, recipe.joint.epochs, recipe.language.epochs, recipe.captions.epochs) == (0, 3, 2, 9)
    assert {recipe.joint.seed, recipe.language.seed, recipe.captions.seed, recipe.reward.seed} == {7}
    assert (recipe.joint.batch_photos, recipe.captions.batch_photos, recipe.reward.batch_photos) == (256, 16, 16)
    assert _recipe("attention", {"word_epochs": 3}).words.epochs == 3
    assert all(RECIPES[name].joint.epochs == 0 for name in RECIPES if name != "joint")


def test_the_option_has_its_old_name_too() -> None:
    [option] = [parameter for parameter in train_command.params if parameter.name == "recipe"]
    assert option.opts == ["--recipe", "--decoder"]
