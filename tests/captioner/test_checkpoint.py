"""A model on disk: complete, checked, and never a pickle."""

import copy
import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from photoindex.captioner.beam import SearchSettings
from photoindex.captioner.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from photoindex.captioner.encoders import build_encoder
from photoindex.captioner.model_files import WEIGHTS_FILE, inspect_folder
from photoindex.captioner.network import DecoderConfig, TermHead, TermHeadConfig, build_decoder
from photoindex.captioner.runtime import Runtime
from photoindex.captioner.vocabulary import Vocabulary
from photoindex.errors import CheckpointError, PickleRefused

TERMS = ("dog", "grass", "green grass")
WORDS = Vocabulary.from_captions(["a dog on the grass"], threshold=1)


@pytest.fixture(scope="module")
def original() -> Checkpoint:
    torch.manual_seed(0)
    decoder = build_decoder(DecoderConfig("attention", len(WORDS), 1280, summary_dim=4, hidden_size=8, heads=2)).eval()
    term_head = TermHead(TermHeadConfig(len(TERMS), 1280, hidden_size=4)).eval()
    encoder = build_encoder("efficientnet_lite2").eval()
    settings = SearchSettings(beam_width=5)
    return Checkpoint("tiny", "efficientnet_lite2", encoder, decoder, WORDS, settings, "licence", training={"seed": 1},
                      term_head=term_head, terms=TERMS)  # fmt: skip


@pytest.fixture
def folder(original: Checkpoint, tmp_path: Path) -> Path:
    save_checkpoint(original, tmp_path / "tiny")
    return tmp_path / "tiny"


def test_what_is_saved_is_loaded(original: Checkpoint, folder: Path) -> None:
    loaded = load_checkpoint(folder)
    assert loaded.vocabulary.words == WORDS.words
    assert (loaded.name, loaded.licence, loaded.search, loaded.training) == (
        "tiny",
        "licence",
        original.search,
        {"seed": 1},
    )
    for key, value in original.decoder.state_dict().items():
        torch.testing.assert_close(loaded.decoder.state_dict()[key], value, rtol=1e-3, atol=1e-3)  # stored as float16
    assert not loaded.encoder.training
    assert loaded.terms == TERMS
    assert loaded.term_head is not None
    assert original.term_head is not None
    photo = torch.rand(1, 1280, 9, 9)
    torch.testing.assert_close(loaded.term_head(photo), original.term_head(photo), rtol=1e-2, atol=1e-2)
    assert loaded.features_of(photo).summary.shape == (1, 4)


def test_a_model_without_a_term_head_has_an_empty_summary(original: Checkpoint, tmp_path: Path) -> None:
    decoder = build_decoder(DecoderConfig("pooled", len(WORDS), 1280, hidden_size=8)).eval()
    save_checkpoint(replace(original, decoder=decoder, term_head=None, terms=()), tmp_path / "plain")
    loaded = load_checkpoint(tmp_path / "plain")
    assert loaded.term_head is None
    assert loaded.features_of(torch.rand(2, 1280, 9, 9)).summary.shape == (2, 0)


def test_terms_that_are_not_the_term_heads_are_noticed(folder: Path) -> None:
    (folder / "terms.txt").write_text("dog\ngrass\n")
    with pytest.raises(CheckpointError, match="names 2 terms; the term head has 3"):
        load_checkpoint(folder)


def test_nothing_is_left_half_written(folder: Path) -> None:
    assert not list(folder.glob("*.new"))


def test_the_identity_follows_the_weights(original: Checkpoint, folder: Path) -> None:
    first = load_checkpoint(folder)
    assert load_checkpoint(folder).identity == first.identity
    tensors = load_file(folder / WEIGHTS_FILE)
    tensors["decoder.output_bias"] = tensors["decoder.output_bias"] + 1
    save_file(tensors, folder / WEIGHTS_FILE)
    assert load_checkpoint(folder).identity != first.identity


def test_a_tensor_of_a_wrong_shape_is_named_with_both_shapes(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS_FILE)
    tensors["decoder.region.weight"] = torch.zeros(8, 1279, dtype=torch.float16)
    save_file(tensors, folder / WEIGHTS_FILE)
    with pytest.raises(CheckpointError, match=r"decoder\.region\.weight has shape \(8, 1279\), expected \(8, 1280\)"):
        load_checkpoint(folder)


def test_a_missing_and_an_unknown_tensor_are_named(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS_FILE)
    kept = {key: value for key, value in tensors.items() if key != "encoder.stem.weight"}
    save_file(kept, folder / WEIGHTS_FILE)
    with pytest.raises(CheckpointError, match=r"lacks encoder\.stem\.weight"):
        load_checkpoint(folder)
    save_file({**tensors, "encoder.extra": torch.zeros(1)}, folder / WEIGHTS_FILE)
    with pytest.raises(CheckpointError, match=r"unknown encoder\.extra"):
        load_checkpoint(folder)


def test_numbers_that_are_not_finite_are_refused(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS_FILE)
    tensors["decoder.output_bias"][0] = float("nan")
    save_file(tensors, folder / WEIGHTS_FILE)
    with pytest.raises(CheckpointError, match="not finite"):
        load_checkpoint(folder)


def test_truncated_weights_are_damaged(folder: Path) -> None:
    weights = folder / WEIGHTS_FILE
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(folder)


@pytest.mark.parametrize("name", ["config.json", "vocabulary.txt", WEIGHTS_FILE])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=name.split(".", maxsplit=1)[0]):
        load_checkpoint(folder)


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such folder"):
        load_checkpoint(tmp_path / "nothing")


def test_what_is_saved_again_is_the_same_model(original: Checkpoint, folder: Path, tmp_path: Path) -> None:
    loaded = load_checkpoint(folder)
    for number in range(8):
        save_checkpoint(loaded, tmp_path / f"again {number}")
        assert load_checkpoint(tmp_path / f"again {number}").identity == loaded.identity


def test_a_model_sees_pictures_of_its_own_size_and_is_another_model_with_it(
    original: Checkpoint, tmp_path: Path
) -> None:
    sizes, identities = {"own": 320, "usual": original.encoder.preprocessing.size}, {}
    for name, size in sizes.items():
        encoder = copy.copy(original.encoder)
        encoder.preprocessing = replace(encoder.preprocessing, size=size)
        save_checkpoint(replace(original, encoder=encoder), tmp_path / name)
        loaded = load_checkpoint(tmp_path / name)
        save_checkpoint(loaded, tmp_path / f"{name} again")
        assert load_checkpoint(tmp_path / f"{name} again").encoder.preprocessing == encoder.preprocessing
        assert inspect_folder(tmp_path / name).identity == loaded.identity
        photo = np.zeros((1, size, size, 3), np.uint8)
        assert Runtime(loaded, torch.device("cpu"), engine="torch").encode(photo).shape == (
            1,
            1280,
            *[-(-size // 32)] * 2,
        )
        identities[name] = loaded.identity
    assert identities["own"].endswith("-320")
    assert identities["usual"].count("-") == 1
    assert original.encoder.preprocessing.size == sizes["usual"]


def test_a_vocabulary_of_another_model_is_noticed(folder: Path) -> None:
    (folder / "vocabulary.txt").write_text("\n".join([*WORDS.words, "zebra"]) + "\n")
    with pytest.raises(CheckpointError, match="not of one model"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 99}, "newer photoindex"),
        ({"encoder": "vgg"}, "does not have"),
        ({"decoder": {"kind": "attention"}}, "config"),
        ({"pixels": 63}, "not a whole number from 64 to 1024"),
        ({"pixels": 100_000}, "not a whole number"),
        ({"pixels": "320"}, "not a whole number"),
        ({"pixels": 320.0}, "not a whole number"),
    ],
)
def test_a_config_that_does_not_fit_is_explained(folder: Path, change: dict[str, object], message: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(folder)


class Trap:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".ckpt", ".pkl"])
def test_a_pickle_is_refused_by_name_and_never_run(tmp_path: Path, suffix: str) -> None:
    mark = tmp_path / "ran"
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / f"model{suffix}").write_bytes(pickle.dumps(Trap(mark)))
    for path in (folder, folder / f"model{suffix}"):
        with pytest.raises(PickleRefused, match=rf"model\{suffix} is a pickle"):
            load_checkpoint(path)
    assert not mark.exists()
