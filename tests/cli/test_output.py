"""docs/output.md says what scripts may rely on: this holds it to what is printed."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import click
import pytest
from click.testing import CliRunner, Result

from photoindex.cli.main import COMMANDS, main
from photoindex.library import Library
from tests.media.metadata.samples import alt, bag, packet
from tests.support import REPOSITORY, FakeCaptioner, make_photo

ON_BOTH = True

DOCUMENT = (REPOSITORY / "docs" / "output.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return DOCUMENT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def fields(title: str) -> list[str]:
    """The names in the last table of a section."""
    return re.findall(r"^\| `(\w+)` \|", section(title), re.MULTILINE)


@pytest.fixture
def data_dir_with_photos(library: Library, album: Path) -> Path:
    for name, colour in (("one.jpg", "red"), ("two.jpg", "red"), ("three.jpg", "blue")):
        make_photo(album / name, colour)
    library.index(album)
    library.close()
    return library.settings.data_dir


def run(data_dir: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--data-dir", str(data_dir), *arguments])


def printed(data_dir: Path, *arguments: str) -> Any:
    return json.loads(run(data_dir, *arguments).stdout)


def test_a_hit_has_the_documented_fields_as_a_list_and_by_line(data_dir_with_photos: Path) -> None:
    hits = printed(data_dir_with_photos, "search", "red", "--json")
    assert [list(hit) for hit in hits] == [fields("search")] * 2
    assert [list(reason) for reason in hits[0]["matched"][:1]] == [["layer", "word", "weight"]]
    assert [list(term) for term in hits[0]["terms"][:1]] == [["text", "weight", "source"]]
    lines = run(data_dir_with_photos, "search", "red", "--jsonl").stdout.splitlines()
    assert [json.loads(line) for line in lines] == hits


def test_csv_and_templates_have_the_documented_columns(data_dir_with_photos: Path) -> None:
    always, chosen = (
        re.findall(r"`([a-z_]+)`", line)
        for line in re.findall(r"^(?:Without `--columns`|By name as well): (.*?)\.$", section("search"), re.M | re.S)
    )
    hits = printed(data_dir_with_photos, "search", "red", "--json")
    rows = list(csv.DictReader(io.StringIO(run(data_dir_with_photos, "search", "red", "--csv").stdout)))
    assert [list(row) for row in rows] == [always] * 2
    assert [row["path"] for row in rows] == [hit["path"] for hit in hits]

    names = [*reversed(chosen), *always]
    answer = run(data_dir_with_photos, "search", "red", "--csv", "--columns", ", ".join(names)).stdout
    rows = list(csv.DictReader(io.StringIO(answer)))
    assert [list(row) for row in rows] == [names] * 2
    template = "|".join(f"{{{name}}}" for name in names)
    lines = run(data_dir_with_photos, "search", "red", "--format", template).stdout.splitlines()
    assert [line.split("|") for line in lines] == [list(row.values()) for row in rows]
    assert (rows[0]["format"], rows[0]["copies"], rows[0]["rating"]) == ("JPEG", "0", "")
    assert run(data_dir_with_photos, "search", "red", "--format", "{score:.1f}").stdout.splitlines() == [
        f"{hit['score']:.1f}" for hit in hits
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--csv", "--columns", "path,size"), "'size' is no column; there are path, score, caption"),
        (("--csv", "--columns", " , "), "name a column; there are path"),
        (("--columns", "path"), "add --csv"),
        (("--json", "--columns", "path"), "add --csv"),
    ],
)
def test_columns_that_cannot_be_are_wrong_usage(
    data_dir_with_photos: Path, arguments: tuple[str, ...], told: str
) -> None:
    answer = run(data_dir_with_photos, "search", "red", *arguments)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert told in " ".join(answer.stderr.split())


@pytest.mark.parametrize("text", ['=HYPERLINK("http://x","y")', "+1 red", "-1 red", "@SUM(red)", "\uff1d1+1"])
def test_a_cell_that_a_spreadsheet_would_calculate_is_text(library: Library, album: Path, text: str) -> None:
    path = make_photo(album / "a.jpg")
    (album / "a.xmp").write_bytes(
        packet(
            alt("dc:description", x_default=escape(text)) + bag("dc:subject", escape(text), "shore"),
            'exif:GPSLatitude="38,43.2N" exif:GPSLongitude="9,8.4W"',
        )
    )
    library.index(album)
    library.close()

    answer = run(library.settings.data_dir, "search", "shore", "--csv", "--columns", "path,caption,keywords,longitude")

    [_, row] = csv.reader(io.StringIO(answer.stdout))
    assert row == [str(path), f"'{text}", f"'{text}; shore", "-9.14"]
    plain = run(library.settings.data_dir, "search", "shore", "--format", "{caption}").stdout
    assert plain == f"{text}\n"


def test_print0_ends_each_path_with_nul_and_a_pipe_gets_a_tab(data_dir_with_photos: Path) -> None:
    hits = printed(data_dir_with_photos, "search", "red", "--json")
    assert run(data_dir_with_photos, "search", "red", "-0").stdout == "".join(f"{hit['path']}\0" for hit in hits)
    assert run(data_dir_with_photos, "search", "red").stdout == "".join(
        f"{hit['path']}\t{hit['caption']}\n" for hit in hits
    )


def test_a_batch_and_a_plan_have_the_documented_fields(
    data_dir_with_photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from photoindex import captioner as captioning
    from photoindex.config import load_settings

    newer = FakeCaptioner("fake-2")
    monkeypatch.setattr(captioning, "load_captioner", lambda _: newer)
    with Library(load_settings(data_dir=data_dir_with_photos), lambda _: newer) as library:
        plan = library.plan_recaption()
        library.recaption()
    told = printed(data_dir_with_photos, "jobs", "list", "--all", "--json")
    assert [list(batch) for batch in told["batches"]] == [fields("jobs list --json")]
    assert list(told) == ["batches", "new"]
    assert list(told["new"]) == ["queued", "running"]
    named = re.findall(r"`(\w+)`", section("jobs list --json").rpartition("`reindex --dry-run --json`:")[2])
    assert named == [*plan.__dataclass_fields__, "seconds"]


def test_stats_and_settings_have_the_documented_fields(data_dir_with_photos: Path) -> None:
    assert list(printed(data_dir_with_photos, "stats", "--json")) == fields("stats --json")
    for value in printed(data_dir_with_photos, "config", "show", "--json").values():
        assert list(value) == ["value", "from", "where"]


def test_open_shows_the_best_hit_or_the_page(
    data_dir_with_photos: Path, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(click, "launch", lambda url: opened.append(url) or 0)
    run(data_dir_with_photos, "search", "blue", "--open")
    run(data_dir_with_photos, "search", "blue", "--open", "--html", str(tmp_path / "page.html"))
    assert opened == [str(album / "three.jpg"), str(tmp_path / "page.html")]
    assert run(data_dir_with_photos, "search", "xylophone", "--open").exit_code == 1
    assert len(opened) == 2
    monkeypatch.setattr(click, "launch", lambda url: 3)
    assert "no program is set for it" in run(data_dir_with_photos, "search", "blue", "--open").stderr


def test_the_tests_that_the_document_names_exist() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", DOCUMENT)
    assert len(named) > 10
    for file, test in named:
        assert f"def {test}(" in (REPOSITORY / file).read_text(encoding="utf-8"), test


def test_every_command_is_in_the_readme() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for name in COMMANDS:
        assert f"| `photoindex {name}" in readme, name


@pytest.mark.parametrize("style", ["--json", "--jsonl", "--csv", "--print0"])
def test_a_template_is_not_left_out_for_another_form(data_dir_with_photos: Path, style: str) -> None:
    result = run(data_dir_with_photos, "search", "red", "--format", "{path}", style)
    assert (result.exit_code, result.stdout) == (2, "")
    assert style in result.stderr
