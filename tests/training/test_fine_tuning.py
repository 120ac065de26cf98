"""Learning from a person's own captions: what it takes, what comes out, and what the model still knows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import skimage.data
import torch
from click.testing import CliRunner
from PIL import Image

from photoindex.captioner import model_folder
from photoindex.captioner.checkpoint import load_checkpoint
from photoindex.captioner.network import DecoderConfig, PhotoFeatures, build_decoder
from photoindex.captioner.vocabulary import Vocabulary
from photoindex.catalogue.editor import Edit
from photoindex.cli.main import main
from photoindex.config import Settings
from photoindex.errors import TrainingError
from photoindex.library import Library
from photoindex.training.fine_tuning import (
    RUN_FILE,
    PersonalRecipe,
    new_words,
    train_personal,
    training_photos,
    with_vocabulary,
    word_f1,
    worse_figures,
)
from tests.support import FakeCaptioner, make_photo

CPU = torch.device("cpu")
CAPTIONS = {"chelsea": "our Minka looking at me", "coffee": "breakfast of Minka's people", "astronaut": None}
CROPS = 12  # of each photo


@pytest.fixture(scope="module")
def corrected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """A library of parts of three photos, of two of which a person said what they show."""
    folder = tmp_path_factory.mktemp("personal")
    (folder / "photos").mkdir()
    for name in CAPTIONS:
        [path] = Path(skimage.data.__file__).parent.glob(f"{name}.*")
        with Image.open(path) as whole:
            small = whole.convert("RGB").resize((320, 320))
            for n in range(CROPS):
                small.crop((n, n, 300 + n % 5, 300 + n % 7)).save(folder / "photos" / f"{name}-{n}.png")
    captioner = FakeCaptioner()
    with Library(Settings(folder / "data", settle_seconds=0.0), lambda _: captioner) as library:
        library.index(folder / "photos")
        editor = library.editor()
        for name, caption in CAPTIONS.items():
            if caption is not None:
                editor.apply(editor.photos_at(sorted((folder / "photos").glob(f"{name}-*"))), Edit(caption))
        yield library


def test_it_learns_the_persons_words_and_keeps_what_it_knew(corrected: Library, tmp_path: Path) -> None:
    base = model_folder("default")
    before = {path.name: path.read_bytes() for path in base.iterdir()}
    recipe = PersonalRecipe(epochs=3, learning_rate=3e-3)
    record = train_personal(corrected._database, base, tmp_path / "mine", recipe, device=CPU, max_pixels=10_000_000)
    assert {path.name: path.read_bytes() for path in base.iterdir()} == before
    assert record["captions"]["learned"] + record["captions"]["held_out"] == 2 * CROPS
    assert record["replayed"] == CROPS
    assert "minka" in record["new_words"]
    first, last = record["before"], record["after"]
    assert last["perplexity"] < first["perplexity"] / 4
    assert last["word_f1"] > first["word_f1"] + 30
    assert last["known_perplexity"] < 1.5 * first["known_perplexity"]
    assert last["known_word_f1"] > 50
    assert record["worse"] == []
    tuned = load_checkpoint(tmp_path / "mine")
    assert tuned.identity.startswith("mine-")
    assert tuned.identity != load_checkpoint(base).identity
    assert tuned.training["personal"]["after"] == last
    assert "fine-tuned on" in (tmp_path / "mine" / "MODEL_CARD.md").read_text()
    assert not (tmp_path / "mine" / RUN_FILE).exists()
    with pytest.raises(TrainingError, match="already holds a model"):
        train_personal(corrected._database, base, tmp_path / "mine", recipe, device=CPU, max_pixels=10_000_000)


def test_a_run_is_resumed_only_where_there_is_one(corrected: Library, tmp_path: Path) -> None:
    for resume, message in ((True, "no run to resume"), (False, "go on with --resume")):
        if not resume:
            (tmp_path / RUN_FILE).write_bytes(b"")
        with pytest.raises(TrainingError, match=message):
            train_personal(
                corrected._database, tmp_path, tmp_path, PersonalRecipe(), device=CPU, max_pixels=1, resume=resume
            )


def test_too_few_captions_are_refused_on_one_line(library: Library, album: Path, tmp_path: Path) -> None:
    paths = [make_photo(album / f"{n}.jpg") for n in range(19)]
    library.index(album)
    editor = library.editor()
    editor.apply(editor.photos_at(paths), Edit("Minka"))
    with pytest.raises(TrainingError, match=r"19 photos .* at least 20") as caught:
        training_photos(library._database, 10)
    assert "\n" not in str(caught.value)
    library.close()
    command = ["--data-dir", str(library.settings.data_dir), "train", "--from-catalogue", "--output", str(tmp_path)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    assert [line for line in result.stderr.splitlines() if "at least 20" in line]


@pytest.mark.parametrize(
    "arguments",
    [["train", "--output", "x"], ["train", "--from-catalogue", "--data", "y", "--output", "x"],
     ["train", "--from-catalogue", "--word-epochs", "1", "--output", "x"]],
)  # fmt: skip
def test_wrong_usage_is_status_2(data_dir: Path, arguments: list[str]) -> None:
    assert CliRunner().invoke(main, ["--data-dir", str(data_dir), *arguments]).exit_code == 2


BETTER = {"perplexity": 20.0, "word_f1": 50.0, "cider": 60.0, "known_perplexity": 9.0, "known_word_f1": 70.0}


@pytest.mark.parametrize(
    ("changes", "worse"),
    [
        ({}, []),
        ({"word_f1": 40.0}, ["word_f1"]),
        ({"word_f1": 39.9}, ["word_f1"]),
        ({"word_f1": float("nan")}, ["word_f1"]),
        ({"perplexity": 30.1}, ["perplexity"]),
        ({"perplexity": float("nan")}, ["perplexity"]),
        ({"perplexity": 30.0}, []),
        ({"cider": 49.0}, ["cider"]),
        ({"word_f1": 1.0, "cider": 2.0, "perplexity": 99.0}, ["perplexity", "word_f1", "cider"]),
        ({"known_perplexity": 99.0}, []),
        ({"known_word_f1": 12.0}, ["known_word_f1"]),
    ],
)
def test_a_model_is_recommended_by_its_own_figures_alone(changes: dict[str, float], worse: list[str]) -> None:
    before = {"perplexity": 30.0, "word_f1": 40.0, "cider": 50.0, "known_perplexity": 5.0, "known_word_f1": 100.0}
    assert worse_figures(before, BETTER | changes) == worse
    without_cider = {name: value for name, value in before.items() if name != "cider"}
    assert worse_figures(without_cider, BETTER | changes) == [name for name in worse if name != "cider"]
    assert worse_figures(before, {}) == ["perplexity", "word_f1", "cider", "known_word_f1"]


@pytest.mark.parametrize("worse", [[], ["word_f1"], ["perplexity", "known_word_f1"]])
def test_the_command_says_whether_to_use_the_model(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worse: list[str]
) -> None:
    record = {"captions": {"learned": 16, "held_out": 4}, "before": BETTER, "after": BETTER, "worse": worse}
    monkeypatch.setattr("photoindex.training.fine_tuning.train_personal", lambda *_, **__: record)
    command = ["--data-dir", str(data_dir), "train", "--from-catalogue", "--output", str(tmp_path / "my model")]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0
    assert ("use it with --model '" in result.stderr) == (worse == [])
    assert ("is not better than" in result.stderr) == (worse != [])
    assert all(name in result.stderr for name in worse)


def test_a_model_that_learned_nothing_is_not_recommended(corrected: Library, tmp_path: Path) -> None:
    recipe = PersonalRecipe(epochs=1, learning_rate=1e-12)
    record = train_personal(
        corrected._database, model_folder("default"), tmp_path / "same", recipe, device=CPU, max_pixels=10_000_000
    )
    assert "word_f1" in record["worse"]
    assert record["after"]["word_f1"] == pytest.approx(record["before"]["word_f1"], abs=5)
    assert "It is no better than" in (tmp_path / "same" / "MODEL_CARD.md").read_text()


class TestWords:
    def test_new_ones_are_those_said_often(self) -> None:
        vocabulary = Vocabulary.from_captions(["a cat"], threshold=1)
        captions = ["Minka and a cat", "Minka Minka", "a Minka of Mio", "Mio"]
        assert new_words(captions, vocabulary, 3) == ("minka",)
        assert new_words(captions, vocabulary, 2) == ("minka", "mio")

    @pytest.mark.parametrize("kind", ["attention", "pooled"])
    def test_a_decoder_with_room_for_more_says_the_same_of_those_it_knew(self, kind: str) -> None:
        torch.manual_seed(1)
        decoder = build_decoder(DecoderConfig(kind, 12, 8, hidden_size=16, heads=2, dropout=0.0)).eval()
        wider = with_vocabulary(decoder, 15).eval()
        features = PhotoFeatures(torch.randn(2, 4, 8), torch.zeros(2, 0))
        words = torch.tensor([1, 4])
        said = [each.logits(each.step(words, each.start(features))[0]) for each in (decoder, wider)]
        assert said[1].shape == (2, 15)
        assert torch.allclose(said[0], said[1][:, :12], atol=1e-6)

    def test_words_in_common(self) -> None:
        assert word_f1("a cat", "A cat!") == 1
        assert word_f1("a dog", "a cat") == pytest.approx(0.5)
        assert word_f1("", "a cat") == 0


def test_the_record_is_json(corrected: Library) -> None:
    photos = training_photos(corrected._database, 5)
    assert json.dumps([each.content_hash for each in photos])
    assert sum(each.caption is None for each in photos) == 5
    assert any(each.held_out for each in photos if each.caption)
