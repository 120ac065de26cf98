"""What a search shows on a terminal, and what it says of words that no photo has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from photoindex.cli import output
from photoindex.cli.main import main
from photoindex.config import Settings
from photoindex.library import Library
from photoindex.types import Hit, Matched
from tests.media.metadata.samples import bag, packet
from tests.support import REPOSITORY, FakeCaptioner, make_photo

ON_BOTH = True


def run(data_dir: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--data-dir", str(data_dir), "search", *arguments])


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two photos with sidecars, of 2019 and 2021, in "album", and the library beside it, made once: the names of places
    take seconds to load. Returns the data folder."""
    album = tmp_path_factory.mktemp("tagged") / "album"
    for name, year, place in (("one.jpg", 2021, "38,42.8N"), ("two.jpg", 2019, "")):
        make_photo(album / name)
        attributes = f'exif:DateTimeOriginal="{year}-07-04T12:34:56+01:00" xmp:Rating="{year - 2017}"'
        if place:
            attributes += f' exif:GPSLatitude="{place}" exif:GPSLongitude="9,8.4W"'
        (album / name).with_suffix(".xmp").write_bytes(packet(bag("dc:subject", "Sea"), attributes))
    settings = Settings(album.parent / "data", settle_seconds=0.0, backup_days=0.0)
    with Library(settings, lambda _: FakeCaptioner()) as library:
        library.index(album)
    return settings.data_dir


class TestMetadata:
    def test_json_says_when_where_and_how_good(self, tagged: Path) -> None:
        first, second = json.loads(run(tagged, "red", "--sort", "taken", "--json").stdout)

        assert [first["taken_at"], first["taken_source"], first["taken_offset"]] == [
            "2019-07-04T12:34:56", "xmp", "+01:00",
        ]  # fmt: skip
        assert (first["gps"], first["place"], first["rating"], first["keywords"]) == (None, None, 2, ["Sea"])
        assert second["gps"] == {"latitude": 38.7133333, "longitude": -9.14, "altitude": None}
        assert (second["place"]["country"], second["place"]["country_code"]) == ("Portugal", "PT")

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            (["--sort", "taken"], ["two.jpg", "one.jpg"]), (["--sort", "taken", "--reverse"], ["one.jpg", "two.jpg"]),
            (["--sort", "rating"], ["one.jpg", "two.jpg"]), (["--sort", "name", "--reverse"], ["two.jpg", "one.jpg"]),
            (["--sort", "taken", "-n", "1"], ["two.jpg"]),
        ],
    )  # fmt: skip
    def test_sorting(self, tagged: Path, arguments: list[str], expected: list[str]) -> None:
        found = run(tagged, "sea", *arguments, "-0").stdout.split("\0")[:-1]

        assert [Path(path).name for path in found] == expected

    def test_show_says_who_says_so(self, tagged: Path) -> None:
        command = ["--data-dir", str(tagged), "show", str(tagged.with_name("album") / "one.jpg")]
        shown = dict(line.split(maxsplit=1) for line in CliRunner().invoke(main, command).stdout.splitlines())

        assert shown["taken"] == "2021-07-04 12:34:56 +01:00 (by XMP)"
        assert (shown["keywords"], shown["rating"]) == ("Sea", "\u2605" * 4)
        assert shown["place"].endswith("Portugal")

    def test_beyond_the_last_hit_it_is_said_how_many_there_are(self, tagged: Path) -> None:
        count = len(run(tagged, "width:1..").stdout.splitlines())
        result = run(tagged, "width:1..", "--offset", str(count))
        assert (count > 1, result.stdout, result.exit_code) == (True, "", 1)
        assert result.stderr == f"{count} photos match 'width:1..': --offset {count} leaves them out\n"

    def test_an_order_does_not_go_with_likeness(self, tagged: Path) -> None:
        result = run(tagged, "--like", str(tagged.with_name("album") / "one.jpg"), "--sort", "taken")

        assert (result.exit_code, "--like puts the most alike first" in result.stderr) == (2, True)


def hit(caption: str, *words: str, path: str = "/album/one.jpg") -> Hit:
    matched = (*(Matched("caption", word, 1.0) for word in words), Matched("labels", "square", 1.0))
    return Hit(Path(path), 1.0, caption, "user", matched, (), None, None, 48, 32, 1)


def on_terminal(data_dir: Path, *arguments: str, **environment: str) -> tuple[str, int]:
    """What `photoindex search` writes, with a real terminal for both its outputs, and its exit status."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "photoindex", "--data-dir", str(data_dir), "search", *arguments]
    clear = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdin=theirs, stdout=theirs, stderr=theirs, env={**clear, **environment}
    ) as process:
        os.close(theirs)
        written = b""
        try:
            while piece := os.read(ours, 65536):
                written += piece
        except OSError:  # how Linux says that the other side is closed
            pass
        os.close(ours)
    return written.decode().replace("\r\n", "\n"), process.returncode


class TestFoundWords:
    def test_they_are_bold_on_a_terminal(self, indexed: Path, album: Path) -> None:
        written, status = on_terminal(indexed, "reds")
        assert written == f"{album / 'one.jpg'}\n    a \x1b[1mred\x1b[0m square\n"
        assert status == 0

    def test_prefixes_and_fuzzy_words_mark_what_they_found(self, indexed: Path) -> None:
        assert "a \x1b[1mblue\x1b[0m \x1b[1msquare\x1b[0m" in on_terminal(indexed, "squ* bluw~")[0]

    def test_they_are_plain_when_no_color_is_set(self, indexed: Path) -> None:
        assert "\x1b" not in on_terminal(indexed, "red", NO_COLOR="1")[0]

    def test_they_are_plain_in_a_pipe(self, indexed: Path) -> None:
        assert "\x1b" not in run(indexed, "red").stdout

    def test_they_are_marked_on_a_page(self, indexed: Path, tmp_path: Path) -> None:
        run(indexed, "red", "--html", str(tmp_path / "page.html"))
        assert ">a <mark>red</mark> square<small>" in (tmp_path / "page.html").read_text()

    @pytest.mark.parametrize("terminal", [True, False])
    def test_nothing_in_a_caption_controls_the_terminal(
        self, terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("NO_COLOR", raising=False)
        output.write_list([hit("a\x1b]0;dog\x07\tcat\u2028\x9b\n", "dog")], explain=False, terminal=terminal)
        written = capsys.readouterr().out
        assert r"a\x1b]0;dog\x07\tcat\u2028\x9b\n" in written
        assert written.count("\n") == (2 if terminal else 1)

    def test_nothing_in_a_path_controls_the_terminal(self, capsys: pytest.CaptureFixture[str]) -> None:
        output.write_list([hit("a dog", path="/a\x1b[2J/é.jpg")], explain=False, terminal=True)
        assert capsys.readouterr().out.splitlines()[0] == r"/a\x1b[2J/é.jpg"


class TestDidYouMean:
    def test_a_search_without_hits_offers_queries_that_have_some(self, indexed: Path) -> None:
        result = run(indexed, "bleu squares")
        assert result.stdout  # squares are found
        result = run(indexed, "bleu")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == "no photo matches 'bleu'. Did you mean: blue?\n"

    def test_operators_stay_and_a_query_that_finds_nothing_is_not_offered(self, indexed: Path) -> None:
        assert run(indexed, '"bleu square"').stderr == (
            'no photo matches \'"bleu square"\'. Did you mean: "blue square"?\n'
        )
        assert run(indexed, "bleu -square").stderr == "no photo matches 'bleu -square'\n"
        assert run(indexed, "xylophone").stderr == "no photo matches 'xylophone'\n"

    def test_json_stays_a_list(self, indexed: Path) -> None:
        result = run(indexed, "--json", "bleu")
        assert json.loads(result.stdout) == []
        assert "Did you mean: blue?" in result.stderr

    def test_quiet_is_quiet(self, indexed: Path) -> None:
        result = CliRunner().invoke(main, ["-q", "--data-dir", str(indexed), "search", "bleu"])
        assert (result.exit_code, result.output) == (1, "")

    def test_a_word_that_no_photo_has_is_told_on_a_terminal_only(self, indexed: Path) -> None:
        assert run(indexed, "red bleu").stderr == ""
        written, status = on_terminal(indexed, "red bleu")
        assert written.endswith(" square\nno photo has 'bleu'; did you mean 'blue'?\n")
        assert status == 0
        written, _ = on_terminal(indexed, "paint", "yelow", "bleu", "skware", "red")
        assert written.endswith("no photo has 'bleu' or 'skware'; did you mean 'paint yelow blue square red'?\n")

    def test_hits_that_only_come_near_are_told_from_those_that_show_it(self, indexed: Path) -> None:
        near = "these come near 'red zebra'; none of them surely shows all of it"
        written, status = on_terminal(indexed, "red", "zebra")
        assert (near in written, status) == (True, 0)
        assert run(indexed, "red zebra").stderr == ""
        assert "come near" not in on_terminal(indexed, "red")[0]

    def test_control_characters_of_a_query_are_not_written(self, indexed: Path) -> None:
        assert "\x1b" not in run(indexed, "bleu \x1b[2J").stderr


def test_suggestions_by_the_library_keep_the_rest_of_the_query(library: Library, album: Path) -> None:
    make_photo(album / "one.jpg", "yellow")
    library.index(album)
    assert library.suggest("yelow OR -sqare name:one") == ["yellow OR -sqare name:one"]
    assert library.suggest('"yelow  sqare"') == ['"yellow  square"']
    assert library.suggest("yellow") == []
    assert library.corrections("yelow skware square") == {"yelow": ("yellow",), "skware": ("square",)}
