"""Which arguments are options, which are words, and what is wrong usage."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from photoindex import captioner as captioning
from photoindex.cli.main import COMMANDS, main
from photoindex.library import Library
from photoindex.system.terminal import shell_quoted, visible
from photoindex.types import Prediction
from tests.support import FakeCaptioner, make_photo

ON_BOTH = True


def run(data_dir: Path, *arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["--data-dir", str(data_dir), *map(str, arguments)])


@pytest.fixture
def indexed(library: Library, album: Path) -> Path:
    for colour in ("red", "green", "blue"):
        make_photo(album / colour / f"{colour}.jpg", colour)
    library.index(album)
    library.close()
    return library.settings.data_dir


def found(data_dir: Path, *arguments: str) -> list[str]:
    result = run(data_dir, "search", *arguments, "-0")
    assert result.exit_code in (0, 1), result.stderr
    return sorted(Path(path).stem for path in result.stdout.split("\0")[:-1])


class TestDashes:
    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            (["square", "-red"], ["blue", "green"]),
            (["-red", "square"], ["blue", "green"]),
            (["square", "-red", "-blue"], ["green"]),
            (["square", "-red square"], ["blue", "green"]),
            (["square", "-folder:red"], ["blue", "green"]),
            (["square", "-nothing"], ["blue", "green", "red"]),  # begins like -n
            (["square", "-hat"], ["blue", "green", "red"]),  # begins like -h
            (["square", "-2019"], ["blue", "green", "red"]),
            (["square", "-7"], ["blue", "green", "red"]),
            (["square", "--", "-red"], ["blue", "green"]),
            (["--sort", "name", "square", "-red", "--reverse"], ["blue", "green"]),
            (["square -red"], ["blue", "green"]),
        ],
    )
    def test_a_word_with_one_dash_is_left_out(self, indexed: Path, arguments: list[str], expected: list[str]) -> None:
        options = arguments if "--" not in arguments else ["-0", *arguments]
        result = run(indexed, "search", *options) if "--" in arguments else run(indexed, "search", *options, "-0")
        assert sorted(Path(path).stem for path in result.stdout.split("\0")[:-1]) == expected

    @pytest.mark.parametrize(
        ("arguments", "count"),
        [(["-n1"], 1), (["-n", "2"], 2), (["--limit", "1"], 1), (["--limit=2"], 2), (["-n2", "-red"], 2), ([], 3)],
    )
    def test_known_options_stay_options(self, indexed: Path, arguments: list[str], count: int) -> None:
        assert len(found(indexed, "square", *arguments)) == count

    @pytest.mark.parametrize(
        ("option", "meant"),
        [("--limt", "--limit"), ("--jsno", "--json"), ("--explian", "--explain"), ("--nonsense", None), ("-x", None),
         ("-Z", None), ("--limt=5", "--limit"), ("--opne", "--open")],
    )  # fmt: skip
    def test_an_unknown_option_is_wrong_usage(self, indexed: Path, option: str, meant: str | None) -> None:
        result = run(indexed, "search", "square", option)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "no such option" in result.stderr.lower()
        assert option.partition("=")[0] in result.stderr
        assert meant is None or meant in result.stderr

    @pytest.mark.parametrize("name", COMMANDS)
    def test_every_command_refuses_unknown_options(self, name: str) -> None:
        command = main.get_command(click.Context(main), name)
        subcommands = [[name, sub] for sub in command.commands] if isinstance(command, click.Group) else [[name]]
        for arguments in subcommands:
            result = CliRunner().invoke(main, [*arguments, "--no-such-option"])
            assert (result.exit_code, "no such option" in result.stderr.lower()) == (2, True), arguments

    def test_a_value_may_begin_with_a_dash_and_an_option_may_not_be_mistyped(self, data_dir: Path) -> None:
        assert "cannot be negative" in run(data_dir, "config", "set", "threads", "-1").stderr
        assert "'-mine'" in run(data_dir, "config", "set", "model", "-mine").stderr
        assert run(data_dir, "config", "set", "model", "--mine").exit_code == 2
        assert run(data_dir, "config", "set", "model", "x", "-extra").stderr.endswith("(-extra)\n")

    def test_a_mistyped_command_names_the_one_that_was_meant(self, data_dir: Path) -> None:
        for typed, meant in (("serch", "search"), ("duplicate", "duplicates"), ("stat", "stats")):
            result = run(data_dir, typed, "x")
            assert (result.exit_code, f"did you mean {meant}?" in result.stderr) == (2, True)


class TestTemplates:
    @pytest.mark.parametrize(
        "template",
        ["{path[0]}", "{path.name}", "{score.real}", "{0}", "{}", "{nope}", "{path!x}", "{path", "path}", "{score:q}",
         "{width:>99999999999}", "{score:.999999999f}", "{path:{width}}", "{caption:d}", "{path.__class__}"],
    )  # fmt: skip
    def test_one_that_cannot_be_filled_in_is_one_line(self, indexed: Path, template: str) -> None:
        result = run(indexed, "search", "red", "--format", template)
        assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
        assert result.stderr.startswith("photoindex: --format")

    @pytest.mark.parametrize("template", ["{nope}", "{path[0]}"])
    def test_it_is_refused_before_the_search(self, data_dir: Path, template: str) -> None:
        assert "--format" in run(data_dir, "search", "red", "--format", template).stderr

    def test_formats_that_fit_are_used(self, indexed: Path, album: Path) -> None:
        path = str(album / "red" / "red.jpg")
        for template, expected in (
            ("{path:>300}", f"{path:>300}"), ("{caption!r}", "'a red square'"), ("{width:05d}", "00048"),
            ("{{{width}}}", "{48}"), ("[{rating:3d}]", "[]"), ("[{camera:>4}]", "[    ]"), ("{taken_at:%Y}x", None),
        ):  # fmt: skip
            result = run(indexed, "search", "red", "--format", template)
            assert result.exit_code == 0, result.stderr
            assert expected is None or result.stdout == f"{expected}\n"


class TestWithoutALibrary:
    @pytest.mark.parametrize(
        "arguments",
        [["search", "dog"], ["status"], ["stats"], ["duplicates"], ["failures", "list"], ["failures", "retry"],
         ["jobs", "list"], ["jobs", "pause"], ["show", "x.jpg"], ["export", "--jsonl", "-"],
         ["edit", "--where", "x", "--tag", "y", "--yes"], ["reindex", "--all"], ["search", "--like", "x.jpg"]],
    )  # fmt: skip
    def test_reading_makes_none_and_says_how_to(self, tmp_path: Path, arguments: list[str]) -> None:
        mistyped = tmp_path / "it's mistyped"
        result = run(mistyped, *arguments)
        assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
        assert f"there is no library in {mistyped}" in result.stderr
        assert f"photoindex --data-dir '{tmp_path}/it'\"'\"'s mistyped' index FOLDER" in result.stderr
        assert not mistyped.exists()

    @pytest.mark.skipif(os.name == "nt", reason="Windows lets not everybody make links")
    @pytest.mark.parametrize(
        "arguments",
        [["search", "dog"], ["status"], ["index", "."], ["watch", "."], ["serve", "--no-browser"], ["doctor"],
         ["import", os.devnull]],
    )  # fmt: skip
    @pytest.mark.parametrize("below", ["", "data", "far/data"])
    def test_one_behind_a_link_to_a_disk_that_is_away_is_said_to_be(
        self, tmp_path: Path, arguments: list[str], below: str
    ) -> None:
        link, disk = tmp_path / "link", tmp_path / "disk" / "photoindex"
        link.symlink_to(disk)
        result = run(link / below, *arguments)
        assert result.exit_code == 1
        assert f"{link} is a link to {disk}, which is not there: mount its disk, or remove the link" in result.output
        assert "Traceback" not in result.output
        assert not disk.exists()

    def test_captions_need_none(self, data_dir: Path, album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(captioning, "load_captioner", lambda _: FakeCaptioner())
        assert run(data_dir, "caption", make_photo(album / "a.jpg")).stdout == "a red square\n"
        assert not data_dir.exists()

    def test_an_empty_one_is_said_to_be_empty(self, library: Library, album: Path) -> None:
        library.index(album)
        library.close()
        data_dir = library.settings.data_dir
        assert run(data_dir, "search", "dog").stderr.startswith("the library is empty: photoindex index FOLDER")
        assert run(data_dir, "search", "dog", "--json").stdout == "[]\n"

    def test_one_whose_photos_wait_says_so(self, library: Library, album: Path) -> None:
        (album / "bad.jpg").write_text("no photo")
        library.index(album)
        library.close()
        assert "no photo is captioned yet" in run(library.settings.data_dir, "search", "dog").stderr


class TestOrder:
    def test_captions_come_in_the_order_asked(
        self, data_dir: Path, album: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(captioning, "load_captioner", lambda _: FakeCaptioner())
        colours = ["blue", "red", "green", "yellow", "white", "black"] * 3
        paths = [make_photo(album / f"{number}.jpg", colour) for number, colour in enumerate(colours)]
        (album / "3.jpg").write_text("no photo")
        paths += paths[:2]
        lines = run(data_dir, "caption", *paths).stdout.splitlines()
        assert lines == [
            f"{path}: a {colour} square"
            for path, colour in zip(paths, [*colours, *colours[:2]], strict=True)
            if path.name != "3.jpg"
        ]

    def test_so_they_do_from_python(self, library: Library, album: Path) -> None:
        paths = [make_photo(album / f"{number}.png", colour) for number, colour in enumerate(["red", "blue", "green"])]
        asked = [*reversed(paths), *paths]
        answers = list(library.caption(*asked))
        assert [path for path, _ in answers] == asked
        assert [answer.caption for _, answer in answers if isinstance(answer, Prediction)][:2] == [
            "a green square", "a blue square",
        ]  # fmt: skip


class TestExactEdits:
    @pytest.mark.parametrize(
        ("query", "tagged"),
        [("warm", 0), ("red", 1), ("red warm", 0), ("reds", 1), ("red square", 1), ("square", 3), ("red OR blue", 2),
         ("square -red", 2), ("folder:red", 1), ('"red square"', 1)],
    )  # fmt: skip
    def test_only_photos_that_have_every_word_are_edited(self, indexed: Path, query: str, tagged: int) -> None:
        result = run(indexed, "edit", "--where", query, "--tag", "chosen", "--yes")
        assert result.exit_code == 0
        assert len(found(indexed, "tag:chosen")) == tagged

    def test_those_that_are_near_are_counted_and_taken_on_demand(self, indexed: Path) -> None:
        # "warm" is a learned term of red photos, and written nowhere.
        result = run(indexed, "edit", "--where", "warm", "--tag", "x", "--yes")
        assert result.stderr.splitlines() == [
            "leaving out 1 photo that only comes near 'warm'; --near takes those too", "no photo matches",
        ]  # fmt: skip
        assert run(indexed, "edit", "--where", "warm", "--near", "--tag", "x", "--yes").stderr == "1 edited\n"
        assert found(indexed, "tag:x") == ["red"]

    def test_an_export_takes_only_what_was_asked_for(self, indexed: Path) -> None:
        assert run(indexed, "export", "--jsonl", "-", "--where", "warm").stdout.count('"kind":"photo"') == 0
        assert run(indexed, "edit", "--near", "x.jpg").exit_code == 2


def test_a_files_time_in_the_place_of_a_date_says_so(indexed: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    run(indexed, "search", "red", "--html", page)
    assert "(the file&#x27;s time)" in page.read_text(encoding="utf-8")
    header, row = run(indexed, "search", "red", "--csv").stdout.splitlines()
    assert dict(zip(header.split(","), row.split(","), strict=True))["taken_source"] == "mtime"
    assert '"taken_source": "mtime"' in run(indexed, "search", "red", "--json").stdout
    path = run(indexed, "search", "red", "-0").stdout.rstrip("\0")
    assert "(by when the file was changed)" in run(indexed, "show", path).stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash to paste a command into")
@pytest.mark.parametrize(
    "name", ["a b", "it's", "$HOME", "`id`", "-x", "a;b", "new\nline", "caf\udce9", "\x1b[2J", "*", "é"]
)
def test_a_quoted_path_pastes_as_one_word(name: str) -> None:
    quoted = shell_quoted(name)
    assert visible(quoted) == quoted
    done = subprocess.run(["bash", "-c", f"printf %s {quoted}"], capture_output=True, check=True)
    assert done.stdout == os.fsencode("./-x" if name == "-x" else name)


class TestEmptyPaths:
    """As of a shell's variable that is not set: an empty path would be the folder that the command is run in."""

    @pytest.mark.parametrize(
        "arguments",
        [
            ["index", ""], ["index", "{album}", ""], ["watch", ""], ["forget", "", "--yes"], ["move", "", "{album}"],
            ["move", "{album}", ""], ["edit", "", "--tag", "x"], ["export", "", "--sidecars"], ["show", ""],
            ["export", "--jsonl", ""], ["import", ""], ["caption", ""], ["duplicates", ""], ["failures", "retry", ""],
            ["failures", "ignore", ""], ["search", "red", "--html", ""], ["service", "install", ""],
            ["train", "--from-catalogue", "--output", ""], ["--data-dir", "", "status"], ["--config", "", "status"],
        ],
    )  # fmt: skip
    def test_one_is_wrong_usage(
        self, library: Library, album: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
    ) -> None:
        make_photo(album / "a.jpg")
        library.index(album)
        library.close()
        monkeypatch.chdir(album)
        filled = [each.replace("{album}", str(album)) for each in arguments]
        result = CliRunner().invoke(main, ["--data-dir", str(library.settings.data_dir), *filled])
        assert result.exit_code == 2
        assert "a path cannot be empty" in result.stderr
        with Library(library.settings, lambda _: FakeCaptioner()) as again:
            assert [hit.path.name for hit in again.search("red")] == ["a.jpg"]

    def test_a_folder_named_twice_counts_once(self, library: Library, album: Path) -> None:
        make_photo(album / "a.jpg")
        report = library.index(album, album, album / ".." / album.name)
        assert (report.seen, report.captioned, report.unchanged) == (1, 1, 0)
        assert library.index(album, album).seen == 1


# Of two that would print different things, or caption different photos, neither is dropped without a word.
TWO_OF_ONE = [
    ["search", "red", "--json", "--csv"],
    ["search", "red", "--jsonl", "-0"],
    ["search", "-0", "red", "--csv", "--columns", "path"],
    ["search", "red", "--pictures", "kitty", "--json"],
    ["search", "red", "--pictures", "kitty", "--format", "{path}"],
    ["duplicates", "--json", "-0"],
    ["albums", "show", "Red", "-0", "--html", "page.html"],
    ["reindex", "--all", "--failed"],
    ["reindex", "--stale", "--text", "--where", "red"],
    ["reindex", "--fulltext", "--resume"],
]


@pytest.mark.parametrize("arguments", TWO_OF_ONE, ids=" ".join)
def test_two_options_of_which_one_would_be_dropped_are_wrong_usage(
    indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run(indexed, "albums", "save", "Red", "red")
    done = run(indexed, *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    [message] = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    named = [word for word in arguments if word.startswith("--") and word not in ("--columns", "--where")]
    assert all(name in message for name in named)
    assert not (tmp_path / "page.html").exists()


def test_an_option_may_be_given_twice(indexed: Path) -> None:
    assert run(indexed, "search", "red", "--json", "--json").stdout == run(indexed, "search", "red", "--json").stdout
