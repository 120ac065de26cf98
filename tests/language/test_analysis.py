"""From text to words: what is written in several ways is one word, in names, captions and queries alike."""

from __future__ import annotations

import pytest

from photoindex.language.analysis import fold, index_places, tokens, typed_words, words

OKINA, AYN = "\u02bb", "\u02bf"


class TestApostrophes:
    @pytest.mark.parametrize("sign", ["'", *"\u2019\u2018\u02b9\u02bb\u02bc\u02bd\u02be\u02bf\u00b4`\ua78b\ua78c"])
    def test_each_of_them_stays_within_its_word(self, sign: str) -> None:
        assert words(f"O{sign}ahu, Hawai{sign}i Ba{sign}albek {sign}Iolani") == ["oahu", "hawaii", "baalbek", "iolani"]
        assert words(f"Hawai{sign}i's") == ["hawaii"]
        assert [len(folded) for _, _, folded in typed_words(f"O{sign}ahu Ba{sign}albek")] == [1, 1]

    def test_what_stands_behind_one_is_a_word_too(self) -> None:
        (token,) = tokens(f"O{OKINA}ahu")
        assert token.also == tokens("O'ahu")[0].also == ("ahu",)

    def test_lone_ones_are_no_word(self) -> None:
        assert words(f"{OKINA} {AYN}") == []


class TestOptionalMarks:
    @pytest.mark.parametrize(
        ("marked", "plain"),
        [
            ("שָׁלוֹם", "שלום"),
            ("\ufb2a\u05b8לוֹם", "שלום"),  # the letter shin with its dot as one character
            ("יְרוּשָׁלַיִם", "ירושלים"),
            ("מַזָּל־טוֹב", "מזל־טוב"),
            ("مُحَمَّد", "محمد"),
            ("مـحـمـد", "محمد"),
            ("القُرْآن", "القرآن"),
            ("هٰذا", "هذا"),
            ("کتابِ", "کتاب"),
        ],
    )
    def test_a_word_is_the_same_with_and_without_them(self, marked: str, plain: str) -> None:
        assert words(marked) == words(plain)
        assert index_places(marked) == index_places(plain)
        assert [folded for _, _, folded in typed_words(marked)] == [folded for _, _, folded in typed_words(plain)]

    @pytest.mark.parametrize("letter", "آأؤإئ")
    def test_a_letter_that_has_one_within_stays_itself(self, letter: str) -> None:
        assert fold(letter) == letter

    def test_lone_ones_are_no_word(self) -> None:
        assert words("\u0640 \u05b8") == []
        assert index_places("\u0640 \u05b8") == []


class TestPartsOfNames:
    @pytest.mark.parametrize(
        ("name", "parts"),
        [
            ("Café2019", ("cafe", "2019")),
            ("Cafe\u03012019", ("cafe", "2019")),  # the accent as a character of its own, as macOS writes names
            ("2019Été", ("2019", "ete")),
            ("Отпуск2019", ("отпуск", "2019")),
            ("НашОтпуск", ("наш", "отпуск")),
            ("ΕλλάδαΚαλοκαίρι", ("ελλαδα", "καλοκαιρι")),
            ("ÉtéÀParis", ("ete", "a", "paris")),
            ("PlageÉté", ("plage", "ete")),
            ("ÇaVa", ("ca", "va")),
            ("Straße12b", ("strasse", "12", "b")),
            ("हिन्दी2019", ("हिन्दी", "2019")),
            ("صيف2019", ("صيف", "2019")),
            ("BeachTrip2019", ("beach", "trip", "2019")),
        ],
    )
    def test_words_end_at_capitals_and_digits_in_every_script(self, name: str, parts: tuple[str, ...]) -> None:
        (token,) = tokens(name)
        assert token.parts == tuple(fold(part) for part in parts)

    @pytest.mark.parametrize(
        "name",
        [
            "Отпуск",
            "ОТПУСК",
            "été",
            "Été",
            "ÉTÉ",
            "Cafe\u0301",
            "हिन्दी",
            "HTMLs",
            "Straße",
            "d'Été",
            "L\u2019Île",
            "O\u02bbAhu",
        ],
    )
    def test_one_word_has_no_parts(self, name: str) -> None:
        assert [token.parts for token in tokens(name)] == [()]
