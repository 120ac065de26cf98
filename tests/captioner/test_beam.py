"""Beam search, on decoders whose best captions are known."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from photoindex.captioner.beam import SearchSettings, search
from photoindex.captioner.fast_decoder import InferenceDecoder
from photoindex.captioner.grammar import Grammar
from photoindex.captioner.network import (
    AttentionDecoder,
    CaptionDecoder,
    DecoderConfig,
    PhotoFeatures,
    State,
    build_decoder,
)
from photoindex.captioner.vocabulary import END, START, UNK
from tests.captioner import plain_beam

A, B, C = 4, 5, 6


class Table(CaptionDecoder):
    """Says words with the probabilities of a table: previous word -> next word -> probability."""

    def __init__(self, table: dict[int, dict[int, float]]) -> None:
        super().__init__(DecoderConfig("table", 7, 1))
        self.rows = torch.full((7, 7), -1e9)
        for previous, following in table.items():
            for word, probability in following.items():
                self.rows[previous, word] = math.log(probability)

    def start(self, features: PhotoFeatures) -> State:
        return State((torch.zeros(len(features), 1),))

    def step(self, words: Tensor, state: State) -> tuple[Tensor, State]:
        return self.rows[words], state

    def logits(self, hidden: Tensor) -> Tensor:
        return hidden


GARDEN_PATH = {START: {A: 0.6, B: 0.4}, A: {END: 0.3, C: 0.7}, C: {END: 0.3, A: 0.7}, B: {END: 1.0}}
PHOTO = PhotoFeatures(torch.zeros(1, 1, 1), torch.zeros(1, 0))


def test_greedy_search_takes_the_best_word_each_time_and_stops_at_the_first_end() -> None:
    [[best]] = search(Table({**GARDEN_PATH, C: {END: 1.0}}), PHOTO, SearchSettings(beam_width=1))
    assert best.words == (A, C)
    assert best.log_probability == pytest.approx(math.log(0.6 * 0.7))


def test_a_beam_finds_the_likelier_caption_that_greedy_search_walks_past() -> None:
    [hypotheses] = search(Table(GARDEN_PATH), PHOTO, SearchSettings(beam_width=2, length_penalty=0.0))
    assert hypotheses[0].words == (B,)
    assert hypotheses[0].log_probability == pytest.approx(math.log(0.4))


def test_hypotheses_are_distinct_and_sorted_best_first() -> None:
    [hypotheses] = search(Table(GARDEN_PATH), PHOTO, SearchSettings(beam_width=3))
    assert len({h.words for h in hypotheses}) == len(hypotheses) == 3
    assert [h.score for h in hypotheses] == sorted((h.score for h in hypotheses), reverse=True)


def test_no_run_of_three_words_is_said_twice() -> None:
    endless = Table({START: {A: 1.0}, A: {B: 0.99, END: 0.01}, B: {A: 0.99, END: 0.01}})
    [hypotheses] = search(endless, PHOTO, SearchSettings(beam_width=2, max_words=20, say_once=False))
    for hypothesis in hypotheses:
        runs = list(zip(hypothesis.words, hypothesis.words[1:], hypothesis.words[2:], strict=False))
        assert len(runs) == len(set(runs))


def test_a_word_is_said_once_unless_it_is_repeatable() -> None:
    circle = Table({START: {A: 1.0}, A: {B: 0.9, END: 0.1}, B: {A: 0.9, END: 0.1}})
    once = SearchSettings(beam_width=1, no_repeat=0, say_once=True)
    assert search(circle, PHOTO, once)[0][0].words == (A, B)
    assert search(circle, PHOTO, once, Grammar(repeatable=frozenset({A})))[0][0].words == (A, B, A)


def test_a_thing_is_said_in_one_number_unless_words_may_return() -> None:
    in_mountains = Table({START: {A: 1.0}, A: {B: 0.9, END: 0.1}, B: {C: 0.9, END: 0.1}, C: {END: 1.0}})
    for grammar in (Grammar(other_numbers={C: [A], A: [B, C]}), Grammar(other_numbers={A: [C]})):
        once, often = (SearchSettings(beam_width=1, say_once=once) for once in (True, False))
        assert C not in search(in_mountains, PHOTO, once, grammar)[0][0].words
        assert search(in_mountains, PHOTO, often, grammar)[0][0].words == (A, B, C)


@pytest.mark.parametrize("width", [1, 3])
def test_nothing_follows_an_article_that_cannot(width: int) -> None:
    of_a_of = Table({START: {A: 1.0}, A: {B: 0.9, C: 0.1}, B: {A: 0.5, END: 0.5}, C: {B: 0.9, END: 0.1}})
    grammar = Grammar(repeatable=frozenset({A}), articles=frozenset({A}), never_after_articles=frozenset({B}))
    assert search(of_a_of, PHOTO, SearchSettings(beam_width=width), grammar)[0][0].words == (A, C, B)


@pytest.mark.parametrize("width", [1, 3])
def test_no_word_follows_itself_even_if_it_is_repeatable(width: int) -> None:
    stammer = Table({START: {A: 1.0}, A: {A: 0.9, B: 0.06, END: 0.04}, B: {B: 0.9, A: 0.05, END: 0.05}})
    grammar = Grammar(repeatable=frozenset({A, B}))
    [hypotheses] = search(stammer, PHOTO, SearchSettings(beam_width=width, no_repeat=0), grammar)
    assert hypotheses
    for hypothesis in hypotheses:
        assert all(word != following for word, following in itertools.pairwise(hypothesis.words))


def test_a_caption_is_never_empty_and_never_says_unknown() -> None:
    shy = Table({START: {END: 0.9, UNK: 0.09, A: 0.01}, A: {UNK: 0.9, END: 0.1}})
    [hypotheses] = search(shy, PHOTO, SearchSettings(beam_width=2))
    assert hypotheses[0].words == (A,)


def test_a_caption_ends_at_the_longest_length_even_if_the_model_would_go_on() -> None:
    chatty = Table({START: {A: 0.5, B: 0.5}, A: {A: 0.5, B: 0.49, END: 0.01}, B: {A: 0.5, B: 0.49, END: 0.01}})
    [hypotheses] = search(
        chatty, PHOTO, SearchSettings(beam_width=2, max_words=6, no_repeat=0, say_once=False, length_penalty=1.0)
    )
    assert hypotheses
    assert max(len(h.words) for h in hypotheses) <= 6


def test_a_wide_beam_finds_the_best_of_all_captions() -> None:
    torch.manual_seed(3)
    decoder = build_decoder(DecoderConfig("attention", 7, 4, hidden_size=8, heads=2, dropout=0.0)).eval()
    photo = PhotoFeatures(torch.randn(1, 3, 4), torch.zeros(1, 0))
    settings = SearchSettings(beam_width=16, max_words=2, length_penalty=0.0, no_repeat=0, say_once=False)
    [hypotheses] = search(decoder, photo, settings)

    def log_probability(words: tuple[int, ...]) -> float:
        state, total = decoder.start(photo), 0.0
        for previous, word in itertools.pairwise((START, *words, END)):
            hidden, state = decoder.step(torch.tensor([previous]), state)
            total += decoder.logits(hidden).log_softmax(1)[0, word].item()
        return total

    with torch.inference_mode():
        everything = {words: log_probability(words) for n in (1, 2) for words in itertools.product((A, B, C), repeat=n)}
    best = max(everything, key=lambda words: everything[words])
    assert hypotheses[0].words == best
    for hypothesis in hypotheses:
        assert hypothesis.log_probability == pytest.approx(everything[hypothesis.words], abs=1e-4)


@pytest.mark.parametrize("width", [1, 3])
def test_photos_captioned_together_get_the_captions_they_get_alone(width: int) -> None:
    torch.manual_seed(1)
    decoder = build_decoder(DecoderConfig("attention", 30, 4, hidden_size=8, heads=2, dropout=0.0)).eval()
    regions = torch.randn(5, 3, 4)
    settings = SearchSettings(beam_width=width)
    together = search(decoder, PhotoFeatures(regions, torch.zeros(5, 0)), settings)
    for number, expected in enumerate(together):
        [alone] = search(decoder, PhotoFeatures(regions[number : number + 1], torch.zeros(1, 0)), settings)
        assert [h.words for h in alone] == [h.words for h in expected]


def test_evidence_lifts_the_caption_whose_words_the_photo_speaks_for() -> None:
    settings = SearchSettings(beam_width=2, length_penalty=0.0, evidence=1.0)
    evidence = torch.zeros(2, 7)
    evidence[1, [A, C]] = 1.0
    twice = PhotoFeatures(PHOTO.regions.expand(2, 1, 1), PHOTO.summary.expand(2, 0))
    plain, lifted = search(Table(GARDEN_PATH), twice, settings, evidence=evidence)
    assert plain[0].words == (B,)
    assert lifted[0].words == (A, C)
    assert lifted[0].log_probability == pytest.approx(math.log(0.6 * 0.7 * 0.3))  # still the decoder's own
    assert lifted[0].score == pytest.approx(lifted[0].log_probability + 2)


def test_a_word_said_twice_is_evidence_once() -> None:
    settings = SearchSettings(beam_width=1, no_repeat=0, say_once=False, length_penalty=0.0, evidence=1.0)
    echo = Table({START: {A: 1.0}, A: {B: 1.0}, B: {C: 1.0}, C: {A: 0.4, END: 0.6}})
    [[best]] = search(echo, PHOTO, settings, evidence=torch.ones(1, 7))
    assert best.score == pytest.approx(best.log_probability + len(set(best.words)))


def test_doubts_drop_a_word_from_the_beam_that_later_words_would_have_saved() -> None:
    settings = SearchSettings(beam_width=1, length_penalty=0.0)
    doubts = torch.zeros(2, 7)
    doubts[1, A] = -2.0
    twice = PhotoFeatures(PHOTO.regions.expand(2, 1, 1), PHOTO.summary.expand(2, 0))
    plain, doubted = search(Table({**GARDEN_PATH, C: {END: 1.0}}), twice, settings, doubts=doubts)
    assert plain[0].words == (A, C)
    assert doubted[0].words == (B,)


def test_what_a_doubted_word_costs_is_in_the_score_alone() -> None:
    settings = SearchSettings(beam_width=2, length_penalty=0.0)
    doubts = torch.zeros(1, 7)
    doubts[0, B] = -0.1
    [hypotheses] = search(Table(GARDEN_PATH), PHOTO, settings, doubts=doubts)
    assert hypotheses[0].words == (B,)
    assert hypotheses[0].log_probability == pytest.approx(math.log(0.4))
    assert hypotheses[0].score == pytest.approx(math.log(0.4) - 0.1)


@pytest.mark.parametrize(
    "settings",
    [
        SearchSettings(beam_width=1),
        SearchSettings(beam_width=2, no_repeat=2, say_once=False),
        SearchSettings(beam_width=3, max_words=1),
        SearchSettings(beam_width=3, length_penalty=0.0, doubt=1.0),
        SearchSettings(beam_width=5, length_penalty=0.7, evidence=0.2, doubt=1.0),
        SearchSettings(beam_width=20, no_repeat=0, say_once=False, max_words=6),
        SearchSettings(beam_width=4, no_repeat=1, say_once=False),
    ],
    ids=str,
)
@pytest.mark.parametrize("words", [6, 9, 60])
def test_it_finds_what_following_each_hypothesis_by_itself_finds(settings: SearchSettings, words: int) -> None:
    torch.manual_seed(words)
    decoder = build_decoder(DecoderConfig("attention", words, 4, hidden_size=16, heads=2, dropout=0.0)).eval()
    assert isinstance(decoder, AttentionDecoder)
    decoder.output_bias.data[END] = 1.0  # captions of all lengths
    features = PhotoFeatures(3 * torch.randn(40, 3, 4), torch.zeros(40, 0))
    others = {word: [word + 1, 4][: 1 + word % 2] for word in range(4, words - 1, 5)}
    grammar = Grammar(frozenset(range(4, words, 3)), others, frozenset({4, 5}), frozenset({4, words - 1}))
    evidence, doubts = torch.rand(40, words), -torch.rand(40, words) * 2
    given = (features, settings, grammar, evidence, doubts if settings.doubt else None)
    expected = plain_beam.search(decoder, *given)
    for shipped in (decoder, InferenceDecoder(decoder)):
        for found, wanted in zip(search(shipped, *given), expected, strict=True):
            assert [h.words for h in found] == [h.words for h in wanted]
            assert [h.score for h in found] == pytest.approx([h.score for h in wanted], abs=1e-4)
            own = [h.log_probability for h in wanted]
            assert [h.log_probability for h in found] == pytest.approx(own, abs=1e-4)


def test_of_no_photos_nothing_is_said() -> None:
    assert search(Table(GARDEN_PATH), PhotoFeatures(torch.zeros(0, 1, 1), torch.zeros(0, 0)), SearchSettings()) == []
