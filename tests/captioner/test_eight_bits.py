"""The encoder in 8 bits: near the one it is made from, only used where a processor computes rightly, and its file."""

from __future__ import annotations

import copy
import dataclasses
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from numpy.typing import NDArray

from photoindex.captioner import eight_bits, model_folder
from photoindex.captioner.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from photoindex.captioner.eight_bits import (
    EightBitWeights,
    adds_pairs,
    convolutions,
    digest_of,
    encoder_of,
    is_right,
    load_eight_bits,
    save_eight_bits,
    weights_of,
    whole_weights,
)
from photoindex.captioner.eight_bits import (
    test_picture as picture_for_tests,
)
from photoindex.captioner.encoders import EfficientNetLite2, build_encoder, fold_batch_norm
from photoindex.captioner.model_files import EIGHT_BITS_FILE, inspect_folder
from photoindex.captioner.openvino import CompiledEncoder, compile_encoder
from photoindex.captioner.runtime import Runtime
from photoindex.errors import CheckpointError
from photoindex.media.decode import decode_photo

FLAGS = {  # as Linux names them
    "AVX512_CORE_AMX": "amx_int8",
    "AVX512_CORE_VNNI": "avx512_vnni",
    "AVX2_VNNI": "avx_vnni",
    "AVX512_CORE": "avx512bw",
    "AVX2": "avx2",
}
ROOT = Path(__file__).parents[2]
NEAR = 0.03  # what features may differ by, as a share

SEE_BY_SHIPPED = """
import sys
import numpy as np
from photoindex.captioner import model_folder
from photoindex.captioner.checkpoint import load_checkpoint
from photoindex.captioner.encoders import fold_batch_norm
from photoindex.captioner.openvino import compile_encoder
checkpoint = load_checkpoint(model_folder("default"))
fold_batch_norm(checkpoint.encoder)
compiled = compile_encoder(checkpoint.encoder, eight_bits=checkpoint.eight_bits)
np.save(f"{sys.argv[1]}/maps.npy", compiled(np.load(f"{sys.argv[1]}/photos.npy")).numpy())
print(compiled.bits)
"""
SEE_BY_NEAREST = """
from photoindex.captioner import eight_bits, openvino
from photoindex.training import weight_rounding
from tests.training.small_encoder import SIZE, folded, pictures, small_checkpoint
encoder = folded(small_checkpoint())
eight_bits.adds_pairs = weight_rounding.adds_pairs = lambda module: LIMITED and module.groups == 1
student = weight_rounding.prepare(encoder, [encoder.preprocessing.normalise(pictures(SIZE).float())])
print(openvino.compile_encoder(encoder, eight_bits=eight_bits.weights_of(student, "")).bits)
"""


@pytest.fixture(scope="module")
def shipped() -> Checkpoint:
    return load_checkpoint(model_folder("default"))


@pytest.fixture(scope="module")
def weights(shipped: Checkpoint) -> EightBitWeights:
    assert shipped.eight_bits is not None
    return shipped.eight_bits


@pytest.fixture(scope="module")
def photos(shipped: Checkpoint) -> NDArray[np.uint8]:
    folder = Path(skimage.data.__file__).parent
    size = shipped.encoder.preprocessing.size
    names = ("chelsea.png", "coffee.png", "astronaut.png")
    return np.stack([decode_photo(folder / name, size, 10**9).pixels for name in names])


def folded(checkpoint: Checkpoint) -> EfficientNetLite2:
    encoder = copy.deepcopy(checkpoint.encoder)
    assert isinstance(encoder, EfficientNetLite2)
    fold_batch_norm(encoder)
    return encoder


def compiled(checkpoint: Checkpoint, weights: EightBitWeights | None) -> CompiledEncoder:
    found = compile_encoder(folded(checkpoint), eight_bits=weights)
    if found is None:
        pytest.skip("OpenVINO is not installed")
    return found


def seen_with(instructions: str, script: str, folder: Path) -> str:
    """What a script prints on a processor that has no later instructions than these."""
    if find_spec("openvino") is None:
        pytest.skip("OpenVINO is not installed")
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    if f" {FLAGS[instructions]} " not in flags:
        pytest.skip("this processor has no such instructions")
    environment = os.environ | {"ONEDNN_MAX_CPU_ISA": instructions}
    command = [sys.executable, "-c", script, os.fspath(folder)]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def maps_with(instructions: str, photos: NDArray[np.uint8], folder: Path) -> NDArray[np.float32]:
    """What the shipped encoder in 8 bits sees there."""
    np.save(folder / "photos.npy", photos)
    assert seen_with(instructions, SEE_BY_SHIPPED, folder) == "8"
    maps: NDArray[np.float32] = np.load(folder / "maps.npy")
    return maps


@pytest.fixture(scope="module")
def with_avx2(photos: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> NDArray[np.float32]:
    return maps_with("AVX2", photos, tmp_path_factory.mktemp("AVX2"))


def off(weights: EightBitWeights) -> EightBitWeights:
    """Weights that no processor computes rightly with."""
    return dataclasses.replace(weights, tensors={**weights.tensors, "test": weights.tensors["test"] * 1.2})


def distance(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((found - wanted).norm() / wanted.norm())


def test_it_sees_nearly_what_the_encoder_sees(
    shipped: Checkpoint, weights: EightBitWeights, photos: NDArray[np.uint8]
) -> None:
    plain = folded(shipped)
    images = plain.preprocessing.normalise(torch.from_numpy(photos).permute(0, 3, 1, 2))
    with torch.inference_mode():
        wanted = plain(images)
        assert 0 < distance(encoder_of(weights, folded(shipped))(images), wanted) < NEAR


def test_compiled_it_sees_nearly_the_same(
    shipped: Checkpoint, weights: EightBitWeights, photos: NDArray[np.uint8]
) -> None:
    in_eight, in_full = compiled(shipped, weights), compiled(shipped, None)
    assert in_full.bits == 32
    wanted = in_full(photos)
    found = in_eight(photos)
    assert found.shape == wanted.shape
    assert distance(found, wanted) < NEAR
    assert (distance(found, wanted) > 0) == (in_eight.bits == 8)


def test_alone_or_together_a_photo_looks_the_same(
    shipped: Checkpoint, weights: EightBitWeights, photos: NDArray[np.uint8]
) -> None:
    encoder = compiled(shipped, weights)
    together = encoder(photos)
    assert all(torch.equal(encoder(photos[n : n + 1])[0], together[n]) for n in range(len(photos)))


@pytest.mark.parametrize("instructions", ["AVX512_CORE_AMX", "AVX512_CORE_VNNI", "AVX2_VNNI", "AVX512_CORE"])
def test_a_photo_looks_the_same_with_and_without_instructions_for_it(
    instructions: str, photos: NDArray[np.uint8], with_avx2: NDArray[np.float32], tmp_path: Path
) -> None:
    assert np.array_equal(maps_with(instructions, photos, tmp_path), with_avx2)


def test_without_instructions_for_it_a_photo_looks_nearly_as_in_32_bits(
    shipped: Checkpoint, photos: NDArray[np.uint8], with_avx2: NDArray[np.float32]
) -> None:
    plain = folded(shipped)
    with torch.inference_mode():
        wanted = plain(plain.preprocessing.normalise(torch.from_numpy(photos).permute(0, 3, 1, 2)))
    assert distance(torch.from_numpy(with_avx2), wanted) < NEAR


def test_weights_stay_within_their_limits(shipped: Checkpoint, weights: EightBitWeights) -> None:
    for name, module in convolutions(folded(shipped)):
        if weights.holds(name):
            stored = weights.tensors[f"{name}.weight"].float()
            assert torch.equal(whole_weights(stored, adds_pairs(module)), stored), name


@pytest.mark.parametrize("inputs", [4, 5])
def test_the_second_of_a_pair_is_bounded_by_the_first(inputs: int) -> None:
    given = torch.tensor(
        [[100.4, 50.0, 100.0, -60.0, 200.0], [-100.0, -50.0, -0.6, -140.0, -3.5], [1.2, 127.3, 0.0, 3.0, 0.4]]
    )
    wanted = torch.tensor(
        [[100.0, 28.0, 100.0, -60.0, 127.0], [-100.0, -28.0, -1.0, -127.0, -4.0], [1.0, 127.0, 0.0, 3.0, 0.0]]
    )
    weight = given[:, :inputs, None, None].requires_grad_()
    found = whole_weights(weight, True)
    assert torch.equal(found[:, :, 0, 0], wanted[:, :inputs])
    found.sum().backward()
    learns = torch.ones(3, 5)
    learns[0, 1] = learns[0, 4] = learns[1, 1] = learns[1, 3] = learns[2, 1] = 0  # beyond their limits
    assert weight.grad is not None
    assert torch.equal(weight.grad[:, :, 0, 0], learns[:, :inputs])


@pytest.mark.parametrize(("limited", "bits"), [(True, "8"), (False, "32")])
def test_weights_that_overflow_are_not_used(limited: bool, bits: str, tmp_path: Path) -> None:
    """Small pictures and weights rounded to the nearest will do here."""
    assert seen_with("AVX2", SEE_BY_NEAREST.replace("LIMITED", str(limited)), tmp_path) == bits


def test_what_it_should_see_is_told_from_what_is_off(shipped: Checkpoint, weights: EightBitWeights) -> None:
    picture = torch.from_numpy(picture_for_tests(shipped.encoder.preprocessing.size)[None]).permute(0, 3, 1, 2)
    rounded = encoder_of(weights, folded(shipped))
    with torch.inference_mode():
        maps = rounded(shipped.encoder.preprocessing.normalise(picture))
    assert is_right(weights, maps)
    assert not is_right(weights, maps * 0.95)
    assert not is_right(weights, maps + 0.1)


def test_a_processor_that_computes_wrongly_with_them_takes_32_bits(
    shipped: Checkpoint, weights: EightBitWeights, photos: NDArray[np.uint8]
) -> None:
    found = compiled(shipped, off(weights))
    assert found.bits == 32
    assert torch.equal(found(photos), compiled(shipped, None)(photos))


@pytest.mark.parametrize(("engine", "has"), [("float", False), ("torch", False)])
def test_who_asks_for_32_bits_gets_them(shipped: Checkpoint, engine: str, has: bool) -> None:
    assert ("8 bits" in Runtime(shipped, torch.device("cpu"), engine=engine).engine) == has


def test_what_was_stored_is_read_again(shipped: Checkpoint, weights: EightBitWeights, tmp_path: Path) -> None:
    again = weights_of(encoder_of(weights, folded(shipped)), weights.digest)
    assert again.tensors.keys() == weights.tensors.keys()
    assert {value.dtype for name, value in again.tensors.items() if name.endswith(".weight")} == {
        torch.int8, torch.float16, torch.float32,
    }  # fmt: skip
    assert distance(again.tensors["test"], weights.tensors["test"]) < 0.03  # as other threads add up in another order
    for name, value in weights.tensors.items():
        if name == "test":
            continue
        torch.testing.assert_close(again.tensors[name].float(), value.float(), rtol=1e-5, atol=1e-6)
    save_eight_bits(again, tmp_path)
    found = load_eight_bits(tmp_path, shipped.encoder)
    assert found is not None
    assert found.digest == weights.digest == digest_of(shipped.encoder)
    assert all(torch.equal(found.tensors[name], again.tensors[name]) for name in again.tensors)


def test_a_model_without_one_has_none(shipped: Checkpoint, tmp_path: Path) -> None:
    assert load_eight_bits(tmp_path, shipped.encoder) is None


def test_that_of_another_encoder_is_refused(weights: EightBitWeights, tmp_path: Path) -> None:
    save_eight_bits(weights, tmp_path)
    torch.manual_seed(1)
    with pytest.raises(CheckpointError, match="made for another encoder; delete it"):
        load_eight_bits(tmp_path, build_encoder("efficientnet_lite2"))


def test_one_from_another_version_is_refused(
    shipped: Checkpoint, weights: EightBitWeights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eight_bits, "FORMAT", "1")
    save_eight_bits(weights, tmp_path)
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="made by another version of photoindex; delete it"):
        load_eight_bits(tmp_path, shipped.encoder)


@pytest.mark.parametrize("damage", ["cut", "empty", "lacking", "shape", "not finite", "kind", "step", "pickle"])
def test_a_damaged_file_is_refused_in_one_line(
    shipped: Checkpoint, weights: EightBitWeights, tmp_path: Path, damage: str
) -> None:
    tensors = dict(weights.tensors)
    if damage == "lacking":
        del tensors["3.project.bias"]
    elif damage == "shape":
        tensors["3.project.weight"] = tensors["3.project.weight"][:-1]
    elif damage == "not finite":
        tensors["3.project.given_step"] = torch.tensor(float("nan"))
    elif damage == "kind":
        tensors["3.project.weight"] = tensors["3.project.weight"].float()
    elif damage == "step":
        tensors["3.project.step"] = -tensors["3.project.step"]
    save_eight_bits(dataclasses.replace(weights, tensors=tensors), tmp_path)
    [path] = tmp_path.iterdir()
    assert path.name == EIGHT_BITS_FILE
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "pickle":
        torch.save(tensors, path)
    with pytest.raises(CheckpointError, match=path.name) as caught:
        load_eight_bits(tmp_path, shipped.encoder)
    assert "\n" not in str(caught.value)


def test_a_model_that_learned_on_elsewhere_keeps_them(shipped: Checkpoint, tmp_path: Path) -> None:
    save_checkpoint(dataclasses.replace(shipped, name="other"), tmp_path)
    assert load_checkpoint(tmp_path).eight_bits is not None


def test_a_model_whose_encoder_learned_on_loses_them(shipped: Checkpoint, tmp_path: Path) -> None:
    shutil.copy(model_folder("default") / EIGHT_BITS_FILE, tmp_path)
    encoder = copy.deepcopy(shipped.encoder)
    with torch.no_grad():
        encoder.get_parameter("head.weight").mul_(1.01)
    save_checkpoint(dataclasses.replace(shipped, encoder=encoder), tmp_path)
    assert not (tmp_path / EIGHT_BITS_FILE).exists()
    assert load_checkpoint(tmp_path).eight_bits is None


def test_a_cut_file_is_seen_without_loading_the_model(tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(model_folder("default"), model)
    assert inspect_folder(model).identity == inspect_folder(model_folder("default")).identity
    path = model / EIGHT_BITS_FILE
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=EIGHT_BITS_FILE):
        inspect_folder(model)
