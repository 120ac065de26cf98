"""Every --json output has the fields that docs/output.md names, and every command with --json is on that page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from photoindex import captioner as captioning
from photoindex.cli.main import COMMANDS, main
from photoindex.library import Library, benchmark
from tests.support import REPOSITORY, FakeCaptioner, make_photo, refuse

ON_BOTH = True

DOCUMENT = (REPOSITORY / "docs" / "output.md").read_text(encoding="utf-8")
SHARED = {
    "search",
    "evaluate captions",
    "evaluate search",
    "evaluate confidence",
    "evaluate eight-bits",
    "evaluate text-gate",
    "reindex",
    "config show",
}  # described in words, tested where they are


def commands_with_json() -> Iterator[str]:
    for name in COMMANDS:
        command = main.get_command(click.Context(main), name)
        assert command is not None
        subcommands = command.commands if isinstance(command, click.Group) else {"": command}
        for sub, each in subcommands.items():
            if any("--json" in option.opts for option in each.params):
                yield f"{name} {sub}".strip()


def documented(title: str, part: str | None = None) -> list[str]:
    """The field names of a section, or of a part of it."""
    section = DOCUMENT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    assert section, f"docs/output.md has no section {title}"
    text = section.partition("\n### ")[0] if part is None else section.partition(f"\n### {part}\n")[2]
    return re.findall(r"^\| `(\w+)` \|", text.partition("\n### ")[0], re.MULTILINE)


@pytest.fixture
def data_dir_with_photos(library: Library, album: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_photo(album / "one.jpg", "red")
    make_photo(album / "two.jpg", "red", note="same")
    make_photo(album / "copy.jpg", "red", note="same")
    (album / "bad.jpg").write_text("no photo")
    library.index(album)
    library.close()
    monkeypatch.setattr(captioning, "load_captioner", lambda _: FakeCaptioner())
    monkeypatch.setattr(benchmark, "STORED", 5)
    monkeypatch.setattr(benchmark, "MADE_SIZE", (64, 48))
    return library.settings.data_dir


def printed(data_dir: Path, *arguments: str | Path) -> Any:
    result = CliRunner().invoke(main, ["--data-dir", str(data_dir), *map(str, arguments)])
    assert result.stdout, result.stderr
    return json.loads(result.stdout)


def test_every_command_with_json_is_on_the_page() -> None:
    titles = set(re.findall(r"^## ([\w ]+?) --json$", DOCUMENT, re.MULTILINE))
    missing = {name for name in commands_with_json() if name not in titles | SHARED}
    assert missing == set()
    for name in SHARED:
        assert f"`{name}" in DOCUMENT or f"## {name}" in DOCUMENT


def test_an_index_that_could_not_read_a_folder_says_so_by_its_status(
    data_dir_with_photos: Path, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shut = make_photo(album / "shut" / "one.jpg").parent
    for photo in [path for path in album.iterdir() if path.stat().st_size < 100]:
        photo.unlink()  # what cannot be captioned
    command = ["--data-dir", str(data_dir_with_photos), "index", str(album), "--json"]
    with monkeypatch.context() as patch:
        refuse(patch, shut)
        result = CliRunner().invoke(main, command)
    assert (result.exit_code, json.loads(result.stdout)["unreadable"]) == (4, [str(shut)])
    assert "1 folder or file could not be looked at" in result.stderr
    result = CliRunner().invoke(main, command)
    assert (result.exit_code, json.loads(result.stdout)["unreadable"]) == (0, [])


def test_every_command_with_json_prints_the_documented_fields(data_dir_with_photos: Path, album: Path) -> None:
    data_dir, one = data_dir_with_photos, album / "one.jpg"
    CliRunner().invoke(main, ["--data-dir", str(data_dir), "edit", str(one), "--tag", "shapes"])

    shown = printed(data_dir, "show", one, "--json", "--history")
    assert list(shown) == documented("show --json")
    assert list(shown["photo"]) == documented("show --json", "photo")
    assert list(shown["photo"]["caption"]) == documented("show --json", "caption")
    assert list(shown["corrections"][0]) == documented("show --json", "corrections")
    status = printed(data_dir, "status", "--json")
    assert list(status) == documented("status --json")
    assert list(status["roots"][0]) == documented("status --json", "roots")
    assert list(printed(data_dir, "index", album, "--json")) == documented("index --json")
    assert list(printed(data_dir, "forget", album, "--dry-run", "--json")) == documented("forget --json")
    [answer] = printed(data_dir, "caption", one, "--json")
    assert list(answer) == documented("caption --json")
    [group] = printed(data_dir, "duplicates", "--json")
    assert list(group) == ["files"]
    assert [list(each) for each in group["files"]] == [documented("duplicates --json")] * 2
    CliRunner().invoke(main, ["--data-dir", str(data_dir), "albums", "add", "Shapes", str(one)])
    assert list(printed(data_dir, "albums", "list", "--json")[0]) == documented("albums list --json")
    [failure] = printed(data_dir, "failures", "list", "--json")
    assert list(failure) == documented("failures list --json")
    assert [list(each) for each in printed(data_dir, "models", "list", "--json")][:1] == [
        documented("models list --json")
    ]
    report = printed(data_dir, "doctor", "--json")
    assert list(report) == documented("doctor --json")
    assert list(report["findings"][0]) == ["name", "level", "message", "advice"]
    assert list(printed(data_dir, "formats", "--json")[0]) == documented("formats --json")
    album.rename(album.with_name("elsewhere"))
    moved = printed(data_dir, "move", album, album.with_name("elsewhere"), "--json")
    assert list(moved) == documented("move --json")


def test_rates_have_the_documented_fields(data_dir_with_photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = benchmark.measure
    monkeypatch.setattr(
        benchmark, "measure", lambda *args, **kinds: real(*args, **kinds, load=lambda _: FakeCaptioner())
    )
    assert list(printed(data_dir_with_photos, "benchmark", "--photos", "3", "--json")) == documented("benchmark --json")
