"""The rearranged decoder says what the decoder it is made from says."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch

from photoindex.captioner.beam import SearchSettings, search
from photoindex.captioner.fast_decoder import InferenceDecoder, RowState, for_inference, products
from photoindex.captioner.network import AttentionDecoder, DecoderConfig, PhotoFeatures, build_decoder
from photoindex.captioner.openvino import compile_products

CONFIG = DecoderConfig("attention", vocabulary_size=40, feature_dim=12, summary_dim=6, hidden_size=16, heads=4, grid=3)


def model(**changes: Any) -> AttentionDecoder:
    torch.manual_seed(3)
    built = build_decoder(dataclasses.replace(CONFIG, **changes)).eval()
    assert isinstance(built, AttentionDecoder)
    return built


def photos(count: int, summary: int = 6) -> PhotoFeatures:
    torch.manual_seed(5)
    return PhotoFeatures(2 * torch.rand(count, 9, 12), torch.randn(count, summary))


@pytest.mark.parametrize("summary", [0, 6])
def test_step_by_step_it_computes_the_same(summary: int) -> None:
    plain, features = model(summary_dim=summary), photos(3, summary)
    fast = InferenceDecoder(plain)
    with torch.inference_mode():
        expected, actual = plain.start(features), fast.start(features)
        # One row a photo, two, other ones of them; then one photo is done, then another.
        for rows, photos_left in (
            ([0, 1, 2], None), ([0, 0, 1, 1, 2, 2], None), ([1, 0, 2, 2, 5, 4], [0, 2]), ([1, 0, 3, 3], [1]),
        ):  # fmt: skip
            chosen = torch.tensor(rows)
            expected, actual = expected.select(chosen), actual.select(chosen)
            if photos_left:
                expected, actual = (each.keep(torch.tensor(photos_left), 2) for each in (expected, actual))
                rows = rows[: 2 * len(photos_left)]
            words = torch.arange(len(rows)) + 4
            wanted, expected = plain.step(words, expected)
            hidden, actual = fast.step(words, actual)
            torch.testing.assert_close(hidden, wanted, rtol=1e-4, atol=1e-6)
            torch.testing.assert_close(fast.logits(hidden), plain.logits(wanted), rtol=1e-4, atol=1e-6)
    assert isinstance(actual, RowState)
    assert len(actual.keys) == 1  # what is done with is not looked at any more


@pytest.mark.parametrize("width", [1, 4])
def test_beam_search_finds_the_same_captions(width: int) -> None:
    plain, features, settings = model(), photos(5), SearchSettings(beam_width=width, max_words=9)
    expected = search(plain, features, settings)
    for found, wanted in zip(search(InferenceDecoder(plain), features, settings), expected, strict=True):
        assert [h.words for h in found] == [h.words for h in wanted]
        assert [h.log_probability for h in found] == pytest.approx([h.log_probability for h in wanted], rel=1e-4)


def test_a_decoder_it_does_not_know_stays_as_it_is() -> None:
    pooled = build_decoder(dataclasses.replace(CONFIG, kind="pooled")).eval()
    assert for_inference(pooled) is pooled
    assert isinstance(for_inference(model()), InferenceDecoder)


@pytest.mark.parametrize("rows", [1, 2, 33])
@pytest.mark.parametrize("lies", ["row by row", "column by column", "apart"])
def test_products_that_openvino_makes_are_those_of_torch(rows: int, lies: str) -> None:
    torch.manual_seed(7)
    weights = [(torch.randn(24, 40), torch.randn(24)), (torch.randn(5, 40), None)]
    compiled = compile_products(weights, threads=1, streams=1)
    if compiled is None:
        pytest.skip("OpenVINO is not installed")
    given = torch.randn(rows, 40)
    if lies == "column by column":
        given = given.t().contiguous().t()
    elif lies == "apart":
        given = torch.randn(rows, 80)[:, ::2]
    for product, plain in zip(compiled, products(weights), strict=True):
        for _ in range(3):
            torch.testing.assert_close(product(given), plain(given), rtol=1e-4, atol=1e-5)


def test_what_was_answered_stays_when_more_is_asked() -> None:
    compiled = compile_products([(torch.eye(3), None)], threads=1, streams=1)
    if compiled is None:
        pytest.skip("OpenVINO is not installed")
    first = compiled[0](torch.ones(2, 3))
    compiled[0](torch.zeros(2, 3))
    assert first.tolist() == torch.ones(2, 3).tolist()


def test_threads_get_their_own_answers() -> None:
    compiled = compile_products([(torch.eye(64), None)], threads=2, streams=2)
    if compiled is None:
        pytest.skip("OpenVINO is not installed")

    def ask(number: int) -> bool:
        given = torch.full((17, 64), float(number))
        return all(torch.equal(compiled[0](given), given) for _ in range(50))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask, range(8)))
