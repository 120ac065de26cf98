"""What the commands print, and their exit status; the captions are a fake captioner's."""

import csv
import io
import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from photoindex.cli.main import main
from photoindex.cli.progress import ProgressDisplay
from photoindex.library import Library
from photoindex.search.ranking.weights import DEFAULT_RANKING
from photoindex.system.units import human_seconds, human_size
from photoindex.types import Progress
from tests.support import make_photo

ON_BOTH = True


@pytest.fixture
def indexed(library: Library, album: Path) -> Path:
    """A library of two photos, closed; returns its data folder."""
    make_photo(album / "holiday" / "one.jpg", "red")
    make_photo(album / "two.png", "blue")
    library.index(album)
    library.close()
    return library.settings.data_dir


def run(data_dir: Path, *arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["--data-dir", str(data_dir), *map(str, arguments)])


def test_every_command_and_option_has_help() -> None:
    def check(command: object, path: str) -> None:
        assert command.help, path  # type: ignore[attr-defined]
        for parameter in command.params:  # type: ignore[attr-defined]
            if parameter.param_type_name == "option":
                assert parameter.help, f"{path} {parameter.name}"
        for name, sub in getattr(command, "commands", {}).items():
            check(sub, f"{path} {name}")

    check(main, "photoindex")


def test_a_list_in_a_pipe_is_a_line_a_hit(indexed: Path, album: Path) -> None:
    result = run(indexed, "search", "red")
    assert result.stdout == f"{album / 'holiday' / 'one.jpg'}\ta red square\n"
    assert result.exit_code == 0


def test_json_has_what_scripts_need(indexed: Path, album: Path) -> None:
    [hit] = json.loads(run(indexed, "search", "--json", "red").stdout)
    assert hit["path"] == str(album / "holiday" / "one.jpg")
    assert (hit["caption"], hit["caption_source"]) == ("a red square", "model")
    assert {(reason["layer"], reason["word"]) for reason in hit["matched"]} >= {("caption", "red"), ("terms", "red")}
    assert sum(reason["weight"] for reason in hit["matched"]) == pytest.approx(hit["score"], abs=0.001)
    assert (hit["width"], hit["height"], hit["camera"], hit["lens"]) == (48, 32, None, None)
    assert (hit["taken_source"], hit["taken_offset"]) == ("mtime", None)
    assert (hit["gps"], hit["place"], hit["rating"], hit["keywords"], hit["people"]) == (None, None, None, [], [])
    assert hit["score"] > 0


def test_jsonl_csv_paths_and_templates(indexed: Path, album: Path) -> None:
    one, two = album / "holiday" / "one.jpg", album / "two.png"
    lines = run(indexed, "search", "--jsonl", "square").stdout.splitlines()
    assert {json.loads(line)["path"] for line in lines} == {str(one), str(two)}
    rows = list(csv.DictReader(io.StringIO(run(indexed, "search", "--csv", "square").stdout)))
    assert {row["path"] for row in rows} == {str(one), str(two)}
    assert run(indexed, "search", "-0", "red").stdout_bytes == os.fsencode(one) + b"\0"
    assert run(indexed, "search", "--format", "{caption} {width}", "red").stdout == "a red square 48\n"
    bad = run(indexed, "search", "--format", "{nope}", "red")
    assert (bad.exit_code, bad.stderr.count("\n")) == (1, 1)


def test_a_dash_word_excludes_and_folder_names_are_words(indexed: Path, album: Path) -> None:
    assert str(album / "two.png") in run(indexed, "search", "square", "-red").stdout
    assert str(album / "holiday" / "one.jpg") not in run(indexed, "search", "square", "-red").stdout
    assert str(album / "holiday" / "one.jpg") in run(indexed, "search", "holiday").stdout


def test_a_quoted_argument_is_a_phrase(indexed: Path) -> None:
    assert run(indexed, "search", "red square", "paint").exit_code == 0
    assert run(indexed, "search", "square red", "paint").exit_code == 1


def test_a_query_of_nothing_but_stop_words_is_explained(indexed: Path) -> None:
    result = run(indexed, "search", "the of and")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1


def test_the_page_holds_its_pictures(indexed: Path, tmp_path: Path) -> None:
    run(indexed, "search", "red", "--html", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "a <mark>red</mark> square" in page
    assert page.count("data:image/jpeg;base64,") == 1


def test_explain_names_the_words_that_matched_and_what_each_adds(indexed: Path) -> None:
    shown = run(indexed, "search", "red", "--explain").stdout
    worth = DEFAULT_RANKING.terms * 2.0**DEFAULT_RANKING.terms_power  # an impact of 2.00
    assert f"red (terms) {worth:.2f}" in shown
    assert "red (caption) 0." in shown


def test_photos_like_another_are_found_with_and_without_words(indexed: Path, album: Path) -> None:
    one, two = album / "holiday" / "one.jpg", album / "two.png"
    assert run(indexed, "search", "--like", one).stdout == f"{two}\ta blue square\n"
    assert "square (terms) 0." in run(indexed, "search", "--like", one, "--explain").stdout
    assert run(indexed, "search", "--like", one, "blue", "-n", "3").stdout == f"{two}\ta blue square\n"
    nothing = run(indexed, "search", "red", "--like", one)
    assert (nothing.exit_code, nothing.stdout) == (1, "")
    assert nothing.stderr == f"no photo matches 'red like {one}'\n"


@pytest.mark.parametrize(
    "command",
    [
        ["show"], ["search", "--like"], ["edit", "--favourite"], ["edit", "--undo"], ["albums", "add", "name"],
        ["failures", "retry"], ["failures", "ignore"],
    ],
)  # fmt: skip
def test_a_path_that_is_not_in_the_library_is_called_what_it_is(indexed: Path, album: Path, command: list[str]) -> None:
    gone, new = album / "gone.jpg", make_photo(album / "new one.jpg", "green")
    assert run(indexed, *command, gone).stderr == (
        f"photoindex: {gone} is not in the library, and there is no such file\n"
    )
    folder = run(indexed, *command, album / "holiday")
    assert (folder.exit_code, f"{album / 'holiday'} is a folder: name photos" in folder.stderr) == (1, True)
    if "--like" not in command:  # which takes any picture
        assert run(indexed, *command, new).stderr == (
            f"photoindex: {new} is not in the library: add it with: photoindex index {album}\n"
        )


def test_an_album_that_is_not_there_is_said_with_a_command_that_lists_them(indexed: Path) -> None:
    result = run(indexed, "albums", "show", "Nope")
    command = result.stderr.rpartition(": photoindex ")[2].split()
    assert (result.exit_code, run(indexed, *command).exit_code, command) == (1, 0, ["albums", "list"])


def test_a_photo_to_compare_with_must_be_in_the_library(indexed: Path, tmp_path: Path) -> None:
    result = run(indexed, "search", "--like", tmp_path / "other.jpg")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "is not in the library" in result.stderr


def test_a_search_for_nothing_is_wrong_usage(data_dir: Path) -> None:
    assert run(data_dir, "search").exit_code == 2
    assert run(data_dir, "search", "").exit_code == 1


def test_show_lists_labels_and_learned_terms(indexed: Path, album: Path) -> None:
    shown = run(indexed, "show", album / "two.png").stdout
    assert "labels      paint 0.50\n" in shown
    assert "terms       blue 2.00, blue squar 1.50, cold 1.20, squar 1.00\n" in shown
    terms = json.loads(run(indexed, "show", album / "two.png", "--json").stdout)["photo"]["terms"]
    assert terms[0] == {"text": "paint", "weight": 0.5, "source": "label"}
    assert terms[1] == {"text": "blue", "weight": 2.0, "source": "model"}


@pytest.mark.skipif(os.name == "nt", reason="file names are text on Windows")
def test_a_file_name_that_is_no_text_survives_every_format(library: Library, album: Path) -> None:
    name = os.fsencode(album) + b"/caf\xe9.jpg"
    make_photo(album / "plain.jpg", "red").rename(os.fsdecode(name))
    library.index(album)
    library.close()
    data_dir = library.settings.data_dir
    assert name in run(data_dir, "search", "red").stdout_bytes
    assert name in run(data_dir, "search", "-0", "red").stdout_bytes
    assert name in run(data_dir, "search", "--csv", "red").stdout_bytes
    assert os.fsencode(json.loads(run(data_dir, "search", "--json", "red").stdout)[0]["path"]) == name
    assert run(data_dir, "show", os.fsdecode(name)).exit_code == 0


def test_show_of_a_stranger_says_what_to_do(indexed: Path, tmp_path: Path) -> None:
    result = run(indexed, "show", make_photo(tmp_path / "other.jpg", "green"))
    assert result.exit_code == 1
    assert "photoindex index" in result.stderr


def test_failures_can_be_listed_and_ignored(library: Library, album: Path) -> None:
    (album / "bad.jpg").write_text("no photo")
    library.index(album)
    library.close()
    data_dir = library.settings.data_dir
    assert str(album / "bad.jpg") in run(data_dir, "failures", "list").stdout
    assert "failed" in run(data_dir, "show", album / "bad.jpg").stdout
    assert run(data_dir, "failures", "ignore", album / "bad.jpg").exit_code == 0
    assert run(data_dir, "failures", "list").stdout == ""
    assert str(album / "bad.jpg") in run(data_dir, "failures", "list", "--ignored").stdout


def test_the_index_is_rebuilt_from_the_catalogue(indexed: Path) -> None:
    result = run(indexed, "reindex", "--fulltext")
    assert result.exit_code == 0
    assert "2 photos indexed" in result.stderr
    assert run(indexed, "search", "red").exit_code == 0


def test_reindex_wants_to_know_what(indexed: Path) -> None:
    assert run(indexed, "reindex").exit_code == 2


def test_models_lists_the_shipped_one_and_its_card(data_dir: Path) -> None:
    [model] = [m for m in json.loads(run(data_dir, "models", "list", "--json").stdout) if m["default"]]
    assert model["bytes"] > 10_000_000
    assert "Flickr8k" in run(data_dir, "models", "info").stdout


def test_a_config_file_and_the_environment_are_read_in_order(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from photoindex.config import load_settings

    data_dir.mkdir()
    (data_dir / "photoindex.toml").write_text("beam_width = 5\nsettle_seconds = 1\n")
    monkeypatch.setenv("PHOTOINDEX_SETTLE_SECONDS", "7")
    settings = load_settings(data_dir=data_dir, threads=2)
    assert (settings.beam_width, settings.settle_seconds, settings.threads) == (5, 7.0, 2)
    assert load_settings(data_dir=data_dir, settle_seconds=9.0).settle_seconds == 9.0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("beam_widht = 3", "unknown setting beam_widht"),
        ("beam_width = 'x'", "must be a whole number"),
        ("= 3", "not valid TOML"),
        ("device = 'tpu'", "choose auto"),
    ],
)
def test_a_wrong_setting_is_one_line(data_dir: Path, content: str, message: str) -> None:
    data_dir.mkdir()
    (data_dir / "photoindex.toml").write_text(content + "\n")
    result = run(data_dir, "status")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert message in result.stderr


def test_progress_elsewhere_than_on_a_terminal_is_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressDisplay() as display:
        display(Progress("captioning", 0, 10))
        display(Progress("captioning", 5, 10))  # too soon after the first for a line of its own
        display(Progress("captioning", 10, 10))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "captioning: 0 of 10 photos"
    assert lines[1].startswith("captioning: 10 of 10 photos")
    assert len(lines) == 2


def test_sizes_and_durations_for_people() -> None:
    assert [human_size(n) for n in (0, 999, 1500, 24_417_476)] == ["0 bytes", "999 bytes", "1.5 kB", "24 MB"]
    assert [human_seconds(n) for n in (8, 200, 3900)] == ["8 s", "3 min 20 s", "1 h 05 min"]
