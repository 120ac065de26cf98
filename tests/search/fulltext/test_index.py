"""The full-text index: what is found, in which order, and how it stands other processes and damage."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings

import photoindex
from photoindex.errors import FullTextError, QueryError
from photoindex.search import Document, FullText, Match
from photoindex.search.ranking.weights import DEFAULT_RANKING, FIELD_WEIGHTS
from tests.search.strategies import QUERIES

REPOSITORY = Path(photoindex.__file__).parents[1]

PHOTOS = (
    Document(1, "a giraffe standing in the tall grass", names="safari kenya", camera="Canon EOS R5"),
    Document(2, "two brown dogs play with a ball", labels="dog", taken_at=datetime(2023, 6, 12, 23, 59)),
    Document(3, "a brown cat and a black dog on a couch", beams="a cat . a dog", taken_at=datetime(2022, 12, 31)),
    Document(
        4,
        "a woman rides a horse along the beach",
        kinds="riding animal",
        names="Été 2019",
        taken_at=datetime(2023, 7, 1),
    ),
)


@pytest.fixture
def fulltext(tmp_path: Path) -> Iterator[FullText]:
    with FullText.open(tmp_path / "fulltext") as fulltext:
        fulltext.rebuild(PHOTOS)
        yield fulltext


@pytest.fixture
def index_of(tmp_path: Path) -> Iterator[Callable[..., FullText]]:
    opened = []

    def index(*documents: Document) -> FullText:
        fulltext = FullText.open(tmp_path / "of")
        opened.append(fulltext)
        fulltext.rebuild(documents)
        return fulltext

    yield index
    for fulltext in opened:
        fulltext.close()


def ids(matches: list[Match]) -> list[int]:
    return [match.photo_id for match in matches]


def words(match: Match) -> set[tuple[str, str]]:
    return {(reason.layer, reason.word) for reason in match.matched}


def found(fulltext: FullText, query: str) -> set[int]:
    return set(ids(fulltext.search(query, limit=None)))


class TestWhatIsFound:
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("giraffes", {1}),
            ("giraffes in grass", {1}),
            ("DOG", {2, 3}),
            ("women", {4}),
            ("riding", {4}),
            ("sofa", {3}),
            ("sofas", {3}),
            ('"sofa"', set()),
            ("label:sofa", set()),
            ("-sofa", {1, 2, 3, 4}),
            ("puppy", {2, 3}),
            ("label:animal", {2, 4}),
            ('label:"riding animal"', {4}),
            ("ete", {4}),
            ("ÉTÉ", {4}),
            ("kenya", {1}),
            ("canon", {1}),
            ("brown -dog", set()),
            ("dog -cat", {2}),
            ("-dog", {1, 4}),
            ("dog NOT cat", {2}),
            ("-dog -giraffe", {4}),
            ("cat AND dog", {3}),
            ("giraffe OR horse", {1, 4}),
            ("(giraffe OR dog) AND brown", {2, 3}),
            ("dog AND NOT (cat OR giraffe)", {2}),
            ('"brown dog"', {2}),
            ('"brown dogs"', {2}),
            ('"dog brown"', set()),
            ('"standing in the grass"', set()),
            ('"standing tall grass"', {1}),
            ('"standing in the tall grass"', {1}),
            ('"a brown cat" -couch', set()),
            ('-"brown dog" brown', {3}),
            ("gira*", {1}),
            ("giraffes*", {1}),
            ("standi*", {1}),
            ("caption:bea*", {4}),
            ("girafe~", {1}),
            ("girraffes~", {1}),
            ("hrse~", {4}),
            ("xorse~", set()),
            ("camera:canon", {1}),
            ("camera:dog", set()),
            ("label:dog", {2}),
            ("folder:safari giraffe", {1}),
            ("folder:safari dog", set()),
            ("name:2019", {4}),
            ('camera:"eos r5"', {1}),
            ("-camera:canon", {2, 3, 4}),
            ("foo:horse", {4}),
        ],
    )
    def test_a_query_finds_the_photos_it_describes(self, fulltext: FullText, query: str, expected: set[int]) -> None:
        assert found(fulltext, query) == expected

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("taken:2023", {2, 4}),
            ("taken:2023-06", {2}),
            ("taken:2023-06-12", {2}),
            ("taken:2023-06-11", set()),
            ("taken:2022-12-31..2023-06-12", {2, 3}),
            ("taken:2023..", {2, 4}),
            ("taken:..2022", {3}),
            ("-taken:2023", {1, 3}),
            ("dog taken:2023", {2}),
            ("taken:1066..", {2, 3, 4}),
            ("taken:1066", set()),
            ("taken:9999", set()),
        ],
    )
    def test_dates_filter_by_day_month_year_and_range(self, fulltext: FullText, query: str, expected: set[int]) -> None:
        assert found(fulltext, query) == expected

    def test_days_count_from_the_day_of_the_search(self, fulltext: FullText) -> None:
        assert ids(fulltext.search("taken:last month", today=date(2023, 7, 31))) == [2]
        assert ids(fulltext.search("taken:last month", today=date(2023, 8, 1))) == [4]
        assert ids(fulltext.search("taken:today")) == []

    def test_has_finds_photos_by_the_facts_they_carry(self, index_of: Callable[..., FullText]) -> None:
        fulltext = index_of(
            Document(1, "a dog"),
            Document(2, "a dog", position=(0.0, 0.0), camera="Canon"),
            Document(3, "a cat", position=(0.0, 0.0), taken_at=datetime(1850, 1, 1)),
        )
        assert found(fulltext, "has:gps") == {2, 3}
        assert found(fulltext, "dog has:gps") == found(fulltext, "has:camera") == {2}
        assert found(fulltext, "has:date") == {3}
        assert found(fulltext, "-has:gps") == {1}
        assert found(fulltext, "gps") == found(fulltext, "caption:gps") == set()

    def test_a_photo_of_any_year_is_found_by_its_date(self, index_of: Callable[..., FullText]) -> None:
        fulltext = index_of(
            Document(1, "a dog", taken_at=datetime(1899, 12, 31)), Document(2, "x", taken_at=datetime.max)
        )
        assert found(fulltext, "dog") == {1}
        assert found(fulltext, "taken:..2100") == found(fulltext, "taken:1899") == found(fulltext, "taken:<1900") == {1}
        assert found(fulltext, "taken:>2100") == found(fulltext, "taken:9999") == {2}

    def test_phrases_do_not_reach_across_sentences(self, index_of: Callable[..., FullText]) -> None:
        fulltext = index_of(Document(1, "x", beams="a large dog . brown grass"))
        assert found(fulltext, '"dog brown"') == set()
        assert found(fulltext, '"brown grass"') == {1}

    def test_a_prefix_that_stands_for_too_many_words_is_refused(self, index_of: Callable[..., FullText]) -> None:
        fulltext = index_of(Document(1, " ".join(f"img{n:04}" for n in range(600))))
        with pytest.raises(QueryError, match=r"'img\*' stands for more than 500 words"):
            fulltext.search("img*")
        assert found(fulltext, "img000*") == {1}

    def test_very_long_words_are_indexed_and_found(self, index_of: Callable[..., FullText]) -> None:
        assert found(index_of(Document(1, "x" * 5000)), "x" * 900) == {1}

    def test_a_match_says_which_words_were_found_in_which_field(self, fulltext: FullText) -> None:
        (match,) = fulltext.search("brown dogs label:dog -couch giraffe")
        assert match.photo_id == 2
        assert words(match) == {("caption", "brown"), ("caption", "dogs"), ("labels", "dogs")}

    def test_a_match_does_not_name_the_words_of_a_phrase_that_is_not_there(self, fulltext: FullText) -> None:
        matches = {match.photo_id: words(match) for match in fulltext.search('"brown dog" OR couch')}
        assert matches == {2: {("caption", "brown"), ("caption", "dog")}, 3: {("caption", "couch")}}

    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(QUERIES)
    @example("\x00*~")
    @example('""-""')
    @example("path:~\ud800")
    @example("path:~\x00")
    def test_any_text_is_answered_or_refused_as_a_query(self, fulltext: FullText, text: str) -> None:
        try:
            fulltext.search(text)
            fulltext.corrections(text)
        except QueryError as error:
            assert "\n" not in str(error)  # noqa: PT017


class TestRanking:
    def test_all_words_in_the_caption_come_before_one_word_in_every_field(
        self, index_of: Callable[..., FullText]
    ) -> None:
        everywhere = "zebra zebra zebra"
        fulltext = index_of(
            Document(1, everywhere, everywhere, everywhere, everywhere, (everywhere,)),
            Document(2, "a zebra in the grass"),
            *(Document(n, "grass") for n in range(3, 30)),
        )
        assert ids(fulltext.search("zebra grass"))[:2] == [2, 1]

    def test_a_photo_with_more_of_the_words_comes_first(self, fulltext: FullText) -> None:
        assert ids(fulltext.search("a black dog on a couch"))[0] == 3

    def test_a_rare_word_counts_more_than_a_common_one(self, index_of: Callable[..., FullText]) -> None:
        fulltext = index_of(*(Document(n, "man") for n in range(1, 9)), Document(9, "zebra"))
        assert ids(fulltext.search("ma zebra"))[0] == 9

    def test_a_word_in_the_caption_counts_more_than_in_other_fields(self, index_of: Callable[..., FullText]) -> None:
        fulltext = index_of(
            Document(1, "x", camera="dog"),
            Document(2, "x", beams="dog"),
            Document(3, "x", labels="dog"),
            Document(4, "x", names="dog"),
            Document(5, "dog"),
            Document(6, "dog", labels="dog"),
            Document(7, "x", kinds="dog"),
        )
        assert ids(fulltext.search("dog")) == [6, 5, 4, 3, 2, 7, 1]

    def test_the_word_as_asked_comes_before_a_near_miss(self, index_of: Callable[..., FullText]) -> None:
        assert ids(index_of(Document(1, "a house"), Document(2, "a horse")).search("horse~")) == [2, 1]

    def test_of_many_that_are_as_good_those_indexed_first_are_shown(self, tmp_path: Path) -> None:
        with FullText.open(tmp_path / "many") as index:
            index.rebuild(Document(number, "a dog" + " and a ball" * (number % 3 == 0)) for number in range(1, 60))
            every = index.search("dog ball", limit=None)
            assert [match.photo_id for match in every] == [*range(3, 60, 3), *(n for n in range(1, 60) if n % 3)]
            for limit in (1, 7, 19, 20, 21, 58, 59, 60):
                assert index.search("dog ball", limit=limit) == every[:limit]

    def test_limit_cuts_the_list_and_changes_nothing_else(self, fulltext: FullText) -> None:
        every = fulltext.search("brown dog -giraffe", limit=None)
        assert fulltext.search("brown dog -giraffe", limit=1) == every[:1]
        assert fulltext.search("brown dog", limit=0) == []
        with pytest.raises(ValueError, match="negative"):
            fulltext.search("dog", limit=-1)


class TestSynonyms:
    def test_the_word_as_asked_comes_before_a_synonym(self, index_of: Callable[..., FullText]) -> None:
        fulltext = index_of(
            *(Document(n, "a couch in a room") for n in range(1, 9)), Document(9, "a sofa in a room"), Document(10, "x")
        )
        matches = fulltext.search("sofa")
        assert ids(matches) == [9, *range(1, 9)]
        assert matches[0].score > matches[1].score > 0

    @pytest.mark.parametrize("field", FIELD_WEIGHTS)
    def test_it_does_so_in_every_field_and_among_other_words(
        self, index_of: Callable[..., FullText], field: str
    ) -> None:
        def document(photo_id: int, text: str) -> Document:
            given: dict[str, Any] = {field: text}
            return replace(Document(photo_id, "grass" if field != "caption" else ""), **given)

        fulltext = index_of(
            *(document(n, "dog grass") for n in range(1, 20)),
            *(document(n, "puppy grass") for n in range(20, 22)),
            *(document(n, "cat grass") for n in range(22, 30)),
        )
        assert ids(fulltext.search("puppy grass"))[:3] == [20, 21, 1]

    def test_a_common_synonym_takes_no_weight_from_a_rare_word(self, index_of: Callable[..., FullText]) -> None:
        fulltext = index_of(
            *(Document(n, "a dog") for n in range(1, 30)),
            *(Document(n, "a house") for n in range(30, 40)),
            Document(40, "a puppy"),
        )
        with_synonyms = fulltext.search("puppy house")
        without = fulltext.search("puppy house", ranking=replace(DEFAULT_RANKING, synonyms=0))
        assert with_synonyms[0] == without[0]
        assert ids(without) == [40, *range(30, 40)]

    def test_excluding_a_word_excludes_no_synonym(self, index_of: Callable[..., FullText]) -> None:
        fulltext = index_of(Document(1, "a red couch"), Document(2, "a red sofa"))
        assert found(fulltext, "red -sofa") == {1}
        assert found(fulltext, "red -(sofa)") == {1}
        assert found(fulltext, "red -house sofa") == {1, 2}

    def test_a_match_names_the_word_that_was_found(self, fulltext: FullText) -> None:
        (match,) = fulltext.search("sofa")
        assert words(match) == {("caption", "couch")}

    def test_a_ranking_without_synonyms_finds_only_the_words_asked_for(self, fulltext: FullText) -> None:
        assert fulltext.search("sofa", ranking=replace(DEFAULT_RANKING, synonyms=0)) == []


class TestWriting:
    def test_updating_twice_leaves_each_photo_once(self, fulltext: FullText) -> None:
        before = fulltext.search("brown dog")
        fulltext.update(PHOTOS)
        fulltext.update(PHOTOS)
        assert fulltext.count() == len(PHOTOS)
        assert sorted(ids(fulltext.search("brown dog"))) == sorted(ids(before))

    def test_an_update_replaces_what_the_photo_was_found_by(self, fulltext: FullText) -> None:
        fulltext.update([Document(1, "a zebra")])
        assert found(fulltext, "giraffe OR kenya OR canon") == set()
        assert found(fulltext, "zebra") == {1}

    def test_of_two_documents_of_a_photo_the_later_counts(self, fulltext: FullText) -> None:
        fulltext.update([Document(9, "first"), Document(9, "second")])
        assert (found(fulltext, "first"), found(fulltext, "second")) == (set(), {9})

    def test_removed_photos_are_not_found(self, fulltext: FullText) -> None:
        fulltext.update([], removed=[2, 77])
        assert found(fulltext, "dog") == {3}
        assert found(fulltext, "-zebra") == {1, 3, 4}
        assert fulltext.count() == 3

    def test_an_update_may_remove_and_add_at_once(self, fulltext: FullText) -> None:
        fulltext.update([Document(5, "a dog"), Document(2, "a dog")], removed=[3, 2])
        assert found(fulltext, "dog") == {2, 5}

    def test_an_update_with_nothing_to_do_writes_nothing(self, fulltext: FullText) -> None:
        before = {path: path.stat().st_mtime_ns for path in fulltext.folder.rglob("*")}
        fulltext.update([])
        assert {path: path.stat().st_mtime_ns for path in fulltext.folder.rglob("*")} == before

    def test_many_small_updates_keep_a_held_reader_right(self, fulltext: FullText) -> None:
        for turn in range(12):
            fulltext.update([Document(turn % 3 + 1, f"a dog number{turn}")])
            assert fulltext.count() == len(PHOTOS)
            assert len(found(fulltext, f"number{turn}")) == 1
        assert sorted(ids(fulltext.search("dog", limit=None))) == [1, 2, 3]

    def test_optimize_leaves_one_segment_and_the_same_answers(self, fulltext: FullText) -> None:
        for turn in range(3):
            fulltext.update([Document(10 + turn, "a dog")])
        before = found(fulltext, "dog")
        fulltext.optimize()
        assert found(fulltext, "dog") == before
        assert len(list(fulltext.folder.glob("index-*/*.segment"))) == 1

    def test_a_photo_without_any_words_is_still_counted_and_excluded_from_nothing(self, fulltext: FullText) -> None:
        fulltext.update([Document(6, "of the")])
        assert found(fulltext, "-dog") == {1, 4, 6}


class TestRebuilding:
    def test_a_new_index_is_empty_usable_and_asks_to_be_rebuilt(self, tmp_path: Path) -> None:
        with FullText.open(tmp_path / "deep" / "fulltext") as fulltext:
            assert (fulltext.count(), fulltext.search("dog")) == (0, [])
            fulltext.update(PHOTOS)
            assert fulltext.count() == len(PHOTOS)
            assert fulltext.needs_rebuild
        with FullText.open(tmp_path / "deep" / "fulltext") as fulltext:
            assert fulltext.needs_rebuild
            fulltext.rebuild(PHOTOS)
            assert not fulltext.needs_rebuild

    def test_a_rebuild_replaces_everything_and_leaves_one_generation(self, fulltext: FullText) -> None:
        with FullText.open(fulltext.folder) as other:
            assert found(other, "giraffe") == {1}
            fulltext.rebuild([Document(8, "a zebra")])
            assert found(fulltext, "-x") == found(other, "-x") == {8}
        assert len(list(fulltext.folder.glob("index-*"))) == 1

    def test_progress_is_told_in_steps_and_at_the_end(self, fulltext: FullText) -> None:
        told: list[int] = []
        fulltext.rebuild((Document(n, "dog") for n in range(1, 1101)), told.append)
        assert told == [500, 1000, 1100]
        fulltext.rebuild([], told.append)
        assert told[-1] == 0

    def test_a_rebuild_that_fails_leaves_the_old_index_in_use(self, fulltext: FullText) -> None:
        def documents() -> Iterator[Document]:
            yield Document(8, "a zebra")
            raise KeyError("from the catalogue")

        with pytest.raises(KeyError, match="from the catalogue"):
            fulltext.rebuild(documents())
        assert found(fulltext, "-x") == {1, 2, 3, 4}
        assert len(list(fulltext.folder.glob("index-*"))) == 1
        fulltext.update([Document(9, "a zebra")])
        assert found(fulltext, "zebra") == {9}

    def test_a_rebuild_that_is_killed_leaves_the_old_index_in_use(self, fulltext: FullText) -> None:
        with rebuilding(fulltext.folder) as process:
            process.kill()
            process.wait()
        assert len(list(fulltext.folder.glob("index-*"))) == 2
        assert not fulltext.needs_rebuild
        assert found(fulltext, "-x") == {1, 2, 3, 4}
        fulltext.rebuild(PHOTOS[:2])
        assert found(fulltext, "-x") == {1, 2}
        assert len(list(fulltext.folder.glob("index-*"))) == 1


class TestDamage:
    @staticmethod
    def files(fulltext: FullText, pattern: str) -> list[Path]:
        files = list(fulltext.folder.glob(f"index-*/{pattern}"))
        assert files
        return files

    def check_refuses_until_rebuilt(self, folder: Path) -> None:
        with FullText.open(folder) as fulltext:
            damaged = fulltext.needs_rebuild
            assert damaged
            uses: list[Callable[[], object]] = [fulltext.count, fulltext.optimize]
            uses += [lambda: fulltext.search("dog"), lambda: fulltext.update(PHOTOS)]
            for use in uses:
                with pytest.raises(FullTextError, match="photoindex reindex --fulltext"):
                    use()
            fulltext.rebuild(PHOTOS)
            assert not fulltext.needs_rebuild
            assert found(fulltext, "dog") == {2, 3}
            fulltext.update([Document(5, "a dog")])
            assert found(fulltext, "dog") == {2, 3, 5}

    @pytest.mark.parametrize("pattern", ["commit", "*.segment"])
    def test_a_missing_file_is_noticed(self, fulltext: FullText, pattern: str) -> None:
        fulltext.close()
        for path in self.files(fulltext, pattern):
            path.unlink()
        self.check_refuses_until_rebuilt(fulltext.folder)

    @pytest.mark.parametrize("pattern", ["commit", "*.segment"])
    @pytest.mark.parametrize("left", [0.0, 0.5, 0.9])
    def test_a_truncated_file_is_noticed(self, fulltext: FullText, pattern: str, left: float) -> None:
        fulltext.close()
        for path in self.files(fulltext, pattern):
            content = path.read_bytes()
            path.write_bytes(content[: int(len(content) * left)])
        self.check_refuses_until_rebuilt(fulltext.folder)

    def test_a_missing_generation_is_noticed(self, fulltext: FullText) -> None:
        fulltext.close()
        for path in [*self.files(fulltext, "*"), *fulltext.folder.glob("index-*")]:
            path.rmdir() if path.is_dir() else path.unlink()
        self.check_refuses_until_rebuilt(fulltext.folder)

    def test_a_file_that_lost_its_content_to_a_power_cut_is_noticed(self, fulltext: FullText) -> None:
        fulltext.close()
        for path in self.files(fulltext, "*.segment"):
            path.write_bytes(bytes(path.stat().st_size))
        self.check_refuses_until_rebuilt(fulltext.folder)

    def test_damage_met_in_the_middle_of_a_search_is_remembered(
        self, fulltext: FullText, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def unreadable(reader: object) -> None:
            raise struct.error("unpack requires a buffer of 8 bytes")

        with monkeypatch.context() as patch:
            patch.setattr("photoindex.search.fulltext.index.Matcher", unreadable)
            with pytest.raises(FullTextError, match=r"damaged.*reindex --fulltext"):
                fulltext.search("dog")
        assert fulltext.needs_rebuild
        with pytest.raises(FullTextError, match="damaged"):
            fulltext.search("dog")
        fulltext.rebuild(PHOTOS)
        assert found(fulltext, "dog") == {2, 3}

    @pytest.mark.parametrize("key", ["schema", "analyser", "weights"])
    def test_an_index_written_another_way_is_noticed(self, fulltext: FullText, key: str) -> None:
        stamp = json.loads((fulltext.folder / "current.json").read_text())
        stamp["as"][key] = "other"
        (fulltext.folder / "current.json").write_text(json.dumps(stamp))
        self.check_refuses_until_rebuilt(fulltext.folder)

    @pytest.mark.parametrize("content", [None, "", "{", "[]", "null", '{"index": "../elsewhere"}'])
    def test_a_stamp_that_is_absent_or_makes_no_sense_is_noticed(self, fulltext: FullText, content: str | None) -> None:
        stamp = fulltext.folder / "current.json"
        stamp.unlink() if content is None else stamp.write_text(content)
        self.check_refuses_until_rebuilt(fulltext.folder)

    def test_a_stamp_that_points_outside_the_folder_is_refused(self, fulltext: FullText) -> None:
        stamp = json.loads((fulltext.folder / "current.json").read_text())
        stamp["index"] = "../elsewhere"
        (fulltext.folder / "current.json").write_text(json.dumps(stamp))
        self.check_refuses_until_rebuilt(fulltext.folder)

    def test_a_folder_that_cannot_be_made_is_reported_on_one_line(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way")
        with pytest.raises(FullTextError, match="cannot write to the full-text index"):
            FullText.open(tmp_path / "file" / "fulltext")


REBUILD_AND_WAIT = """
import sys
from photoindex.search import Document, FullText

def documents():
    yield Document(8, "a zebra")
    print("writing", flush=True)
    sys.stdin.readline()

with FullText.open(sys.argv[1]) as fulltext:
    fulltext.rebuild(documents())
"""

UPDATE = """
import sys
from photoindex.search import Document, FullText

with FullText.open(sys.argv[1]) as fulltext:
    for turn in range(int(sys.argv[2])):
        fulltext.update([Document(photo, f"a zebra number{turn}") for photo in range(1, 5)])
        print(turn, flush=True)
"""


def program(source: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", source, *map(str, arguments)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@contextmanager
def rebuilding(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process in the middle of a rebuild; it ends when a line is written to it."""
    with program(REBUILD_AND_WAIT, folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        yield process


class TestOtherProcesses:
    def test_a_second_writer_is_told_who_is_writing(self, fulltext: FullText) -> None:
        with rebuilding(fulltext.folder) as process, FullText.open(fulltext.folder, timeout=0) as hurried:
            writes: list[Callable[[], None]] = [hurried.optimize]
            writes += [lambda: hurried.update([PHOTOS[0]]), lambda: hurried.rebuild(PHOTOS)]
            for write in writes:
                with pytest.raises(FullTextError, match=f"process {process.pid} is rebuilding the full-text index"):
                    write()
            assert found(hurried, "giraffe") == {1}

    def test_a_writer_that_waits_goes_on_in_what_the_other_left(self, fulltext: FullText) -> None:
        with rebuilding(fulltext.folder) as process:
            process.communicate("go on\n")
        fulltext.update([Document(9, "a zebra")])
        assert found(fulltext, "-x") == {8, 9}

    def test_a_writer_that_was_killed_does_not_keep_others_out(self, fulltext: FullText) -> None:
        with rebuilding(fulltext.folder) as process:
            process.kill()
        assert (fulltext.folder / "writer.pid").exists()
        fulltext.timeout = 0
        fulltext.update([Document(9, "a zebra")])
        assert found(fulltext, "zebra") == {9}
        assert not (fulltext.folder / "writer.pid").exists()

    def test_a_held_reader_sees_what_another_process_commits(self, fulltext: FullText) -> None:
        assert found(fulltext, "zebra") == set()
        with program(UPDATE, fulltext.folder, 1) as process:
            process.communicate()
        assert found(fulltext, "zebra number0") == {1, 2, 3, 4}
        assert found(fulltext, "giraffe dog") == set()

    def test_searching_beside_a_busy_writer_always_sees_whole_commits(self, fulltext: FullText) -> None:
        fulltext.update([Document(photo, "a zebra") for photo in range(1, 5)])
        searches = 0
        with program(UPDATE, fulltext.folder, 40) as process:
            assert process.stdout is not None
            while process.poll() is None and searches < 20_000:
                assert sorted(ids(fulltext.search("zebra"))) == [1, 2, 3, 4]
                assert fulltext.count() == 4
                searches += 1
        assert process.returncode == 0
        assert searches
        assert found(fulltext, "number39") == {1, 2, 3, 4}


def test_searching_imports_no_torch_and_warns_of_nothing() -> None:
    unwanted = "{'torch', 'torchvision'}"
    source = f"import sys, photoindex.search.fulltext.index; print(sorted({unwanted} & set(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", source], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert (result.stdout, result.stderr, result.returncode) == ("[]\n", "", 0)
