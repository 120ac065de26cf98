"""Words and their numbers."""

from pathlib import Path

import pytest

from photoindex.captioner.vocabulary import END, SPECIAL, START, UNK, Vocabulary, detokenize, tokenize
from photoindex.errors import CheckpointError


def test_a_caption_is_split_into_lower_case_words_without_punctuation() -> None:
    said = tokenize("A Dog, running -- on the T-shirt's edge .")
    assert said == ["a", "dog", "running", "on", "the", "t-shirt", "'s", "edge"]


def test_contractions_stay_one_word_and_typographic_apostrophes_count() -> None:
    assert tokenize("It doesn’t see the dog’s ball") == ["it", "doesnt", "see", "the", "dog", "'s", "ball"]


def test_letters_beyond_ascii_are_words() -> None:
    assert tokenize("Ein Café in Zürich") == ["ein", "café", "in", "zürich"]


def test_detokenize_puts_the_possessive_back() -> None:
    assert detokenize(tokenize("the dog's ball")) == "the dog's ball"


def test_only_words_seen_often_enough_are_kept_most_frequent_first() -> None:
    vocabulary = Vocabulary.from_captions(["a dog", "a cat", "a dog"], threshold=2)
    assert vocabulary.words == (*SPECIAL, "a", "dog")


def test_words_of_texts_come_after_and_need_their_own_number() -> None:
    vocabulary = Vocabulary.from_captions(["a dog"], 1, ["a zebra", "a zebra", "a cat"], text_threshold=2)
    assert vocabulary.words == (*SPECIAL, "a", "dog", "zebra")


def test_encoding_frames_the_words_and_unknown_ones_become_unk() -> None:
    vocabulary = Vocabulary.from_captions(["a dog"], threshold=1)
    assert vocabulary.encode("A zebra dog.") == [START, 4, UNK, 5, END]


def test_decoding_stops_at_the_end_and_leaves_special_words_out() -> None:
    vocabulary = Vocabulary.from_captions(["a dog"], threshold=1)
    assert vocabulary.decode([START, 4, UNK, 5, END, 4]) == "a dog"


def test_a_vocabulary_survives_the_disk(tmp_path: Path) -> None:
    vocabulary = Vocabulary.from_captions(["a café"], threshold=1)
    vocabulary.save(tmp_path / "vocabulary.txt")
    assert Vocabulary.load(tmp_path / "vocabulary.txt").words == vocabulary.words


@pytest.mark.parametrize("content", ["a\nb\n", "<pad>\n<start>\n<end>\n<unk>\na\na\n", ""])
def test_a_list_that_is_no_vocabulary_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "vocabulary.txt").write_text(content)
    with pytest.raises(CheckpointError):
        Vocabulary.load(tmp_path / "vocabulary.txt")
