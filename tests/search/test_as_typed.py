"""Photos are found by what people type: names of files, words in any spelling, values as written, any script, dates."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path

import pytest

from photoindex.errors import QueryError
from photoindex.search import Document, FullText
from photoindex.search.fulltext.document import document_of
from photoindex.types import Caption, Photo, PhotoFacts, Place, Term

NOW = datetime(2024, 5, 1)
FACTS = PhotoFacts("JPEG", 4000, 3000)
TODAY = date(2024, 5, 1)
Search = Callable[[str], list[int]]


def photo(number: int, caption: str = "a dog", path: str = "", *terms: tuple[str, str], source: str = "model",
          facts: PhotoFacts = FACTS) -> Photo:  # fmt: skip
    paths = (Path(path or f"/photos/{number}.jpg"),)
    known = tuple(Term(text, 1.0, kind) for kind, text in terms)
    return Photo(number, f"hash {number}", 1, facts, paths, (), Caption(caption, source, NOW), terms=known)  # type: ignore[arg-type]


@pytest.fixture
def search_in(index: FullText) -> Callable[..., Search]:
    def of(*photos: Photo) -> Search:
        index.rebuild([document_of(each, [Path("/photos")]) for each in photos])
        return lambda query: [match.photo_id for match in index.search(query, None, today=TODAY)]

    return of


class TestNamesOfFiles:
    NAMES = (
        "DSC00123.jpg", "IMG1234.JPG", "IMG_0042.webp", "WhatsApp Image 2021-03-04 at 11.04.05 PM.jpeg",
        "PXL_20230612_101530123.MP.jpg", "My Dog 1.jpg", "d.o.g-2.png", "Überraschung #3.heic", "狗照片.jpg",
        "IMG_0042(1).jpg",
        "Screenshot_2019-08-12-11-22-33.png", "0001.tif", "beach.party.final.jpg", "a+b=c.gif",
    )  # fmt: skip

    @pytest.mark.parametrize("name", NAMES)
    def test_a_name_as_typed_with_or_without_suffix_finds_its_file_first(
        self, search_in: Callable[..., Search], name: str
    ) -> None:
        photos = [photo(n, "a dog on the beach", f"/photos/trip/{each}") for n, each in enumerate(self.NAMES, 1)]
        photos += [photo(n, "a dog 0042 1234 dog IMG", f"/photos/dog {n}/x{n}.jpg") for n in range(50, 60)]
        search = search_in(*photos)
        number = self.NAMES.index(name) + 1
        stem = name.rsplit(".", 1)[0]
        for query in (name, name.lower(), stem, f'"{name}"', f'name:"{stem}"'):
            assert search(query)[0] == number, query
        if " " not in name and "(" not in name:
            assert search(f"name:{name}")[0] == number
            assert search(f"name:{stem}")[0] == number

    @pytest.mark.parametrize(
        ("path", "queries"),
        [
            ("WhatsApp/a.jpg", ["folder:WhatsApp", "folder:whatsapp", "whatsapp", "folder:Whats", '"whatsapp"']),
            ("BeachTrip2019/a.jpg", ["folder:BeachTrip2019", "beach", '"beach trip"', "folder:trip", "beachtrip2019"]),
            ("x/DSC00123.jpg", ["dsc00123", "DSC00123", "00123", "name:dsc*", "name:DSC00123.jpg"]),
            ("O'Brien & Söhne/a.jpg", ["folder:O'Brien", "obrien", "söhne", "sohne", "brien"]),
            ("100CANON/a.jpg", ["100canon", "canon", "folder:100CANON"]),
        ],
    )
    def test_folders_too_are_taken_apart_as_queries_are(
        self, search_in: Callable[..., Search], path: str, queries: list[str]
    ) -> None:
        search = search_in(photo(1, "grass", f"/photos/{path}"), photo(2, "grass", "/photos/other/b.jpg"))
        for query in queries:
            assert search(query) == [1], query


class TestSpellings:
    @pytest.mark.parametrize(
        ("text", "queries"),
        [
            ("Musée d'Orsay", ["orsay", "d'orsay", "D\u2019Orsay", "dorsay", '"musee d\'orsay"', '"musee orsay"']),
            ("l'eau claire", ["eau", "l'eau", "l\u2019eau", '"eau claire"']),
            ("Côte d'Azur", ["azur", "cote azur", '"cote azur"', "d'Azur"]),
            ("Mr O'Brien", ["o'brien", "obrien", "brien", "O\u2019Brien"]),
            ("an x-ray", ["x-ray", "xray", "X-Ray", '"x-ray"']),
            ("the e-mail", ["e-mail", "email", "E-Mail"]),
            ("an email", ["e-mail", "email"]),
            ("a red T-shirt", ["t-shirt", "tshirt", "T-Shirts", '"red t-shirt"', '"red tshirt"']),
            ("a tshirt", ["t-shirt", "tshirt"]),
            ("some ice-cream", ["ice-cream", "icecream", "ice cream"]),
            ("an icecream", ["ice-cream", "icecream"]),
            ("Wi-Fi", ["wifi", "wi-fi"]),
            ("the U.S.A.", ["usa", "u.s.a."]),
            ("dell'Arte", ["arte", "dell'arte"]),
            ("snow\u2011covered hills", ["snowcovered", "snow-covered", '"snow covered"']),
        ],
    )
    def test_elided_and_joined_words_are_found_by_either_spelling(
        self, search_in: Callable[..., Search], text: str, queries: list[str]
    ) -> None:
        search = search_in(photo(1, text), photo(2, "a horse"))
        for query in queries:
            assert search(query) == [1], query

    @pytest.mark.parametrize(("text", "query"), [("they don't", "t"), ("1.8", "18"), ("1-2", "12"), ("we'll go", "ll")])
    def test_what_is_no_other_spelling_is_none(self, search_in: Callable[..., Search], text: str, query: str) -> None:
        with_text = search_in(photo(1, f"grass {text}", "/photos/x.jpg"))
        with suppress(QueryError):  # a word too common to be searched
            assert with_text(query) == []


class TestScriptsWithoutSpaces:
    @pytest.mark.parametrize(
        ("text", "queries", "others"),
        [
            ("海滩上的狗", ["狗", "海滩", "海滩上的狗", '"海滩"', "caption:海滩"], ["滩海", "猫", "海狗"]),
            ("公園で遊ぶカメラ", ["カメラ", "公園", "遊ぶ"], ["メカラ", "園公"]),
            ("서울에서 강아지와", ["서울", "강아지", "서울에서"], ["울서", "고양이"]),
            ("สุนัขบนชายหาด", ["สุนัข", "ชายหาด"], ["แมว", "หาดชาย"]),
            ("ໝາຢູ່ຫາດຊາຍ", ["ໝາ", "ຫາດ"], ["ແມວ"]),
            ("ឆ្កែនៅលើឆ្នេរ", ["ឆ្កែ", "ឆ្នេរ"], ["ឆ្មា"]),
            ("ကမ်းခြေမှာခွေး", ["ကမ်းခြေ", "ခွေး"], ["ကြောင်"]),
            ("iPhone手机照片", ["手机", "iphone", "照片"], ["机手"]),
        ],
    )
    def test_a_word_within_a_run_is_found_and_another_order_is_not(
        self, search_in: Callable[..., Search], text: str, queries: list[str], others: list[str]
    ) -> None:
        search = search_in(photo(1, text), photo(2, "a horse"))
        for query in queries:
            assert search(query) == [1], query
        for query in others:
            assert search(query) == [], query

    def test_a_run_does_not_reach_over_other_words(self, search_in: Callable[..., Search]) -> None:
        assert search_in(photo(1, "海 a 滩"), photo(2, "海 horse 滩"), photo(3, "海滩"))('"海滩" horse') == []


class TestValuesAsWritten:
    TAGS = (
        "It",
        "Black & White",
        "C++",
        "🔒",
        "❤️",
        "To do",
        "!!!",
        "R&D",
        "The Who",
        "Å",
        "A",
        "#1",
        "日本",
        "Who?",
        "-",
        "No. 5",
    )

    @pytest.mark.parametrize("tag", TAGS)
    @pytest.mark.parametrize("field", ["tag", "person", "title", "place"])
    def test_a_value_of_common_words_signs_or_few_letters_finds_its_photo_alone(
        self, search_in: Callable[..., Search], tag: str, field: str
    ) -> None:
        photos = [photo(n, "a man", "", (field, each)) for n, each in enumerate(self.TAGS, 1)]
        search = search_in(*photos, photo(99, "a man"))
        number = self.TAGS.index(tag) + 1
        found = search(f'{field}:"{tag}"')
        assert number in found
        assert 99 not in found
        if field in ("tag", "person"):
            expected = {
                i for i, each in enumerate(self.TAGS, 1) if each == tag or (tag, each) in (("A", "Å"), ("Å", "A"))
            }
            assert set(found) == expected
        excluded = search(f'man -{field}:"{tag}"')
        assert set(excluded) == {*range(1, len(self.TAGS) + 1), 99} - set(found)

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("person:Jo", [1, 2]), ("person:jo", [1, 2]), ('person:"Jo"', [1]), ('person:"Jo March"', [2]),
            ("person:March", [2]), ("person:Joe", [3]), ("person:Jo*", [1, 2, 3]), ("person:Jao~", [1, 2]),
            ('person:"March Jo"', []), ("person:Jones", []), ("-person:Jo", [3, 4]), ("people:the", []),
        ],
    )  # fmt: skip
    def test_names_are_compared_by_whole_words_and_in_quotes_as_a_whole(
        self, search_in: Callable[..., Search], query: str, expected: list[int]
    ) -> None:
        people = ("Jo", "Jo March", "Joe")
        photos = [photo(n, "a person", "", ("person", each)) for n, each in enumerate(people, 1)]
        assert sorted(search_in(*photos, photo(4, "jo the a person jones"))(query)) == expected

    def test_two_values_are_not_one(self, search_in: Callable[..., Search]) -> None:
        search = search_in(photo(1, "x", "", ("tag", "black"), ("tag", "dog")), photo(2, "x", "", ("tag", "black dog")))
        assert search('tag:"black dog"') == [2]
        assert sorted(search("tag:black tag:dog")) == [1, 2]

    def test_a_place_of_one_letter(self, search_in: Callable[..., Search]) -> None:
        there = photo(1, facts=PhotoFacts("JPEG", 1, 1, place=Place("Å", "", "Lofoten", "Norway", "NO")))
        assert search_in(there, photo(2))("place:Å") == [1]


class TestNoConditionVanishes:
    @pytest.mark.parametrize(
        "query",
        [
            "man -the", "man -!!!", "man NOT the", 'man "the of"', 'man "!!!"', "man caption:the", "man name:!!!",
            'man tag:""', 'man -""', 'tag:""', "man -(the)", "man AND the", "the AND man", "man AND !!!", "tag: dog",
            "man label:a", 'man title:" "', "path:", 'path:""', 'format:"" man', "!!! rating:5", "? has:gps", "man -?",
            "man camera:-", 'man -caption:"it is"', "man folder:...", "(man) AND (the)", "name: IMG", "rating: man",
        ],
    )  # fmt: skip
    def test_one_that_cannot_be_searched_is_refused(self, search_in: Callable[..., Search], query: str) -> None:
        with pytest.raises(QueryError) as caught:
            search_in(photo(1, "a man"), photo(2, "a dog"))(query)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("man -tag:🔒", [1]), ("man tag:It", []), ("man place:Å", []), ("man tag:!", []), ("man -🔒", [1]),
            ("man :)", [1]), ("man & dog", [1, 2]), ("the man", [1]), ("in format:jpeg", [1, 2]), ("man ()", [1]),
            ("tag:*", []), ("-tag:the", [1, 2]),
        ],
    )  # fmt: skip
    def test_one_that_nothing_has_finds_nothing(
        self, search_in: Callable[..., Search], query: str, expected: list[int]
    ) -> None:
        assert sorted(search_in(photo(1, "a man"), photo(2, "a dog"))(query)) == expected

    @pytest.mark.parametrize(
        ("typed", "meant"),
        [
            ("camra:canon", "camera"), ("tgas:dog", "tags"), ("tittle:x", "title"), ("ratng:5", "rating"),
            ("filename:a.jpg", "name"), ("location:lisbon", "place"), ("album:trip", "folder"), ("persn:jo", "person"),
            ("formt:jpeg", "format"), ('capton:"a dog"', "caption"), ("takne:2020", "taken"), ("widht:3000", "width"),
            ("month:june", "taken"), ("-lable:dog", "label"), ("keyward:x", "keyword"), ("heigth:1", "height"),
        ],
    )  # fmt: skip
    def test_a_misspelt_field_is_told_which_was_meant(
        self, search_in: Callable[..., Search], typed: str, meant: str
    ) -> None:
        with pytest.raises(QueryError, match=f"did you mean {meant}:"):
            search_in(photo(1))(typed)

    @pytest.mark.parametrize(
        "text", ["http://camera.example", "12:30 dog", "foo:dog", "re:dog", '"camra:x" dog', "c:dog"]
    )
    def test_other_text_with_a_colon_is_words(self, search_in: Callable[..., Search], text: str) -> None:
        search_in(photo(1))(text)


class TestDates:
    TAKEN = (
        datetime(2008, 10, 12), datetime(2008, 6, 1), datetime(2019, 7, 4), datetime(2023, 12, 25),
        datetime(2024, 4, 30, 23, 59), datetime(1850, 3, 3), datetime(2150, 1, 1), datetime(1999, 12, 31),
    )  # fmt: skip

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("2008", [1, 2, 20]), ("october 2008", [1]), ("Oct 2008", [1]), ("12 October 2008", [1]), ("2008-06", [2]),
            ("summer 2019", [3]), ("last christmas", [4]), ("christmas 2023", [4]), ("yesterday", [5]), ("1850", [6]),
            ("taken:>2008", [3, 4, 5, 7]), ("taken:2008-06..", [1, 2, 3, 4, 5, 7]), ("date:2008", [1, 2]),
            ("year:2008", [1, 2]), ("taken:1850..1899", [6]), ("taken:<1900", [6]), ("taken:>2100", [7]),
            ("taken:october 2008", [1]), ('taken:"summer 2019"', [3]), ("taken:last christmas", [4]), ("1990s", [8]),
            ("when:yesterday", [5]), ("taken:>=2024-04", [5, 7]), ('taken:"since 2024"', [5, 7]), ("2018..2020", [3]),
            ("taken:1990s", [8]), ('date:"before 1900"', [6]), ("-2008", [3, 4, 5, 6, 7, 8]), ("last month", [5]),
            ("1 day ago", [5]), ("taken:12.10.2008", [1]), ("taken:2008/10/12", [1]), ("new year's eve 1999", [8]),
        ],
    )  # fmt: skip
    def test_as_people_say_them(self, search_in: Callable[..., Search], query: str, expected: list[int]) -> None:
        photos = [photo(n, "a horse", f"/photos/{'abcdefgh'[n - 1]}.jpg",
                        facts=PhotoFacts("JPEG", 1, 1, taken_at=when, taken_source="exif"))
                  for n, when in enumerate(self.TAKEN, 1)]  # fmt: skip
        search = search_in(*photos, photo(20, "dog", "/photos/2008/z.jpg"))
        assert sorted(number for number in search(query) if number != 20 or 20 in expected) == expected

    def test_beside_words_a_date_brings_its_photos_before_the_others(self, search_in: Callable[..., Search]) -> None:
        dated = PhotoFacts("JPEG", 1, 1, taken_at=datetime(2008, 1, 1), taken_source="exif")
        search = search_in(photo(1, "a dog"), photo(2, "a dog", facts=dated), photo(3, "a cat", facts=dated))
        assert search("dog 2008")[0] == 2
        assert sorted(search("dog 2008")) == [1, 2, 3]

    @pytest.mark.parametrize(
        "query", ["taken:>", "taken:christmas", "taken:2008..2007", 'taken:"after today and"', "year:abc"]
    )
    def test_what_is_none_is_refused(self, search_in: Callable[..., Search], query: str) -> None:
        with pytest.raises(QueryError, match=r"is not a date|ends before"):
            search_in(photo(1))(query)


class TestLongCaptions:
    AGENCY = "LISBON, PORTUGAL: " + " ".join(f"word{n}" for n in range(250)) + " dog beach umbrella. File by Agency"

    def test_they_do_not_win_by_single_words(self, search_in: Callable[..., Search]) -> None:
        long = photo(1, self.AGENCY, source="sidecar")
        search = search_in(long, photo(2, "a dog on a beach"), *(photo(n, "a car") for n in range(3, 9)))
        assert search("dog") == search("dog beach") == [2, 1]
        assert search("umbrella") == search('"beach umbrella"') == search("caption:umbrella") == [1]

    def test_a_persons_caption_of_usual_length_wins_as_before(self, search_in: Callable[..., Search]) -> None:
        search = search_in(photo(1, "our dog at the lake", source="user"), photo(2, "a dog", "", ("label", "dog")))
        assert search("dog") == [1, 2]


class TestExactly:
    @pytest.mark.parametrize(
        ("query", "expected"),
        [("sofa", []), ("couch", [1]), ("dog couch", [1]), ("couches", [1]), ("dog cat", []), ("dog OR cat", [1, 2]),
         ("tag:Sofa", [3]), ("-couch", [2, 3]), ("dog* 2020", [])],
    )  # fmt: skip
    def test_every_word_is_written_and_none_is_only_meant(
        self, index: FullText, query: str, expected: list[int]
    ) -> None:
        index.rebuild([
            Document(1, "a dog on a couch"), Document(2, "a dog"), Document(3, "x", tags="Sofa"),
        ])  # fmt: skip
        if query == "sofa":
            expected = [3]
        assert sorted(match.photo_id for match in index.search(query, None, exact=True)) == expected


def test_words_and_not_stems_are_shown(index: FullText) -> None:
    index.rebuild([Document(1, "sculptures of a pony", labels="motorcycle . puppy", tags="Black & White")])
    matched = [
        match.matched for match in index.search("sculpture ponies sofas pupp* motorcyclee~ tag:white OR xyz", None)
    ]
    assert {reason.word for reasons in matched for reason in reasons} >= {"sculpture", "ponies", "puppy", "motorcycle"}


class TestOneWordOrTwo:
    @pytest.mark.parametrize(
        ("text", "queries", "others"),
        [
            ("ice cream for two", ["icecream", "ice-cream", "ice cream", "caption:icecream", "Icecreams"], []),
            ("an icecream", ["ice cream", "ice creams", "some ice cream", "icecream"], []),
            ("a surf board", ["surfboard", "surfboards"], ["boardsurf", "surfboat"]),
            ("a surfboard", ["surf board", "a surf board"], ["surf", "board"]),
            ("a sun flower in grass", ["sunflower", "sunflower grass"], []),
            ("the light house", ["lighthouse", "lighthouses"], ["houselight", "lighthome"]),
            ("a man goes", [], ["mango"]),
            ("ice with the best cream", [], ["icecream", "creamice"]),
            ("a house", [], ["houseboat"]),
        ],
    )
    def test_either_is_found_by_the_other(
        self, search_in: Callable[..., Search], text: str, queries: list[str], others: list[str]
    ) -> None:
        search = search_in(photo(1, text), photo(2, "a horse"))
        for query in queries:
            assert 1 in search(query), query
        for query in others:
            assert search(query) == [], query

    def test_words_that_were_not_typed_side_by_side_are_not_joined(self, search_in: Callable[..., Search]) -> None:
        search = search_in(photo(1, "a doghouse"), photo(2, "a horse"))
        assert search("dog house") == [1]
        for query in ("dog in house", "house dog", '"dog" house', "dog -horse house", "dog tag:x house"):
            assert search(query) == [], query

    def test_two_words_are_found_by_one_beside_others(self, search_in: Callable[..., Search]) -> None:
        search = search_in(photo(1, "a girl with ice cream"), photo(2, "a girl"), photo(3, "an icecream and a girl"))
        assert sorted(search("icecream girl")[:2]) == [1, 3]
        assert search("girl -icecream") == [2]


class TestCommonWords:
    """Of fields that are compared as prose, what has common words in it is compared as it is written."""

    @pytest.mark.parametrize(
        ("path", "queries", "others"),
        [
            ("a/1.jpg", ["folder:a", 'folder:"a"', "name:A", "folder:a dog", "dog folder:a"],
             ["folder:I", "-folder:a"]),
            ("The Who/1.jpg", ["folder:the-who", 'folder:"the who"', 'folder:"The Who"'],
             ['folder:"who the"', "folder:it"]),
            ("Me & You/1.jpg", ['folder:"me & you"', "folder:me", "folder:you"], ['folder:"me you"']),
            ("x/i.jpg", ["name:i", "name:I.JPG", "file:i"], ["name:a"]),
            ("On the Road/1.jpg", ['folder:"on the road"', "folder:road", "folder:the", "folder:on-the-road"],
             ['folder:"in the road"', 'folder:"on the roads"']),
            ("on-the-road/1.jpg", ['folder:"on the road"', "folder:on"], []),
            ("\u00c0/1.jpg", ["folder:\u00c0", "folder:a"], ["folder:at"]),
        ],
    )  # fmt: skip
    def test_folders_and_files(
        self, search_in: Callable[..., Search], path: str, queries: list[str], others: list[str]
    ) -> None:
        search = search_in(photo(1, "a dog", f"/photos/{path}"), photo(2, "a dog", "/photos/other/road trip.jpg"))
        for query in queries:
            assert search(query)[:1] == [1], query
        for query in others:
            assert 1 not in search(query), query
        assert search("folder:trip") == [2]

    def test_cameras_and_lenses(self, search_in: Callable[..., Search]) -> None:
        models = ("Leica S", "Leica M", "Moto T", "Canon IXUS I")
        cameras = [
            photo(n, facts=PhotoFacts("JPEG", 4, 3, camera=name, lens="Sigma 50mm" if n > 1 else "S 70mm"))
            for n, name in enumerate(models, 1)
        ]
        search = search_in(*cameras)
        expected = {'camera:"leica s"': [1], "camera:s": [1], 'camera:"moto t"': [3], "camera:i": [4], "lens:s": [1]}
        for query, found in expected.items():
            assert search(query) == found, query
        assert sorted(search("camera:leica")) == [1, 2]
        assert sorted(search("lens:50mm")) == [2, 3, 4]

    @pytest.mark.parametrize("query", ["caption:the", "label:a", "beam:of", "the", '"of the"'])
    def test_prose_says_that_they_are_not_indexed(self, search_in: Callable[..., Search], query: str) -> None:
        with pytest.raises(QueryError, match="nothing to search for"):
            search_in(photo(1))(query)
