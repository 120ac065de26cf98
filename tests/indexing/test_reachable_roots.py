"""What a process does with folders of a shared catalogue that it does not compare, or does not reach."""

from __future__ import annotations

import errno
import shutil
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from photoindex.catalogue import jobs
from photoindex.catalogue.schema import file, job, photo
from photoindex.config import Settings
from photoindex.errors import PhotoOutOfReach, UnreadablePhoto
from photoindex.indexing import hashing, text_reading
from photoindex.indexing.reachable_roots import LOOK_SECONDS, ReachableRoots
from photoindex.library import Library
from photoindex.system.file_state import sha256_of
from photoindex.system.mount_names import Mounts
from tests.support import FakeCaptioner, make_photo, names, run_thread

Node = Callable[..., Library]
PATIENCE = 120
BEGINNINGS: dict[str, Callable[[Path], object]] = {
    "of other photos": lambda place: make_photo(place / "another.jpg", "black"),
    "of nothing": Path.mkdir,
    "that is not there": lambda _: None,
}


@pytest.fixture
def node(tmp_path: Path, postgres_url: str) -> Iterator[Node]:
    """Opens the shared catalogue as another machine does, on which folders may lie elsewhere."""
    opened: list[Library] = []

    def open_one(name: str, read_text: str = "never", **mounts: str) -> Library:
        settings = Settings(
            tmp_path / "nodes" / name, catalogue=postgres_url, mounts=Mounts(mounts), settle_seconds=0.0,
            read_text=read_text,
        )  # fmt: skip
        opened.append(Library(settings, lambda _: FakeCaptioner()))
        return opened[-1]

    yield open_one
    for library in opened:
        library.close()


def counted(library: Library) -> tuple[int, int, int]:
    """(files that are present, files that are missing, jobs that are due now)."""
    with library.database.read() as connection:
        present, missing = connection.execute(
            select(func.count().filter(file.c.missing_since.is_(None)), func.count(file.c.missing_since))
        ).one()
        due = job.c.next_try_at <= library.database.now()
        return present, missing, connection.execute(select(func.count()).select_from(job).where(due)).scalar_one()


@pytest.fixture(params=BEGINNINGS)
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """What another machine has in the place of a folder."""
    place = tmp_path / "elsewhere"
    BEGINNINGS[request.param](place)
    return place


@pytest.fixture
def queued(node: Node, album: Path) -> Library:
    """The machine that compares a folder: one photo is captioned and is to be captioned again, another is new."""
    make_photo(album / "red.jpg", "red")
    library = node("comparer", album=str(album))
    library.index(album)
    make_photo(album / "green.jpg", "green")
    library.index(album, queue_only=True)
    library.queue_recaption(everything=True)
    return library


def test_who_works_on_another_folder_judges_no_photo_of_this_one(
    queued: Library, node: Node, elsewhere: Path, tmp_path: Path
) -> None:
    before = counted(queued)
    other = node("other", album=str(elsewhere))
    make_photo(tmp_path / "mine" / "blue.jpg", "blue")
    assert other.index(tmp_path / "mine").captioned == 1
    present, missing, _ = before
    assert counted(queued)[:2] == (present + 1, 0) == (present + 1, missing)
    assert names(other.search("red")) == ["red.jpg"]
    other.work_off()
    assert counted(queued)[1] == 0


def test_photos_of_a_folder_that_is_not_here_wait_for_others_alone(
    queued: Library, node: Node, elsewhere: Path
) -> None:
    before = counted(queued)
    other = node("other", album=str(elsewhere))
    assert other.work_off().done == 0
    assert counted(queued) == before
    assert before[2] == 2
    # A watch would look again and again for what is due and nobody takes.
    assert other._pipe().next_due() is None
    assert other._pipe()._claimer.count_waiting() == 0
    queued.work_off()
    assert counted(queued) == (2, 0, 0)


def test_metadata_of_a_folder_that_is_not_here_are_left_to_be_read(
    queued: Library, node: Node, elsewhere: Path, tmp_path: Path
) -> None:
    with queued.database.write() as connection:
        connection.execute(update(photo).values(metadata_stale=7, metadata_reader=0))
    other = node("other", album=str(elsewhere))
    make_photo(tmp_path / "mine" / "blue.jpg", "blue")
    notices: list[str] = []
    other.index(tmp_path / "mine", notice=notices.append)
    assert [line for line in notices if "holds none of the photos" not in line] == []
    with queued.database.read() as connection:
        marks = select(photo.c.metadata_stale).order_by(photo.c.id)
        assert connection.execute(marks).scalars().all() == [7, 0]
    queued.work_off()
    with queued.database.read() as connection:
        assert connection.execute(marks).scalars().all() == [0, 0, 0]


def test_a_copy_that_is_here_is_read_for_one_that_is_not(
    node: Node, album: Path, elsewhere: Path, tmp_path: Path
) -> None:
    """Whichever path comes first."""
    make_photo(album / "red.jpg", "red")
    library = node("comparer", album=str(album))
    library.index(album)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "red.jpg").write_bytes((album / "red.jpg").read_bytes())
    other = node("other", album=str(elsewhere))
    other.index(mine)
    with library.database.write() as connection:
        connection.execute(update(photo).values(metadata_stale=7))
    notices: list[str] = []
    other.index(mine, notice=notices.append)
    assert not [line for line in notices if "the metadata of" in line]
    with library.database.read() as connection:
        assert connection.execute(select(photo.c.metadata_stale)).scalars().all() == [0]


def test_a_folder_of_other_photos_is_said_once_and_left_until_the_right_one_is_there(
    queued: Library, node: Node, album: Path, tmp_path: Path
) -> None:
    place = tmp_path / "elsewhere"
    make_photo(place / "another.jpg", "black")
    other = node("other", album=str(place))
    seconds = 0.0
    notices: list[str] = []
    reachable = ReachableRoots(other.database, lambda: seconds, notices.append)
    for _ in range(2):
        seconds += LOOK_SECONDS + 1
        assert reachable() == set()
    assert [line for line in notices if str(place) in line and "mount the right disk" in line] == notices
    assert len(notices) == 1
    place.rename(tmp_path / "wrong")
    shutil.copytree(album, place)
    (place / "red.jpg").unlink()  # some are enough
    assert reachable() == set()
    seconds += LOOK_SECONDS + 1
    assert reachable() is None
    place.rename(tmp_path / "right")
    (tmp_path / "wrong").rename(place)
    seconds += LOOK_SECONDS + 1
    assert reachable() == set()
    assert len(notices) == 2


def test_a_worker_says_which_folder_is_another_one(queued: Library, node: Node, tmp_path: Path) -> None:
    place = tmp_path / "elsewhere"
    make_photo(place / "another.jpg", "black")
    other, stop, notices = node("other", album=str(place)), threading.Event(), list[str]()

    def notice(line: str) -> None:
        notices.append(line)
        stop.set()

    run_thread(lambda: other.work_until(stop, notice=notice)).join(PATIENCE)
    assert [line for line in notices if line.startswith(f"{place} holds none of the photos")] == notices != []
    assert counted(queued)[2] == 2


def test_who_compares_a_folder_takes_it_as_it_is(node: Node, album: Path) -> None:
    """All its photos were replaced by others; a look before it was compared found none of them."""
    make_photo(album / "red.jpg", "red")
    library = node("one")
    library.index(album)
    (album / "red.jpg").unlink()
    make_photo(album / "green.jpg", "green")
    assert library.work_off().done == 0
    assert library.index(album).captioned == 1


def test_a_folder_is_worked_on_as_soon_as_it_is_known(node: Node, album: Path, tmp_path: Path) -> None:
    """Also when another one is away, so that not all are here."""
    make_photo(album / "red.jpg", "red")
    library = node("one")
    library.index(album)
    album.rename(tmp_path / "away")
    for colour in ("green", "blue"):
        make_photo(tmp_path / colour / "a.jpg", colour)
        assert library.index(tmp_path / colour).captioned == 1


def test_folders_are_looked_at_again_after_a_while(node: Node, album: Path, tmp_path: Path) -> None:
    make_photo(album / "red.jpg", "red")
    library = node("one")
    library.index(album)
    seconds = 0.0
    reachable = ReachableRoots(library.database, lambda: seconds)
    assert reachable() is None
    album.rename(tmp_path / "away")
    assert reachable() is None
    seconds = LOOK_SECONDS + 1
    assert reachable() == set()
    (tmp_path / "away").rename(album)
    seconds += LOOK_SECONDS + 1
    assert reachable() is None


def test_the_process_that_compares_a_folder_judges_it_alone(node: Node, album: Path, tmp_path: Path) -> None:
    library, other = node("one"), node("other")
    make_photo(album / "2024" / "red.jpg", "red")
    library.index(album)
    assert not library.database.judges(album)
    with library.database.sole_comparer([album / "2024", tmp_path / "new"]):
        assert library.database.judges(album)
        assert library.database.judges(tmp_path / "new" / "below")
        assert not library.database.judges(tmp_path)
        assert not other.database.judges(album)
    assert not library.database.judges(album)


@pytest.fixture
def forbidden(monkeypatch: pytest.MonkeyPatch) -> set[Path]:
    """Folders whose files this process may not read: root may read all."""
    folders: set[Path] = set()

    def refusing(path: Path) -> str:
        if path.parent in folders:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return sha256_of(path)

    monkeypatch.setattr(hashing, "sha256_of", refusing)
    return folders


def test_a_photo_that_one_machine_cannot_read_fails_on_none(
    queued: Library, node: Node, album: Path, tmp_path: Path, forbidden: set[Path]
) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(album, elsewhere)
    forbidden.add(elsewhere)
    other = node("other", album=str(elsewhere))
    for _ in range(jobs.MAX_ATTEMPTS + 1):
        assert other.work_off().failed > 0
        make_due(other)
    assert {(each.kind, each.state) for each in queued.failures()} == {("unreadable", "retrying")}
    assert all(each.message.endswith(f"(on {socket.gethostname()})") for each in queued.failures())
    queued.work_off()
    assert queued.failures() == []
    assert counted(queued) == (2, 0, 0)


def test_what_the_process_that_compares_a_folder_cannot_read_fails_at_last(
    queued: Library, album: Path, forbidden: set[Path]
) -> None:
    forbidden.add(album)
    with queued.database.sole_comparer([album]):
        for _ in range(jobs.MAX_ATTEMPTS):
            queued.work_off()
            make_due(queued)
    assert {(each.kind, each.state) for each in queued.failures()} == {("unreadable", "failed")}
    assert not any("(on " in each.message for each in queued.failures())


def test_text_that_one_machine_cannot_read_is_left_to_others(
    node: Node, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("rapidocr")
    make_photo(album / "red.jpg", "red")
    library = node("comparer", album=str(album))
    library.index(album)
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(album, elsewhere)
    with monkeypatch.context() as there:
        there.setattr(text_reading, "Decoder", Refusing)
        other = node("other", read_text="auto", album=str(elsewhere))
        for _ in range(jobs.MAX_ATTEMPTS + 1):
            assert other.work_off().text_failed == 1
            make_due(other)
    [failure] = library.failures()
    assert (failure.kind, failure.state) == ("unreadable", "retrying")
    assert failure.message.endswith(f"(on {socket.gethostname()})")
    node("third", read_text="auto", album=str(album)).work_off()
    assert library.failures() == []
    assert library.status().text.read == 1


def test_text_waits_for_a_store_that_gives_no_answer(node: Node, album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rapidocr")
    make_photo(album / "red.jpg", "red")
    library = node("comparer", album=str(album))
    library.index(album)
    other = node("other", read_text="auto", album=str(album))
    monkeypatch.setattr(text_reading, "Decoder", Waiting)
    for _ in range(jobs.MAX_ATTEMPTS + 1):
        assert other.work_off().text_failed == 0
        make_due(other)
    assert library.failures() == []
    assert (library.status().text.waiting, library.status().text.failed) == (1, 0)


class Refusing:
    """A decoder that may read no file."""

    problem: UnreadablePhoto = UnreadablePhoto("Permission denied")

    def __init__(self, *_: object, **__: object) -> None: ...

    def decode(self, paths: Sequence[Path]) -> Iterator[tuple[Path, UnreadablePhoto]]:
        yield from ((path, self.problem) for path in paths)

    def close(self) -> None: ...


class Waiting(Refusing):
    """A decoder of photos in a store that gives no answer."""

    problem = PhotoOutOfReach("cannot read it", "it cannot be reached")


def make_due(library: Library) -> None:
    """Have the time come at which what failed is tried again."""
    with library.database.write() as connection:
        connection.execute(update(job).values(next_try_at=library.database.now()))
