"""A small file system that really is full, below the whole library, below its index, or below all temporary files."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from photoindex.library import Library
from tests.support import REPOSITORY, make_photo

SIZE, FILES = "8m", 1000
PATIENCE = 120  # seconds until a process that says nothing has failed

# Watches the album with its data on the small disk, or with what is linked to there, and says what it saw.
WATCH = """
import json
import sys
import threading
from pathlib import Path

from photoindex.indexing import retry
from photoindex.config import Settings
from photoindex.library import Library
from tests.support import FakeCaptioner, fill, make_photo, names

data_dir, small, album = map(Path, sys.argv[1:4])
harmless = sys.argv[4] == "harmless"
retry.FIRST_PAUSE = 0.05
stop = threading.Event()
notices = []
captioner = FakeCaptioner()


def ready(report):
    fill(small / "filler")
    make_photo(album / "late.jpg", "blue")


def notice(line):
    notices.append(line)
    (small / "filler").unlink(missing_ok=True)
    if "going on" in line:
        stop.set()


def worked(tally):
    if harmless:
        stop.set()


settings = Settings(data_dir, settle_seconds=0.0, backup_days=0.0, read_text="never")
with Library(settings, lambda _: captioner) as library:
    library.watch(album, stop=stop, ready=ready, notice=notice, worked=worked)
    print(json.dumps({"notices": notices, "found": names(library.search("square")), "captions": captioner.captions}))
"""


def on_a_small_disk(small: Path, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python with a small file system at ``small``, which nobody else sees and which goes with the process."""
    small.mkdir(exist_ok=True)
    mount = f'mount -t tmpfs -o size={SIZE},nr_inodes={FILES} tmpfs "$0" && exec "$@"'
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", mount, small, sys.executable, *arguments],
        cwd=REPOSITORY, env={**os.environ, **environment}, capture_output=True, text=True, timeout=PATIENCE,
        check=False,
    )  # fmt: skip


@pytest.mark.usefixtures("may_mount")
@pytest.mark.parametrize("what", ["library", "index"])
def test_a_watch_goes_on_when_there_is_room_again(tmp_path: Path, album: Path, what: str) -> None:
    small, data_dir = tmp_path / "small", tmp_path / "data"
    if what == "library":
        data_dir = small / "data"
    else:
        data_dir.mkdir()
        (data_dir / "fulltext").symlink_to(small)
    make_photo(album / "early.jpg")
    done = on_a_small_disk(small, "-c", WATCH, data_dir, small, album, "waits")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert ["going on" in line for line in told["notices"]] == [False, True]
    assert ("is full" if what == "library" else "No space left") in told["notices"][0]
    assert told["found"] == ["early.jpg", "late.jpg"]
    assert sorted(told["captions"]) == ["a blue square", "a red square"]


@pytest.mark.usefixtures("may_mount")
def test_full_temporary_folders_harm_nobody(tmp_path: Path, album: Path) -> None:
    small = tmp_path / "small"
    make_photo(album / "early.jpg")
    temporary = dict.fromkeys(("TMPDIR", "SQLITE_TMPDIR", "TEMP", "TMP"), str(small))
    done = on_a_small_disk(small, "-c", WATCH, tmp_path / "data", small, album, "harmless", **temporary)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["notices"] == []
    assert told["found"] == ["early.jpg", "late.jpg"]


INDEX = """
import sys
from pathlib import Path

from photoindex.library import facade as library
from photoindex.cli import main
from photoindex.config import Settings
from tests.support import FakeCaptioner, fill

small, album = sys.argv[1:]
library.captioning.load_captioner = lambda settings: FakeCaptioner()
library.open(Path(small, "data")).close()
filler = fill(Path(small, "filler"))
arguments = ["--data-dir", str(Path(small, "data")), "index", album]
try:
    main(arguments)
except SystemExit as end:
    print("first", end.code)
filler.unlink()
main(arguments)
"""


@pytest.mark.usefixtures("may_mount")
def test_an_index_ends_with_one_line_and_goes_on_next_time(tmp_path: Path, album: Path) -> None:
    make_photo(album / "a.jpg")
    done = on_a_small_disk(tmp_path / "small", "-c", INDEX, tmp_path / "small", album)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "first 1\n"
    first, *rest = done.stderr.splitlines()
    assert first.startswith("photoindex: the disk that holds the catalogue")
    assert "1 photo in" in rest[-1]
    assert "1 captioned" in rest[-1]


# Runs commands with a copy of a library on the small disk, which has no room for bytes or for files; once more when
# there is room.
COMMANDS = """
import json
import shutil
import sqlite3
import sys
from pathlib import Path

from photoindex.cli import main
from tests.support import fill, fill_with_files

small, data_dir, how = map(Path, sys.argv[1:4])
data = small / "data"
shutil.copytree(data_dir, data)
if how.name == "log":
    connection = sqlite3.connect(data / "catalogue.sqlite3")
    connection.execute("update caption set text = 'a purple square'")
    connection.commit()
    for end in ("", "-wal"):  # as they are when a process is killed
        shutil.copyfile(data / f"catalogue.sqlite3{end}", small / f"kept{end}")
    connection.close()
    for end in ("", "-wal"):
        shutil.move(small / f"kept{end}", data / f"catalogue.sqlite3{end}")
fillers = fill_with_files(small / "filler") if how.name == "files" else [fill(small / "filler")]
for command in sys.argv[4:]:
    try:
        main(["--data-dir", str(data), *json.loads(command)])
    except SystemExit as end:
        print("status", end.code, flush=True)
for filler in fillers:
    filler.unlink()
main(["--data-dir", str(data), "edit", json.loads(sys.argv[-1])[1], "--caption", "a quagga"])
"""


def commands_on_full_disk(tmp_path: Path, data_dir: Path, how: str, *commands: list[str]) -> tuple[str, list[str]]:
    """Run commands of the program; return what they printed, and their lines on stderr."""
    small = tmp_path / "small"
    done = on_a_small_disk(small, "-c", COMMANDS, small, data_dir, how, *map(json.dumps, commands))
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "1 edited"  # there is room again
    return done.stdout, done.stderr.splitlines()[:-1]


@pytest.fixture
def photo(library: Library, album: Path) -> Path:
    """One that the library knows, with an edit that is not in the index yet; nobody has it open."""
    path = make_photo(album / "a.jpg")
    library.index(album)
    with library.database.write() as connection:
        connection.execute(text("update photo set text_stale = 1"))
    library.close()
    return path


@pytest.mark.usefixtures("may_mount")
@pytest.mark.parametrize(("how", "caption"), [("bytes", "red"), ("files", "red"), ("log", "purple")])
def test_a_library_on_a_full_disk_is_searched_shown_and_exported(
    tmp_path: Path, data_dir: Path, photo: Path, how: str, caption: str
) -> None:
    export = tmp_path / "export.jsonl"
    printed, lines = commands_on_full_disk(
        tmp_path, data_dir, how, ["search", "square"], ["status"], ["catalogue", "check"],
        ["export", "--jsonl", str(export)], ["show", str(photo)],
    )  # fmt: skip
    assert printed.count("status 0") == 5, lines
    assert not [line for line in lines if line.startswith("photoindex:")]
    assert printed.splitlines()[0] == f"{photo}\ta {caption} square"
    assert "no faults" in printed
    assert f"a {caption} square" in export.read_text()


@pytest.mark.usefixtures("may_mount")
@pytest.mark.parametrize("how", ["bytes", "files", "log"])
def test_what_would_write_to_a_full_disk_says_in_one_line_that_it_is_full(
    tmp_path: Path, data_dir: Path, photo: Path, how: str
) -> None:
    commands = [["index", str(photo.parent)], ["watch", str(photo.parent)], ["serve", "--no-browser", "--port", "0"],
                ["albums", "add", "Trip", str(photo)], ["edit", str(photo), "--tag", "x"]]  # fmt: skip
    printed, lines = commands_on_full_disk(tmp_path, data_dir, how, *commands)
    assert printed.splitlines() == ["status 1"] * len(commands)
    assert len(lines) == len(commands)
    for line in lines:
        assert line.startswith("photoindex: the disk that holds the catalogue")
        assert "is full" in line
        assert "make room there" in line


# Exports sidecars of photos, five of which lie in two folders on the small disk and one elsewhere; then once more, with
# room.
SIDECARS = """
import sys
from pathlib import Path

from photoindex.catalogue.editor import Edit
from photoindex.cli import main
from photoindex.config import Settings
from photoindex.library import Library
from tests.support import FakeCaptioner, fill, fill_with_files, make_photo

data_dir, small, elsewhere = map(Path, sys.argv[1:4])
folders = [small / "one", small / "two", elsewhere]
for folder in folders:
    folder.mkdir(exist_ok=True)
photos = [make_photo(folders[0 if number < 3 else 1] / f"{number}.jpg") for number in range(5)]
photos.append(make_photo(elsewhere / "5.jpg"))
with Library(Settings(data_dir, settle_seconds=0.0, read_text="never"), lambda _: FakeCaptioner()) as library:
    library.index(*folders)
    editor = library.editor()
    editor.apply(editor.photos_at(photos), Edit(tags=("cat",)))
fillers = fill_with_files(small / "filler") if sys.argv[4] == "files" else [fill(small / "filler")]
for _ in range(2):
    try:
        main(["--data-dir", str(data_dir), "export", "--sidecars"])
    except SystemExit as end:
        print("status", end.code, flush=True)
    for filler in fillers:
        filler.unlink(missing_ok=True)
"""


@pytest.mark.usefixtures("may_mount")
@pytest.mark.parametrize("how", ["bytes", "files"])
def test_sidecars_that_have_no_room_are_two_lines_whatever_their_number(
    tmp_path: Path, data_dir: Path, album: Path, how: str
) -> None:
    small = tmp_path / "small"
    done = on_a_small_disk(small, "-c", SIDECARS, data_dir, small, album, how)

    assert done.stdout.splitlines() == ["status 4", "status 0"], done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("writing sidecars: ")]
    assert len(lines) == 4, lines
    assert lines[0].startswith(f"photoindex: cannot write {small}")
    assert lines[0].endswith(".jpg.xmp: No space left on device")
    assert lines[1].startswith(f"photoindex: 4 more files on the disk of {small}")
    assert lines[1].endswith(" could not be written: No space left on device")
    assert lines[2:] == ["1 sidecar written, 0 unchanged, 5 failed", "5 sidecars written, 1 unchanged"]
    assert (album / "5.jpg.xmp").exists()


@pytest.mark.usefixtures("may_mount")
@pytest.mark.parametrize("how", ["bytes", "files"])
def test_the_doctor_advises_to_make_room(tmp_path: Path, data_dir: Path, photo: Path, how: str) -> None:
    printed, _ = commands_on_full_disk(tmp_path, data_dir, how, ["doctor"], ["show", str(photo)])
    [problem] = [line for line in printed.splitlines() if line.startswith("problem")]
    assert "data folder" in problem
    assert problem.endswith("make room on that disk")


CHANGED = """
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from photoindex.config import Settings
from photoindex.errors import CatalogueUnavailable
from photoindex.library import Library
from tests.support import fill

small, data_dir = map(Path, sys.argv[1:])
data = small / "data"
shutil.copytree(data_dir, data)
filler = fill(small / "filler")
with Library(Settings(data)) as library:
    print([hit.caption for hit in library.search("square")])
    filler.unlink()
    with closing(sqlite3.connect(data / "catalogue.sqlite3")) as connection:
        connection.execute("update caption set text = 'a purple square'")
        connection.commit()
    try:
        library.search("square")
    except CatalogueUnavailable as error:
        print(error)
with Library(Settings(data)) as library:
    print([hit.caption for hit in library.search("square")])
"""


@pytest.mark.usefixtures("may_mount")
def test_what_was_opened_on_a_full_disk_is_not_read_on_when_another_writes_to_it(
    tmp_path: Path, data_dir: Path, photo: Path
) -> None:
    small = tmp_path / "small"
    done = on_a_small_disk(small, "-c", CHANGED, small, data_dir)
    assert done.returncode == 0, done.stderr
    before, refusal, after = done.stdout.splitlines()
    assert before == "['a red square']"
    assert "was changed since it was opened: start again" in refusal
    assert after == "['a purple square']"


@pytest.mark.usefixtures("may_mount")
def test_an_older_catalogue_on_a_full_disk_waits_for_room_to_be_upgraded(tmp_path: Path, data_dir: Path) -> None:
    small = tmp_path / "small"
    data_dir.mkdir(mode=0o700)
    with closing(sqlite3.connect(data_dir / "catalogue.sqlite3")) as connection:
        connection.executescript(
            "pragma journal_mode = wal; create table photo (id integer primary key);"
            "create table alembic_version (version_num varchar(32)); insert into alembic_version values ('0001')"
        )
    script = COMMANDS[: COMMANDS.index("for filler in")]
    done = on_a_small_disk(small, "-c", script, small, data_dir, "bytes", json.dumps(["status"]))
    assert done.stdout == "status 1\n"
    [line] = done.stderr.splitlines()
    assert line.startswith("photoindex: the disk that holds the catalogue")
    assert line.endswith("is full: make room there")


RESTORE = """
import shutil
import sys
from pathlib import Path

from photoindex.catalogue.backups import restore_backup
from photoindex.errors import CatalogueError
from tests.support import fill

small, data_dir = map(Path, sys.argv[1:])
catalogue = shutil.copytree(data_dir, small / "data") / "catalogue.sqlite3"
filler = fill(small / "filler")
before = sorted(catalogue.parent.iterdir())
try:
    restore_backup(catalogue)
except CatalogueError as error:
    print(error)
print(sorted(catalogue.parent.iterdir()) == before)
filler.unlink()
print(restore_backup(catalogue).backup.name)
"""


@pytest.mark.usefixtures("may_mount")
def test_a_backup_that_has_no_room_to_be_restored_waits_for_room(tmp_path: Path, data_dir: Path, photo: Path) -> None:
    backup = "catalogue-backup-20240501T000000Z.sqlite3"
    (data_dir / "catalogue.sqlite3").rename(data_dir / backup)
    small = tmp_path / "small"
    done = on_a_small_disk(small, "-c", RESTORE, small, data_dir)
    assert done.returncode == 0, done.stderr
    line, unchanged, restored = done.stdout.splitlines()
    assert line == f"cannot restore the catalogue {small}/data/catalogue.sqlite3: its disk is full; make room there"
    assert (unchanged, restored) == ("True", backup)


# What training writes: weights, and features as they are computed, where room runs out between two parts of them.
TRAIN = """
import errno
import json
import sys
from pathlib import Path

import torch

from photoindex.training.state_file import save_state
from photoindex.errors import TrainingError
from photoindex.training.features import View, build_cache
from tests.support import fill

small = Path(sys.argv[1])
names = lambda: sorted(path.name for path in small.iterdir() if path.name != "filler")
views = [View(Path(__file__) if "__file__" in globals() else Path(sys.executable), n) for n in range(400)]


def parts(full):
    def batches(start):
        for number in range(start, 400, 100):
            if number == full:
                fill(small / "filler")
            yield torch.full((100, 1000), float(number))
    return batches


save_state({"a": torch.ones(10)}, small / "a.safetensors", {})
for what in ("weights", "all", "part"):
    try:
        if what == "weights":
            save_state({"a": torch.zeros(10_000_000)}, small / "a.safetensors", {})
        elif what == "all":
            build_cache(views * 20, (1000,), "large", parts(None), small)
        else:
            build_cache(views, (1000,), "x", parts(200), small)
    except (OSError, TrainingError) as error:
        print(errno.errorcode[error.errno] if isinstance(error, OSError) else error)
    if what == "weights":
        print(names())
    for path in small.glob("features-*" if what == "all" else "none"):
        path.unlink()
(small / "filler").unlink()
again = build_cache(views, (1000,), "x", parts(None), small)
print(all(float(again[[n]].mean()) == n // 100 * 100 for n in range(400)))
"""


@pytest.mark.usefixtures("may_mount")
def test_training_on_a_full_disk_is_an_error_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    small = tmp_path / "small"
    done = on_a_small_disk(small, "-c", TRAIN, small)
    assert done.returncode == 0, done.stderr
    weights, left, features, part, whole = done.stdout.splitlines()
    assert (weights, left) == ("ENOSPC", "['a.safetensors']")
    assert features.startswith(f"what the encoder makes of the photos takes 16 MB more in {small}, where ")
    assert features.endswith(": make room there, or name another --output")
    assert (part, whole) == ("ENOSPC", "True")
