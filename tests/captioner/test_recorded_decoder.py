"""A decoder whose steps are recorded says what the decoder says. Without a GPU all but the graphs is the same."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import skimage.data
import torch
from torch import Tensor

from photoindex.captioner import model_folder, recorded_decoder
from photoindex.captioner.beam import SearchSettings, search
from photoindex.captioner.device import choose_device
from photoindex.captioner.fast_decoder import for_inference
from photoindex.captioner.network import DecoderConfig, PhotoFeatures, State, WordSteps, build_decoder
from photoindex.captioner.neural import NeuralCaptioner
from photoindex.captioner.recorded_decoder import LEAST_PHOTOS, RecordedDecoder, Work
from photoindex.media.decode import decode_photo

DEVICE = choose_device()
CONFIG = DecoderConfig("attention", vocabulary_size=40, feature_dim=12, summary_dim=6, hidden_size=16, heads=4, grid=3)


class Counted:
    """A decoder that notes how many rows each of its steps is asked for."""

    def __init__(self, decoder: WordSteps) -> None:
        self._decoder = decoder
        self.start, self.logits = decoder.start, decoder.logits
        self.rows: list[int] = []

    def step(self, words: Tensor, state: State) -> tuple[Tensor, State]:
        self.rows.append(len(words))
        return self._decoder.step(words, state)


def decoder(kind: str = "attention") -> WordSteps:
    torch.manual_seed(3)
    return for_inference(build_decoder(dataclasses.replace(CONFIG, kind=kind)).eval().to(DEVICE))


def photos(count: int, seed: int = 5) -> PhotoFeatures:
    torch.manual_seed(seed)
    return PhotoFeatures(2 * torch.rand(count, 9, 12).to(DEVICE), torch.randn(count, 6).to(DEVICE))


def agree(recorded: RecordedDecoder, plain: WordSteps, features: PhotoFeatures, width: int = 3) -> None:
    settings = SearchSettings(beam_width=width, max_words=9)
    for found, wanted in zip(search(recorded, features, settings), search(plain, features, settings), strict=True):
        assert [h.words for h in found] == [h.words for h in wanted]
        assert [h.log_probability for h in found] == pytest.approx([h.log_probability for h in wanted], rel=1e-4)


@pytest.mark.parametrize("kind", ["attention", "pooled"])
@pytest.mark.parametrize("width", [1, 4])
def test_beam_search_finds_the_same_captions_batch_after_batch(kind: str, width: int) -> None:
    plain = decoder(kind)
    recorded = RecordedDecoder(plain, DEVICE)
    # What is in the memory of a size is another batch's, of as many photos, of fewer and of more.
    for seed, count in enumerate((5, LEAST_PHOTOS, 3, 40, 33, 1, 40)):
        agree(recorded, plain, photos(count, seed), width)
    assert not recorded.problem


def test_a_step_is_made_for_a_few_sizes_only() -> None:
    if DEVICE.type == "cuda":
        pytest.skip("a graph asks its decoder once")
    counted = Counted(decoder())
    recorded = RecordedDecoder(counted, DEVICE)
    for count in range(1, 70):
        search(recorded, photos(count, count), SearchSettings(beam_width=3, max_words=6))
    sizes = [LEAST_PHOTOS, 2 * LEAST_PHOTOS, 4 * LEAST_PHOTOS, 8 * LEAST_PHOTOS]
    assert set(counted.rows) == {size * beams for size in sizes for beams in (1, 3)}


def test_what_is_a_photos_own_is_put_in_its_place_once_a_batch_and_size() -> None:
    recorded, features = RecordedDecoder(decoder(), DEVICE), photos(4)
    with torch.inference_mode():
        before = recorded.start(features)
        words = torch.full((4,), 7, device=DEVICE)
        _, after = recorded.step(words, before)
        # The gist, the values and the keys are those that were given, not the recording's: known by being the same.
        assert [a is b for a, b in zip(after.parts(), before.parts(), strict=True)] == [False] * 4 + [True] * 3
        twin = before.from_parts([part.clone() for part in before.parts()])
        hidden = recorded.step(words, twin)[0].clone()
        other = recorded.start(photos(4, seed=8))
        assert not torch.allclose(recorded.step(words, other)[0], hidden)
        torch.testing.assert_close(recorded.step(words, twin)[0], hidden)


def test_threads_have_their_own_memory() -> None:
    plain = decoder()
    recorded = RecordedDecoder(plain, DEVICE)

    def ask(seed: int) -> None:
        for _ in range(5):
            agree(recorded, plain, photos(9 + seed, 0))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, range(8)))


def test_what_cannot_be_recorded_is_computed_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def refuses(work: Work) -> Work:
        tries.append(work)
        raise RuntimeError("operation not permitted when stream is capturing\nCompile with …")

    for name in ("_as_cuda_graph", "_into_the_same_memory"):
        monkeypatch.setattr(recorded_decoder, name, refuses)
    plain = decoder()
    recorded = RecordedDecoder(plain, DEVICE)
    assert recorded.examine(CONFIG) == "operation not permitted when stream is capturing"
    agree(recorded, plain, photos(5))
    assert len(tries) == 1


def test_a_gpu_short_of_memory_is_no_reason_to_give_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_much(work: Work) -> Work:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    recorded = RecordedDecoder(decoder(), DEVICE)
    with monkeypatch.context() as patched:
        patched.setattr(recorded, "_recorded", too_much)
        with pytest.raises(torch.cuda.OutOfMemoryError):  # the captioner tries again with fewer photos
            agree(recorded, decoder(), photos(5))
    agree(recorded, decoder(), photos(5))
    assert not recorded.problem


def test_the_shipped_model_captions_the_same() -> None:
    pictures = [
        decode_photo(Path(skimage.data.__file__).parent / name, 320, 10**9).pixels
        for name in ("chelsea.png", "coffee.png", "rocket.jpg", "astronaut.png")
    ] * 12  # more than a thread's share
    ways = [NeuralCaptioner.load(model_folder("default"), engine=engine) for engine in ("graphs", "auto")]
    assert ways[0].info.device == ways[1].info.device + ", steps recorded"
    recorded, plain = (way.caption(pictures) for way in ways)
    for one, other in zip(recorded, plain, strict=True):
        assert [c.text for c in one.candidates] == [c.text for c in other.candidates]
    for way in ways:
        way.close()
