"""The query language: what text becomes, and that no text breaks it."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from photoindex.errors import QueryError
from photoindex.language.analysis import content_words, fold, is_dense, stem, words
from photoindex.search.query import dates
from photoindex.search.query.parser import parse_query, plain_words, respell
from photoindex.search.query.syntax import (
    AllOf,
    AnyOf,
    Below,
    Fuzzy,
    Has,
    ParsedQuery,
    Phrase,
    Prefix,
    Ranked,
    Taken,
    When,
    Word,
)
from tests.search.strategies import QUERIES

WEDNESDAY = date(2024, 5, 1)


def run_of(text: str) -> Ranked:
    root = parse_query(text).root
    assert isinstance(root, Ranked)
    return root


def wanted(text: str) -> list[str]:
    return [node.text for node in run_of(text).wanted if isinstance(node, Word)]


class TestPlainWords:
    def test_plain_words_are_wanted_and_stop_words_are_dropped(self) -> None:
        assert run_of("giraffes in the grass") == Ranked(wanted=(Word("giraffes"), Word("grass")))

    def test_a_word_in_two_forms_is_asked_once(self) -> None:
        assert wanted("dogs dog DOG") == ["dogs"]

    def test_punctuation_divides_words_and_apostrophes_do_not(self) -> None:
        assert wanted("t-shirt, dog's o'brien") == ["shirt", "dog", "obrien"]

    def test_a_smiley_is_no_logic(self) -> None:
        assert wanted("dog :) cat") == ["dog", "cat"]

    def test_an_unclosed_quote_is_ignored(self) -> None:
        assert wanted('brown "dog') == ["brown", "dog"]

    def test_an_unknown_field_name_is_a_plain_word(self) -> None:
        assert wanted("foo:bar http://example") == ["foo", "bar", "http", "example"]

    def test_lower_case_and_or_not_are_no_operators(self) -> None:
        assert wanted("cat and dog or bird") == ["cat", "dog", "bird"]

    def test_parentheses_around_plain_words_mean_nothing(self) -> None:
        assert wanted("a dog (brown) on (the (beach))") == ["dog", "brown", "beach"]

    def test_the_wanted_words_are_listed_for_other_layers_of_search(self) -> None:
        parsed = parse_query('Giraffes "brown dog" -cat camera:canon (zebra -lion) grass*')
        assert parsed.words == ("giraffes", "brown", "dog", "zebra")

    @pytest.mark.parametrize("text", ["it's", "the of a", '"in the"', "a AND the"])
    def test_a_query_of_stop_words_alone_is_refused_by_name(self, text: str) -> None:
        with pytest.raises(QueryError, match="nothing to search for: words as common as '"):
            parse_query(text)

    @pytest.mark.parametrize("text", ["", "   ", "!?", "()", "-", '""', "*", "~", "NOT", "\x00", "\ud800"])
    def test_a_query_without_words_is_refused(self, text: str) -> None:
        with pytest.raises(QueryError, match="give at least one word"):
            parse_query(text)


class TestOperators:
    def test_minus_and_not_exclude(self) -> None:
        expected = Ranked(wanted=(Word("dog"),), excluded=(Word("cat"),))
        assert run_of("dog -cat") == run_of("dog NOT cat") == run_of("-cat dog") == expected

    @pytest.mark.parametrize(
        "twice", ["NOT NOT cat", "--cat", "NOT -cat", "-NOT cat", "NOT NOT NOT NOT cat", "----cat"]
    )
    def test_what_is_negated_twice_is_required(self, twice: str) -> None:
        assert run_of(f"dog {twice}") == Ranked(wanted=(Word("dog"),), excluded=(Ranked(excluded=(Word("cat"),)),))
        assert parse_query(f"dog {twice}").words == ("dog",)

    @pytest.mark.parametrize("query", ["dog NOT NOT (NOT cat)", "dog NOT NOT NOT cat", "dog ---cat", "dog -(NOT -cat)"])
    def test_what_is_negated_three_times_is_excluded(self, query: str) -> None:
        [excluded] = run_of(query).excluded
        for _ in range(2 if isinstance(excluded, Ranked) else 0):
            assert isinstance(excluded, Ranked)
            [excluded] = excluded.excluded
        assert excluded == Word("cat")

    def test_negations_hold_for_one_clause(self) -> None:
        assert run_of("NOT NOT cat dog -bird").wanted == (Word("dog"),)

    def test_a_hyphen_inside_a_word_excludes_nothing(self) -> None:
        assert run_of("short-haired").excluded == ()

    def test_an_excluded_compound_must_be_there_as_a_whole(self) -> None:
        assert run_of("dog -short-haired").excluded == (
            AllOf((Word("short", also=("shorthaired",)), Word("haired", also=("shorthaired",)))),
        )

    def test_a_query_may_only_exclude(self) -> None:
        assert run_of("-dog") == Ranked(excluded=(Word("dog"),))

    def test_a_run_of_words_binds_before_and_which_binds_before_or(self) -> None:
        red_car, dog, cat = (Ranked(wanted=tuple(map(Word, text.split()))) for text in ("red car", "dog", "cat"))
        assert parse_query("red car AND dog OR cat").root == AnyOf((AllOf((red_car, dog)), cat))

    def test_parentheses_group(self) -> None:
        either = AnyOf((Ranked(wanted=(Word("cat"),)), Ranked(wanted=(Word("dog"),))))
        assert run_of("grass (cat OR dog)") == Ranked(wanted=(Word("grass"),), required=(either,))
        assert run_of("grass -(cat OR dog)") == Ranked(wanted=(Word("grass"),), excluded=(either,))

    @pytest.mark.parametrize(
        "text", ["AND dog", "dog OR", "dog AND", "OR OR dog", "((dog", "dog))", "dog NOT", "dog -"]
    )
    def test_operators_without_an_operand_are_ignored(self, text: str) -> None:
        assert wanted(text) == ["dog"]


class TestPhrasesPrefixesAndFuzzyWords:
    def test_quotes_of_every_kind_make_a_required_phrase(self) -> None:
        expected = Ranked(required=(Phrase(("brown", "dog")),))
        assert run_of('"brown dog"') == run_of("\u201cbrown dog\u201d") == run_of("\uff02brown dog\uff02") == expected

    def test_stop_words_in_a_phrase_are_dropped(self) -> None:
        assert run_of('"standing in the grass"').required == (Phrase(("standing", "grass")),)

    def test_a_quoted_word_is_meant_exactly(self) -> None:
        assert run_of('"dogs" label:"dog" cat') == Ranked(
            wanted=(Word("cat"),), required=(Word("dogs", exact=True), Word("dog", "labels", exact=True))
        )

    def test_a_star_makes_a_prefix_of_the_last_word(self) -> None:
        assert run_of("Giraf*").wanted == (Prefix("giraf"),)
        assert run_of("short-hair*").wanted == (Word("short"), Prefix("hair"))

    def test_a_prefix_of_one_letter_is_refused(self) -> None:
        with pytest.raises(QueryError, match=r"'d\*' stands for too many words"):
            parse_query("d*")

    def test_a_tilde_allows_one_mistake_and_two_in_long_words(self) -> None:
        assert run_of("girafe~ refridgerator~ horse~2").wanted == (
            Fuzzy("girafe", 1),
            Fuzzy("refridgerator", 2),
            Fuzzy("horse", 2),
        )

    def test_two_letters_are_too_few_to_be_fuzzy(self) -> None:
        assert run_of("tv~").wanted == (Word("tv"),)


class TestFields:
    def test_field_filters_are_required(self) -> None:
        assert run_of("beach Camera:Canon label:dog name:img folder:summer caption:sand beam:sun") == Ranked(
            wanted=(Word("beach"),),
            required=(
                Word("canon", "camera"),
                Word("dog", "labels"),
                Word("img", "names"),
                Word("summer", "names"),
                Word("sand", "caption"),
                Word("sun", "beams"),
            ),
        )

    def test_a_filter_takes_phrases_prefixes_and_fuzzy_words(self) -> None:
        assert run_of('label:"traffic light" caption:dog* -camera:cannon~').required == (
            Phrase(("traffic", "light"), "labels"),
            Prefix("dog", "caption"),
        )
        assert run_of("-camera:cannon~").excluded == (Fuzzy("cannon", 1, "camera"),)

    @pytest.mark.parametrize(
        ("text", "first", "last"),
        [
            ("2023", date(2023, 1, 1), date(2023, 12, 31)),
            ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
            ("2023-06-12", date(2023, 6, 12), date(2023, 6, 12)),
            ("2023-6-2", date(2023, 6, 2), date(2023, 6, 2)),
            ("2023-06-01..2023-07-15", date(2023, 6, 1), date(2023, 7, 15)),
            ("2021..2023-06", date(2021, 1, 1), date(2023, 6, 30)),
            ("2023..", date(2023, 1, 1), None),
            ("..2022", None, date(2022, 12, 31)),
            ("\uff12\uff10\uff12\uff13", date(2023, 1, 1), date(2023, 12, 31)),
        ],
    )
    def test_taken_names_days_months_years_and_ranges(self, text: str, first: date | None, last: date | None) -> None:
        assert run_of(f"taken:{text}") == Ranked(required=(Taken(first, last),))

    @pytest.mark.parametrize(
        "text",
        ["", "..", "june", "2023-13", "2023-02-30", "0000", "20231306", "2023-06-", "99999", "2023...2024", "\x1b[31m"],
    )
    def test_a_date_that_is_none_is_refused_on_one_printable_line(self, text: str) -> None:
        with pytest.raises(QueryError, match="is not a date") as caught:
            parse_query(f"dog taken:{text}")
        assert str(caught.value).isprintable()

    @pytest.mark.parametrize(
        ("text", "first", "last"),
        [
            ("today", date(2024, 5, 1), date(2024, 5, 1)),
            ("Yesterday", date(2024, 4, 30), date(2024, 4, 30)),
            ("this-week", date(2024, 4, 29), date(2024, 5, 5)),
            ("last-week", date(2024, 4, 22), date(2024, 4, 28)),
            ("last week", date(2024, 4, 22), date(2024, 4, 28)),
            ('"last week"', date(2024, 4, 22), date(2024, 4, 28)),
            ("this_month", date(2024, 5, 1), date(2024, 5, 31)),
            ("last-month", date(2024, 4, 1), date(2024, 4, 30)),
            ("past-month", date(2024, 4, 1), date(2024, 4, 30)),
            ("this-year", date(2024, 1, 1), date(2024, 12, 31)),
            ("last year", date(2023, 1, 1), date(2023, 12, 31)),
            ("last 7 days", date(2024, 4, 24), date(2024, 5, 1)),
            ("last-2-weeks", date(2024, 4, 17), date(2024, 5, 1)),
            ("last 3 months", date(2024, 2, 1), date(2024, 5, 1)),
            ("last 9999 years", date.min, date(2024, 5, 1)),
            ("last-year..today", date(2023, 1, 1), date(2024, 5, 1)),
            ("yesterday..", date(2024, 4, 30), None),
            ('"..last month"', None, date(2024, 4, 30)),
            ('"2023 .. today"', date(2023, 1, 1), date(2024, 5, 1)),
        ],
    )
    def test_days_may_be_named_from_today(self, text: str, first: date | None, last: date | None) -> None:
        assert parse_query(f"dog taken:{text}", WEDNESDAY).root == Ranked((Word("dog"),), (Taken(first, last),))
        assert parse_query(f"-taken:{text} dog", WEDNESDAY).root == Ranked((Word("dog"),), (), (Taken(first, last),))

    @pytest.mark.parametrize(
        ("day", "text", "first", "last"),
        [
            (date(2024, 1, 1), "last-month", date(2023, 12, 1), date(2023, 12, 31)),
            (date(2024, 3, 31), "last-month", date(2024, 2, 1), date(2024, 2, 29)),
            (date(2024, 3, 31), "last-1-months", date(2024, 2, 29), date(2024, 3, 31)),
            (date(2024, 2, 29), "last-1-years", date(2023, 2, 28), date(2024, 2, 29)),
            (date(2024, 1, 7), "this-week", date(2024, 1, 1), date(2024, 1, 7)),
            (date.max, "this-week", date(9999, 12, 27), date.max),
            (date.min, "last-week", date.min, date(1, 1, 7)),
        ],
    )
    def test_months_and_weeks_end_where_the_calendar_says(self, day: date, text: str, first: date, last: date) -> None:
        assert parse_query(f"taken:{text}", day).root == Ranked(required=(Taken(first, last),))

    def test_without_a_day_given_today_is_today(self) -> None:
        before = date.today()
        (taken,) = run_of("taken:today").required
        assert isinstance(taken, Taken)
        assert taken.first == taken.last
        assert before <= (taken.first or date.min) <= date.today()

    @pytest.mark.parametrize("text", ["last", "last-weekday", "last 0x7 days", "next-week", "week", "last 12345 days"])
    def test_a_day_that_is_not_known_by_that_name_is_refused(self, text: str) -> None:
        with pytest.raises(QueryError, match="is not a date"):
            parse_query(f"taken:{text}")

    def test_last_and_week_are_words_in_quotes_and_alone(self) -> None:
        assert wanted("last dog week") == ["last", "dog", "week"]
        assert run_of('"last week"') == Ranked(required=(Phrase(("last", "week")),))

    def test_has_asks_for_facts(self) -> None:
        assert run_of("dog has:gps -HAS:Date has:camera") == Ranked(
            (Word("dog"),), (Has("gps"), Has("camera")), (Has("date"),)
        )

    @pytest.mark.parametrize("text", ["has:gpx", 'has:""', "has:\x1b[31m"])
    def test_a_fact_that_is_none_is_refused_with_those_that_are(self, text: str) -> None:
        with pytest.raises(QueryError, match="write has:gps, has:date, has:camera") as caught:
            parse_query(text)
        assert str(caught.value).isprintable()

    def test_a_range_that_ends_before_it_begins_is_refused(self) -> None:
        with pytest.raises(QueryError, match="ends before it begins"):
            parse_query("taken:2023..2022")


class TestLimits:
    def test_a_query_of_more_than_a_thousand_characters_is_refused(self) -> None:
        with pytest.raises(QueryError, match="1,001 characters"):
            parse_query("x" * 1001)

    def test_a_query_of_more_than_64_words_is_refused(self) -> None:
        parse_query(" ".join(f"w{n}" for n in range(64)))
        with pytest.raises(QueryError, match="65 words"):
            parse_query(" ".join(f"w{n}" for n in range(65)))
        with pytest.raises(QueryError, match="65 words"):
            parse_query('"' + " ".join(f"w{n}" for n in range(65)) + '"')

    @pytest.mark.parametrize("letter", ["写", "の", "한", "ก", "ខ", "\U0001f992"])
    @pytest.mark.parametrize("form", ["{}", '"{}"', "-{}", "caption:{}", "tag:{}", "dog OR {}"])
    def test_four_letters_of_a_script_without_spaces_count_as_a_word(self, letter: str, form: str) -> None:
        others = len(re.findall("dog", form))
        parse_query(form.format(letter * 4 * (64 - others)))
        with pytest.raises(QueryError, match="65 words"):
            parse_query(form.format(letter * (4 * (64 - others) + 1)))

    def test_words_between_such_letters_count_as_well(self) -> None:
        with pytest.raises(QueryError, match="65 words"):
            parse_query('"' + "写写写写 w " * 32 + '写"')
        parse_query('"' + "写写写写 w " * 32 + '"')
        parse_query(" ".join(["写"] * 64))
        with pytest.raises(QueryError, match="65 words"):
            parse_query(" ".join(["写"] * 65))

    def test_deep_nesting_is_refused_and_not_recursed_into(self) -> None:
        with pytest.raises(QueryError, match="nested"):
            parse_query("(" * 999)


@settings(max_examples=100, deadline=None)
@given(QUERIES)
@example("\ufdfa" * 1000)
@example("-" * 1000)
@example("a~" * 500)
@example('"' * 999)
def test_any_text_is_understood_or_refused_with_one_line(text: str) -> None:
    try:
        assert isinstance(parse_query(text), ParsedQuery)
    except QueryError as error:
        assert "\n" not in str(error)  # noqa: PT017


class TestPlainWordsOf:
    @pytest.mark.parametrize(
        ("text", "words_asked"),
        [
            ('A dog -- "not" a cat', "dog not cat"),
            ("DOG AND NOT (CAT OR bird*) field:mouse~", "dog not cat bird field mouse"),
            ("taken:2023 -camera:canon has:gps", "taken 2023 camera canon gps"),
            ("two dogs and a dog's ball", "two dogs ball"),
            ("the of a", ""),
        ],
    )
    def test_nothing_in_a_text_is_an_operator(self, text: str, words_asked: str) -> None:
        assert plain_words(text) == words_asked

    def test_a_text_beyond_the_limits_is_cut_to_its_first_words(self) -> None:
        assert parse_query(plain_words(" ".join(f"w{n}" for n in range(200)))).words[-1] == "w63"
        assert len(plain_words(" ".join(f"{n:060}" for n in range(60)))) == 16 * 61 - 1

    @settings(max_examples=100, deadline=None)
    @given(QUERIES)
    def test_it_asks_for_the_words_and_nothing_else(self, text: str) -> None:
        query = plain_words(text)
        if not query:
            assert content_words(text) == []
            return
        expected = dict.fromkeys(map(stem, content_words(text)))
        root = parse_query(query).root
        assert isinstance(root, Ranked)
        assert root == Ranked(wanted=root.wanted)
        dated = [node for node in root.wanted if isinstance(node, When)]
        if not dated and not any(map(is_dense, query.split(" "))):
            assert root == Ranked(wanted=tuple(Word(word) for word in query.split(" ")))
        assert list(map(stem, query.split(" "))) == list(expected)[: len(query.split(" "))]


class TestRespelling:
    def test_words_are_replaced_and_everything_else_stays(self) -> None:
        typed = '"Girafe  grass"  -cat OR (girafes AND caption:dog) taken:2023'
        assert respell(typed, {"girafe": "giraffe", "girafes": "giraffes"}) == (
            '"giraffe  grass"  -cat OR (giraffes AND caption:dog) taken:2023'
        )

    def test_operators_and_field_names_are_no_words(self) -> None:
        typed = "NOT not camera camera:or or OR"
        assert respell(typed, {"not": "knot", "camera": "camel", "or": "ore"}) == "NOT knot camel camera:ore ore OR"

    def test_a_word_goes_with_its_apostrophe(self) -> None:
        assert respell("the girafe\u2019s neck", {"girafe": "giraffe"}) == "the giraffe neck"

    @settings(max_examples=100, deadline=None)
    @given(QUERIES)
    def test_replacing_nothing_changes_nothing(self, text: str) -> None:
        assert respell(text, {}) == text


class TestAnalysis:
    @pytest.mark.parametrize(
        ("forms", "one"),
        [
            (("giraffe", "giraffes"), "giraff"),
            (("run", "runs", "running"), "run"),
            (("woman", "women", "woman's"), "woman"),
            (("child", "children", "Children\u2019s"), "child"),
            (("beach", "beaches"), "beach"),
        ],
    )
    def test_forms_of_a_word_share_a_stem(self, forms: tuple[str, ...], one: str) -> None:
        assert {stem(word) for form in forms for word in words(form)} == {one}

    def test_accents_case_and_width_are_levelled(self) -> None:
        assert words("CAFÉ Cafe\u0301 Ｃａｆｅ Straße Łódź smørrebrød") == [
            *["cafe"] * 3,
            "strasse",
            "lodz",
            "smorrebrod",
        ]

    def test_vowel_signs_stay_in_their_word(self) -> None:
        assert words("हिन्दी फ़ोटो") == [fold("हिन्दी"), fold("फ़ोटो")]

    def test_underscores_and_digits_divide_file_names_into_words(self) -> None:
        assert content_words("IMG_2041.JPG") == ["img", "2041", "jpg"]

    @settings(max_examples=100, deadline=None)
    @given(st.text(max_size=100))
    def test_reading_words_again_changes_nothing(self, text: str) -> None:
        once = words(text)
        assert words(" ".join(once)) == once


@pytest.mark.parametrize("text", [
    "2008", "beach 2008", "October 2008", "12 oct 2008", "oct 12, 2008", "SUMMER 2019", "New Year's Eve 2018",
    "this week", "Last-Weekend", "past winter", "last halloween", "last monday", "past 3 months", "2 weeks ago",
    "Yesterday", "dog today", "2001..2005", "2019-08-01", "1990s", "a week ago",
])  # fmt: skip
def test_every_date_that_is_read_in_a_text_has_a_sign_of_one(text: str) -> None:
    """Without such a sign the pattern of dates is not even compiled."""
    assert re.search(dates.MAY_BE_IN_TEXT, text)
    assert re.search(dates.IN_TEXT, text)


@given(st.from_regex(dates.IN_TEXT, fullmatch=True))
def test_no_date_in_a_text_goes_without_a_sign(text: str) -> None:
    assert re.search(dates.MAY_BE_IN_TEXT, text)


@given(st.from_regex(f"(?:{dates.IN_TEXT})(?:{dates.TO})(?:{dates.IN_TEXT})", fullmatch=True))
def test_no_two_dates_in_a_text_go_without_their_sign(text: str) -> None:
    assert re.search(dates.MAY_BE_TWO, text)


def test_nodes_of_two_kinds_are_never_equal() -> None:
    nodes = [AllOf((Word("a"),)), AnyOf((Word("a"),)), Prefix("a"), Has("a"), Below("a"), Taken(None, None)]
    for place, node in enumerate(nodes):
        assert [node == other for other in nodes] == [place == other for other in range(len(nodes))]
        assert [node != other for other in nodes] == [place != other for other in range(len(nodes))]
    assert len(set(nodes)) == len(nodes)
