"""``photoindex evaluate search``: the whole way, but for captions, which are a fake captioner's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from photoindex.cli.main import main
from tests.support import FakeCaptioner, make_photo


@pytest.fixture
def captioners(monkeypatch: pytest.MonkeyPatch) -> list[FakeCaptioner]:
    """Every captioner that was loaded."""
    loaded: list[FakeCaptioner] = []

    def load(_: object) -> FakeCaptioner:
        loaded.append(FakeCaptioner())
        return loaded[-1]

    monkeypatch.setattr("photoindex.captioner.load_captioner", load)
    return loaded


def dataset(folder: Path, **captions: tuple[str, ...]) -> Path:
    """A data set of photos of one colour each, which their file names say too."""
    lines = ["image\tsplit\tcaption"]
    for colour, texts in captions.items():
        make_photo(folder / "images" / f"{colour}.png", colour, note=f"{folder.name} {colour}")
        lines += [f"{colour}.png\tval\t{text}" for text in texts]
    make_photo(folder / "images" / "green.png", "green")
    lines.append("green.png\ttrain\tnot of this split")
    (folder / "captions.tsv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    return dataset(
        tmp_path / "colours", red=("A red square.", "blue?", "-red"), blue=('a "blue" thing', "the sea", "it is")
    )


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["evaluate", "search", *map(str, arguments)])


def test_every_layer_and_comparison_has_its_row(colours: Path, captioners: list[FakeCaptioner]) -> None:
    result = run("--data", colours, "--json")
    assert result.exit_code == 0, result.output
    rows = {row["row"]: row for row in json.loads(result.stdout)}
    captions = rows["captions"]
    assert (captions["data"], captions["split"], captions["photos"], captions["queries"]) == ("colours", "val", 2, 6)
    # "A red square", "-red" and 'a "blue" thing' find their photo; "blue?" finds another, "the sea" and "it is" none.
    assert captions["recall_1"] == captions["recall_10"] == 50
    assert captions["median_rank"] == 2
    assert captions["mean_reciprocal_rank"] == 0.5
    assert rows["labels"]["recall_50"] == 0  # every photo is paint, and nobody says so
    assert rows["one human caption"]["queries"] == rows["one human caption, BM25"]["queries"] == 12
    assert "the other four human captions, BM25" in rows
    # Two photos that are decoded side by side: either may be the first.
    assert [sorted(captioner.captions) for captioner in captioners] == [["a blue square", "a red square"]]


def test_people_read_a_table(colours: Path, captioners: list[FakeCaptioner]) -> None:
    result = run("--data", colours)
    title, heads, *rows = result.stdout.splitlines()
    assert title == "colours, val: 2 photos, 6 descriptions; file names are not searched"
    assert heads.split() == ["R@1", "R@5", "R@10", "R@50", "median", "MRR", "queries"]
    assert rows[0].split() == ["captions", "50.0", "50.0", "50.0", "50.0", "2", "0.500", "6"]
    assert "captions: 6 of 6 queries" in result.stderr


def test_several_data_sets_are_measured_apart_and_together(
    colours: Path, tmp_path: Path, captioners: list[FakeCaptioner]
) -> None:
    other = dataset(tmp_path / "other" / "colours", black=("a black square",))
    result = run("--data", colours, "--data", other, "--json")
    measured = {
        (row["data"], row["photos"], row["queries"]) for row in json.loads(result.stdout) if row["row"] == "beams"
    }
    assert measured == {("colours", 2, 6), ("colours-2", 1, 1), ("colours+colours-2", 3, 7)}
    said = [text for captioner in captioners for text in captioner.captions]
    assert sorted(said) == ["a black square", "a blue square", "a red square"]


def test_a_library_that_is_kept_is_captioned_once(
    colours: Path, tmp_path: Path, captioners: list[FakeCaptioner]
) -> None:
    kept = tmp_path / "kept"
    first = run("--data", colours, "--library", kept, "--json")
    again = run("--data", colours, "--library", kept, "--json")
    assert first.stdout == again.stdout
    assert captioners[0].captions
    assert not any(captioner.captions for captioner in captioners[1:])


def test_a_library_with_other_photos_is_refused(colours: Path, tmp_path: Path, captioners: list[FakeCaptioner]) -> None:
    run("--data", colours, "--library", tmp_path / "kept")
    (colours / "captions.tsv").write_text("image\tsplit\tcaption\nred.png\tval\tred\n")
    result = run("--data", colours, "--library", tmp_path / "kept")
    assert result.exit_code == 1
    assert "holds 1 photos of something else: name another folder with --library" in result.stderr
    assert result.stdout == ""


def test_a_photo_that_cannot_be_captioned_is_not_found(colours: Path, captioners: list[FakeCaptioner]) -> None:
    (colours / "images" / "red.png").write_text("no photo")
    result = run("--data", colours, "--json")
    assert "1 photos have no caption and count as not found:" in result.stderr
    captions = json.loads(result.stdout)[0]
    assert (captions["queries"], captions["photos"]) == (6, 2)
    assert captions["recall_50"] == pytest.approx(100 / 6)


def test_a_split_without_photos_is_wrong_usage(colours: Path, captioners: list[FakeCaptioner]) -> None:
    result = run("--data", colours, "--split", "test")
    assert result.exit_code == 2
    assert "has no photos of the split 'test'" in result.stderr
    assert captioners == []


def test_no_data_is_one_line(tmp_path: Path) -> None:
    result = run("--data", tmp_path / "nowhere")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)


def test_each_kind_of_photo_has_its_row(colours: Path, captioners: list[FakeCaptioner], tmp_path: Path) -> None:
    kinds = tmp_path / "kinds.tsv"
    kinds.write_text("image\tkind\nred.png\twarm\nred.png\tsquare\nblue.png\tsquare\n")
    result = run("--data", colours, "--kinds", kinds, "--json")
    rows = {row["row"]: row for row in json.loads(result.stdout)}
    assert rows["  of square"]["queries"] == 6
    assert rows["  of warm"]["queries"] < 6


def test_a_data_set_without_validation_photos_is_divided(colours: Path, captioners: list[FakeCaptioner]) -> None:
    captions = colours / "captions.tsv"
    captions.write_text(captions.read_text().replace("\tval\t", "\ttrain\t"))
    result = run("--data", colours, "--hold-out", "1", "--json")
    assert json.loads(result.stdout)[0]["photos"] == 1
