"""The main job, as a person does it: real photos, the shipped model, the command in a process of its own."""

import hashlib
import json
import os
import pickle
import queue
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import pytest
import skimage.data
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from photoindex.captioner import model_folder
from photoindex.cli.main import main
from tests.permissions import without_rights

PHOTOS = ("chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png", "astronaut.png")
PATIENCE = 120  # seconds until a process that says nothing has failed


def photoindex(
    data_dir: Path, *arguments: str | Path, code: int | None = 0, under: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a command, with what is to stand before it."""
    done = subprocess.run(
        [*under, sys.executable, "-m", "photoindex", "--data-dir", data_dir, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert code is None or done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def put(folder: Path, *names: str) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    return [Path(shutil.copy(Path(skimage.data.__file__).parent / name, folder)) for name in names]


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(data folder, photo folder) of a library the shipped model has captioned."""
    folder = tmp_path_factory.mktemp("main")
    put(folder / "photos", *PHOTOS)
    photoindex(folder / "data", "index", folder / "photos")
    return folder / "data", folder / "photos"


@pytest.mark.parametrize(
    ("query", "expected"),
    [("cat", "chelsea.png"), ("a cup of espresso", "coffee.png"), ("motorcycle", "motorcycle_left.png")],
)
def test_a_photo_is_found_by_what_it_shows(indexed: tuple[Path, Path], query: str, expected: str) -> None:
    data_dir, photos = indexed
    [best, *_] = json.loads(photoindex(data_dir, "search", query, "--json").stdout)
    assert best["path"] == str(photos / expected)
    assert best["caption"]
    assert best["caption_source"] == "model"
    assert best["matched"]
    assert (best["width"], best["height"]) > (0, 0)


def test_what_is_in_no_photo_is_not_found(indexed: tuple[Path, Path]) -> None:
    done = photoindex(indexed[0], "search", "xylophone", code=1)
    assert done.stdout == ""
    assert done.stderr == "no photo matches 'xylophone'\n"


def test_indexing_again_captions_nothing_and_changes_no_photo(indexed: tuple[Path, Path]) -> None:
    data_dir, photos = indexed
    before = {path: (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).digest()) for path in photos.iterdir()}
    report = json.loads(photoindex(data_dir, "index", photos, "--json").stdout)
    assert (report["seen"], report["captioned"], report["unchanged"], report["failed"]) == (5, 0, 5, 0)
    after = {path: (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).digest()) for path in photos.iterdir()}
    assert after == before


def test_a_search_loads_no_neural_network(indexed: tuple[Path, Path]) -> None:
    program = (
        "import sys; from photoindex.cli import main\n"
        "try: main()\n"
        "finally: assert not {'torch', 'torchvision', 'alembic', 'rich'} & set(sys.modules), 'loaded'"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "--data-dir", indexed[0], "search", "cat"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_show_and_caption_say_the_same_of_a_photo(indexed: tuple[Path, Path]) -> None:
    data_dir, photos = indexed
    shown = json.loads(photoindex(data_dir, "show", photos / "chelsea.png", "--json").stdout)["photo"]
    [said] = json.loads(photoindex(data_dir, "caption", photos / "chelsea.png", "--json").stdout)
    assert shown["caption"]["text"] == said["caption"]
    assert [c["text"] for c in shown["candidates"]] == [c["text"] for c in said["candidates"][1:]]
    assert all(candidate["log_probability"] < 0 for candidate in said["candidates"])
    assert said["labels"][0]["name"] == "Egyptian cat"
    assert "animal" in [kind["name"] for kind in said["kinds"]]
    assert ("animal", "kind") in [(term["text"], term["source"]) for term in shown["terms"]]
    assert shown["format"] == "PNG"


def test_status_counts(indexed: tuple[Path, Path]) -> None:
    state = json.loads(photoindex(indexed[0], "status", "--json").stdout)
    assert (state["photos"], state["captioned"], state["searchable"], state["waiting_for_index"]) == (5, 5, 5, 0)
    assert state["roots"][0]["path"] == str(indexed[1])
    assert state["catalogue_bytes"] > 0


def test_bad_files_fail_with_one_clear_line_each_and_the_rest_goes_on(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    [cat, rocket] = put(photos, "chelsea.png", "rocket.jpg")
    (photos / "text.jpg").write_text("not a photo at all")
    (photos / "empty.png").touch()
    os.utime(photos / "empty.png", (1e9, 1e9))  # a fresh one may be about to be filled, and is left for the next run
    (photos / "cut.jpg").write_bytes(rocket.read_bytes()[:20_000])
    done = photoindex(tmp_path / "data", "index", photos, code=4)
    for name, kind in (("text.jpg", "not a photo"), ("empty.png", "is empty"), ("cut.jpg", "")):
        [line] = [line for line in done.stderr.splitlines() if str(photos / name) in line]
        assert kind in line
    [found, *_] = json.loads(photoindex(tmp_path / "data", "search", "cat", "--json").stdout)
    assert found["path"] == str(cat)
    failures = json.loads(photoindex(tmp_path / "data", "failures", "list", "--json").stdout)
    assert [(Path(f["path"]).name, f["kind"]) for f in failures] == [
        ("cut.jpg", "damaged"),
        ("empty.png", "empty"),
        ("text.jpg", "not-a-photo"),
    ]


def test_a_photo_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    [cat] = put(tmp_path / "photos", "chelsea.png")
    cat.chmod(0)
    done = photoindex(tmp_path / "data", "index", tmp_path / "photos", code=4, under=without_rights())
    assert f"cannot read {cat}" in done.stderr


@pytest.mark.parametrize("command", [("search", "cat"), ("status",), ("models", "list"), ("watch", ".")])
def test_a_data_folder_that_may_not_be_entered_is_not_taken_for_none(
    indexed: tuple[Path, Path], tmp_path: Path, command: tuple[str, ...]
) -> None:
    data_dir = Path(shutil.copytree(indexed[0], tmp_path / "closed" / "data"))
    before = sorted(data_dir.rglob("*"))
    data_dir.parent.chmod(0)
    try:
        done = photoindex(data_dir, *command, code=1, under=without_rights())
    finally:
        data_dir.parent.chmod(0o755)
    assert done.stderr.count("\n") == 1
    assert f"cannot look into the data folder {data_dir}: Permission denied" in done.stderr
    assert sorted(data_dir.rglob("*")) == before


@pytest.mark.parametrize("command", ["index", "watch"])
def test_a_folder_that_does_not_exist_is_one_line(tmp_path: Path, command: str) -> None:
    done = photoindex(tmp_path / "data", command, tmp_path / "nowhere", code=1)
    assert done.stderr.count("\n") == 1
    assert f"{tmp_path / 'nowhere'}" in done.stderr


def test_a_catalogue_of_a_newer_version_is_left_alone(indexed: tuple[Path, Path], tmp_path: Path) -> None:
    data_dir = Path(shutil.copytree(indexed[0], tmp_path / "data"))
    with sqlite3.connect(data_dir / "catalogue.sqlite3") as connection:
        connection.execute("update alembic_version set version_num = '9999'")
    connection.close()
    done = photoindex(data_dir, "search", "cat", code=1)
    assert done.stderr.count("\n") == 1
    assert "newer photoindex" in done.stderr


def test_a_model_that_does_not_fit_or_is_a_pickle_is_one_line(tmp_path: Path) -> None:
    [cat] = put(tmp_path / "photos", "chelsea.png")
    wrong = Path(shutil.copytree(model_folder("default"), tmp_path / "wrong"))
    tensors = load_file(wrong / "model.safetensors")
    tensors["decoder.embed.weight"] = tensors["decoder.embed.weight"][:-1].clone()
    save_file(tensors, wrong / "model.safetensors")
    done = photoindex(tmp_path / "data", "index", tmp_path / "photos", "--model", wrong, code=1)
    assert done.stderr.count("\n") == 1
    assert "decoder.embed.weight has shape" in done.stderr
    pickled = tmp_path / "model.pth"
    pickled.write_bytes(pickle.dumps({}))
    # In this process, which need not import torch again.
    command = ["--data-dir", str(tmp_path / "data"), "caption", str(cat), "--model", str(pickled)]
    told = CliRunner().invoke(main, command)
    assert (told.exit_code, told.stderr.count("\n")) == (1, 1)
    assert "is a pickle" in told.stderr
    # Nothing was lost: with the right model the same command does the work.
    report = json.loads(photoindex(tmp_path / "data", "index", tmp_path / "photos", "--json").stdout)
    assert report["captioned"] == 1


class Watcher:
    """A ``photoindex watch`` process whose lines can be waited for."""

    def __init__(self, data_dir: Path, folder: Path) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-u",
                "-m",
                "photoindex",
                "--data-dir",
                data_dir,
                "watch",
                "--settle-seconds",
                "0.1",
                folder,
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        assert self.process.stderr is not None
        self.reader = threading.Thread(target=self._read, args=(self.process.stderr,), daemon=True)
        self.reader.start()

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self.lines.put(line)

    def wait_for(self, text: str) -> str:
        seen = []
        while True:
            try:
                seen.append(self.lines.get(timeout=PATIENCE))
            except queue.Empty:
                pytest.fail(f"the watcher never said {text!r}; it said {seen}")
            if text in seen[-1]:
                return seen[-1]

    def stop(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        self.reader.join()
        return status


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[tuple[Path, Path, Watcher]]:
    put(tmp_path / "photos", "rocket.jpg")
    watcher = Watcher(tmp_path / "data", tmp_path / "photos")
    yield tmp_path / "data", tmp_path / "photos", watcher
    if watcher.process.poll() is None:
        watcher.stop(signal.SIGKILL)


def test_a_photo_dropped_into_a_watched_folder_is_found_from_another_process(
    watched: tuple[Path, Path, Watcher],
) -> None:
    data_dir, photos, watcher = watched
    watcher.wait_for("watching")
    put(photos / "new", "chelsea.png")
    watcher.wait_for("1 captioned")
    [best, *_] = json.loads(photoindex(data_dir, "search", "cat", "--json").stdout)
    assert best["path"] == str(photos / "new" / "chelsea.png")
    (photos / "new").rename(photos / "cats")
    put(photos, "coffee.png")  # whatever comes later is done later
    watcher.wait_for("1 captioned")
    [best, *_] = json.loads(photoindex(data_dir, "search", "cat", "--json").stdout)
    assert best["path"] == str(photos / "cats" / "chelsea.png")
    assert watcher.stop(signal.SIGINT) == 0


def test_stopped_and_started_again_a_watcher_goes_on_where_it_was(watched: tuple[Path, Path, Watcher]) -> None:
    data_dir, photos, watcher = watched
    watcher.wait_for("watching")
    assert watcher.stop(signal.SIGTERM) == 0
    put(photos, "chelsea.png")
    again = Watcher(data_dir, photos)
    assert "1 captioned, 1 unchanged" in again.wait_for("2 photos in")
    assert again.stop(signal.SIGINT) == 0
