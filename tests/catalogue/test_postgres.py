"""The catalogue in PostgreSQL: what its schema and its errors are to be, on a real server."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from photoindex.catalogue import migration
from photoindex.catalogue import postgres as postgres_catalogue
from photoindex.catalogue.database import Database
from photoindex.catalogue.migration import HEAD
from photoindex.catalogue.opening import open_database
from photoindex.catalogue.postgres import MOST_CONNECTIONS
from photoindex.catalogue.postgres_database import PostgresDatabase
from photoindex.catalogue.raw_sql import ask
from photoindex.config import Settings
from photoindex.errors import CatalogueError, CatalogueOutdated, CatalogueReadOnly, CatalogueUnavailable, FolderError
from photoindex.library import Library
from photoindex.library.catalogues import copy_between, upgrade_catalogue
from photoindex.system.package_data import migrations_dir
from tests import postgres
from tests.catalogue.test_database import NEXT_MIGRATION
from tests.support import FakeCaptioner, add_files, add_photo, make_photo, names


def test_an_empty_database_is_refused_until_it_is_upgraded(postgres_server: postgres.Server) -> None:
    url = postgres_server.create()
    try:
        with pytest.raises(CatalogueOutdated, match="photoindex catalogue upgrade"):
            open_database(url)
        with closing(PostgresDatabase.open_as_is(url, read_only=False)) as empty:
            assert empty.upgrade()
            assert not empty.upgrade()
        with closing(open_database(url)) as made:
            assert made.revision() == HEAD
    finally:
        postgres_server.drop(url)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_cannot_hold_every_name_is_refused(
    postgres_server: postgres.Server, tmp_path: Path, encoding: str
) -> None:
    url = postgres_server.create(encoding=encoding)
    try:
        for make in (upgrade_catalogue, lambda settings: copy_between(str(new_file(tmp_path)), settings.catalogue)):
            with pytest.raises(CatalogueError, match=f"encoding {encoding}.*createdb --encoding UTF8"):
                make(Settings(tmp_path, catalogue=url))
        with closing(PostgresDatabase.open_as_is(url)) as database:
            assert database.revision() is None
    finally:
        postgres_server.drop(url)


def new_file(folder: Path) -> Path:
    """A catalogue in a file that holds nothing."""
    path = folder / "catalogue.sqlite3"
    open_database(path).close()
    return path


def test_a_catalogue_that_cannot_hold_a_word_says_so(postgres_server: postgres.Server, album: Path) -> None:
    url = postgres_server.create(encoding="LATIN1")
    try:
        with closing(PostgresDatabase.open_as_is(url, read_only=False)) as database:
            migration.upgrade(database, None)  # as an earlier version did
            add_files(database, album, "Отпуск.jpg")  # a path is bytes
            refused = pytest.raises(CatalogueError, match=r"cannot hold every name.*createdb --encoding UTF8")
            with refused, database.write() as connection:
                connection.execute(text("insert into album (name) values (:name)"), {"name": "Отпуск"})
    finally:
        postgres_server.drop(url)


def test_every_word_is_kept_whatever_encoding_the_client_is_set_to(
    postgres_url: str, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    with closing(open_database(postgres_url)) as database:
        add_files(database, album, "a.jpg")
        photo_id = add_photo(database, album / "a.jpg", "Отпуск 休暇")
        with database.ask() as asker:
            sql = "select text from caption where photo_id = :id and rank = 0"
            assert asker.ask(sql, id=photo_id) == [("Отпуск 休暇",)]


def test_a_database_without_a_schema_to_write_to_is_said(postgres_server: postgres.Server) -> None:
    url = postgres_server.create()
    try:
        postgres_server.set_default(url, "search_path", "''")
        with pytest.raises(CatalogueError, match=r"has no schema.*search_path"):
            upgrade_catalogue(Settings(Path("/nowhere"), catalogue=url))
    finally:
        postgres_server.drop(url)


def test_files_and_photos_are_stored_and_counted_as_changes(postgres_url: str, album: Path) -> None:
    with closing(open_database(postgres_url)) as database:
        before = database.commits()
        add_files(database, album, "a.jpg", "b.jpg")
        photo_id = add_photo(database, album / "a.jpg")
        assert database.commits() != before
        with database.ask() as asker:
            assert asker.ask("select min(revision) > 0, min(text_stale) from photo") == [(True, 0)]
            assert asker.ask("select text from caption where photo_id = :id and rank = 0", id=photo_id) == [
                ("a red square",)
            ]


def test_what_cannot_be_opened_is_one_clear_line(postgres_server: postgres.Server) -> None:
    for url, what in (
        (postgres_server.url("nowhere"), "nowhere"),
        ("postgresql+psycopg://user:secret@/x?host=/nonexistent", "cannot be reached"),
    ):
        with pytest.raises(CatalogueError, match=what) as caught:
            open_database(url)
        assert "\n" not in str(caught.value)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "password", ["se%cret", "se@cret", "se/cret", "12/cret", "se cret", "cret@", "%cret", "a:b/cret", "x@y@cret"]
)
def test_no_part_of_a_password_is_shown_that_has_to_be_quoted(password: str) -> None:
    for url in (f"postgresql+psycopg://me:{password}@127.0.0.1:1/photos", f"postgresql://:{password}@127.0.0.1:1/x"):
        with pytest.raises(CatalogueError) as caught:
            open_database(url)
        assert "cret" not in str(caught.value)
        assert "%40" in str(caught.value)
        assert not isinstance(caught.value, CatalogueUnavailable)  # which a watch would wait for


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://me:se%25cr%40et@/x?host=/nonexistent",
        "postgresql://me:p:q#r?s@127.0.0.1:1/x",
        "postgresql://me:@127.0.0.1:1/x",
        "postgresql://me:p@127.0.0.1:1,127.0.0.1:2/x",
        "postgresql:///x?host=/nonexistent&password=a+b%25&sslpassword=c",
        "postgresql://127.0.0.1:1/x?application_name=a@b",
        "postgresql://me@127.0.0.1:1/x?application_name=a@b",
    ],
)
def test_a_url_that_the_driver_can_read_is_tried(url: str) -> None:
    with pytest.raises(CatalogueUnavailable, match="cannot be reached"):
        open_database(url)


def test_a_server_that_is_gone_with_its_machine_is_given_up_after_a_minute(postgres_url: str) -> None:
    with closing(postgres_catalogue.connect(postgres_url)) as connection:
        said = connection.info.get_parameters()
    assert said["tcp_user_timeout"] == "60000"
    waited = int(said["keepalives_idle"]) + int(said["keepalives_interval"]) * int(said["keepalives_count"])
    assert waited == 60


@pytest.mark.parametrize("kind", ["ask", "read", "write"])
def test_a_server_that_is_frozen_is_given_up(
    postgres_server: postgres.Server, postgres_url: str, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(postgres_catalogue, "SILENT_SECONDS", 0.1)
    monkeypatch.setattr(postgres_catalogue, "CONNECT_SECONDS", 2)  # the least that counts
    with closing(open_database(postgres_url)) as database:
        with getattr(database, kind)() as transaction:
            assert ask(transaction, "select 1") == [(1,)]
        silence = pytest.raises(CatalogueUnavailable, match=r"cannot be reached \(no answer for 2.1 seconds")
        with silence, getattr(database, kind)() as transaction:
            ask(transaction, "select 1")
            with postgres_server.frozen():
                ask(transaction, "select 1")
        refusal = pytest.raises(CatalogueUnavailable, match="cannot be reached")
        with postgres_server.frozen(), refusal, getattr(database, kind)() as transaction:
            ask(transaction, "select 1")
    with closing(open_database(postgres_url)) as database, getattr(database, kind)() as transaction:
        assert ask(transaction, "select 1") == [(1,)]


def test_a_question_that_takes_long_is_waited_for(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_catalogue, "SILENT_SECONDS", 0.05)
    with closing(open_database(postgres_url)) as database, database.ask() as asker:
        assert asker.ask("select 1 from pg_sleep(0.5)") == [(1,)]


@pytest.mark.parametrize("kind", ["ask", "read", "write"])
@pytest.mark.parametrize(("took", "believed"), [(10.0, True), (0.0, False)])
def test_what_took_long_to_learn_about_a_server_is_believed_for_as_long(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, kind: str, took: float, believed: bool
) -> None:
    now, tried = 100.0, 0

    def connect(url: str) -> Any:
        nonlocal now, tried
        now, tried = now + took, tried + 1
        raise psycopg.errors.ConnectionTimeout("connection timeout expired")

    def question() -> None:
        with pytest.raises(CatalogueUnavailable, match="timeout expired"), getattr(database, kind)():
            pytest.fail("it answers")

    with closing(PostgresDatabase(postgres_url)) as database:
        monkeypatch.setattr("photoindex.catalogue.postgres_database.time", SimpleNamespace(monotonic=lambda: now))
        monkeypatch.setattr("photoindex.catalogue.postgres_database.connect", connect)
        for _ in range(3):
            question()
        assert tried == (1 if believed else 3)
        monkeypatch.setattr("photoindex.catalogue.postgres_database.connect", postgres_catalogue.connect)
        now += took
        with getattr(database, kind)() as transaction:
            assert ask(transaction, "select 1") == [(1,)]


def test_what_is_wrong_with_a_url_without_a_password_is_said() -> None:
    with pytest.raises(CatalogueError, match='invalid URI query parameter: "nonsense"'):
        open_database("postgresql://me@127.0.0.1:1/x?nonsense=1")


def test_a_session_that_the_server_ended_is_replaced(postgres_server: postgres.Server, postgres_url: str) -> None:
    with closing(open_database(postgres_url)) as database:
        with pytest.raises(CatalogueUnavailable), database.write() as connection:
            postgres_server.end_sessions()
            connection.exec_driver_sql("select 1")
        with database.write() as connection:
            connection.exec_driver_sql("select 1")


@contextmanager
def impatient(server: postgres.Server, url: str, name: str) -> Iterator[Callable[[], None]]:
    """Have the server end sessions that do nothing, those that begin within the block. Yields a function that waits
    until it has ended one that began now."""

    def until_one_is_ended() -> None:
        in_transaction = name == "idle_in_transaction_session_timeout"
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=not in_transaction) as other:
            other.execute("select 1")
            with pytest.raises(psycopg.OperationalError):
                next(other.notifies(timeout=60), None)

    server.set_default(url, name, "'200ms'")
    try:
        yield until_one_is_ended
    finally:
        server.set_default(url, name, "default")


@pytest.mark.parametrize("kind", ["ask", "read", "write"])
def test_who_works_on_what_was_read_keeps_the_session(
    postgres_server: postgres.Server, postgres_url: str, kind: str
) -> None:
    with (
        impatient(postgres_server, postgres_url, "idle_in_transaction_session_timeout") as until_one_is_ended,
        closing(open_database(postgres_url)) as database,
        getattr(database, kind)() as transaction,
    ):
        assert ask(transaction, "select 1") == [(1,)]
        until_one_is_ended()
        assert ask(transaction, "select 1") == [(1,)]


def test_who_compares_a_folder_keeps_the_lock_while_nothing_happens(
    postgres_server: postgres.Server, postgres_url: str, album: Path
) -> None:
    with closing(open_database(postgres_url)) as one, closing(open_database(postgres_url)) as other:
        with impatient(postgres_server, postgres_url, "idle_session_timeout") as until_one_is_ended:
            holding = one.sole_comparer([album])
            holding.__enter__()
            until_one_is_ended()
        with pytest.raises(FolderError, match="compared by another"), other.sole_comparer([album]):
            pytest.fail("two compare it")
        holding.__exit__(None, None, None)
        with other.sole_comparer([album]):
            pass


@pytest.fixture
def pooled(postgres_server: postgres.Server) -> Iterator[Callable[[str], str]]:
    """Makes the URL of a database that of a pool, whose clients have other sessions for each transaction."""
    reason = postgres.pooler_missing()
    if reason is not None:
        pytest.skip(reason)
    with postgres.pooler(postgres_server) as through:
        yield through


def test_those_behind_a_pool_share_its_sessions(
    postgres_url: str, pooled: Callable[[str], str], tmp_path: Path, album: Path
) -> None:
    make_photo(album / "red.jpg", "red")
    url = pooled(postgres_url)
    with ExitStack() as stack:
        nodes = [
            stack.enter_context(
                Library(Settings(tmp_path / name, catalogue=url, settle_seconds=0.0), lambda _: FakeCaptioner())
            )
            for name in ("one", "other")
        ]
        for colour in ("green", "blue"):  # each asks the same things again and again
            make_photo(album / f"{colour}.jpg", colour)
            for node in nodes:
                node.index(album)
                for _ in range(7):
                    assert names(node.search(colour)) == [f"{colour}.jpg"]


def test_a_folder_is_compared_once_behind_a_pool(postgres_url: str, pooled: Callable[[str], str], album: Path) -> None:
    url = pooled(postgres_url)
    with closing(open_database(url)) as one, closing(open_database(url)) as other:
        for _ in range(2):
            with one.sole_comparer([album]):
                for database in (one, other):
                    with pytest.raises(FolderError, match="compared by another"), database.sole_comparer([album]):
                        pytest.fail("two compare it")
        with closing(open_database(postgres_url)) as beside, beside.sole_comparer([album]):
            pass


def test_a_catalogue_is_upgraded_through_a_pool(postgres_server: postgres.Server, pooled: Callable[[str], str]) -> None:
    url = postgres_server.create()
    try:
        for through in (pooled(url), url):  # the first leaves no lock behind
            with closing(PostgresDatabase.open_as_is(through, read_only=False)) as database:
                assert database.upgrade() == (through != url)
    finally:
        postgres_server.drop(url)


@pytest.mark.parametrize("level", ["read committed", "repeatable read", "serializable"])
@pytest.mark.parametrize("exclusive", [True, False])
def test_who_waits_to_write_sees_what_was_written_meanwhile(
    postgres_server: postgres.Server, postgres_url: str, level: str, exclusive: bool
) -> None:
    """Whatever the server gives those that do not say."""
    postgres_server.set_default(postgres_url, "default_transaction_isolation", f"'{level}'")
    waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"

    def revision(database: Database) -> int:
        with database.write(exclusive=exclusive) as connection:
            return int(ask(connection, "select vector_revision from catalogue")[0][0])

    try:
        with (
            closing(open_database(postgres_url)) as one,
            closing(open_database(postgres_url)) as other,
            ThreadPoolExecutor(1) as pool,
        ):
            with one.write() as connection:
                counted = pool.submit(revision, other)
                while ask(connection, waiting) == [(0,)]:
                    assert not counted.done()
                connection.execute(text("update catalogue set vector_revision = 7"))
            assert counted.result() == 7
    finally:
        postgres_server.set_default(postgres_url, "default_transaction_isolation", "default")


@pytest.fixture
def later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The migrations of a later photoindex, which the program is now."""
    folder = tmp_path / "later" / "migrations"
    shutil.copytree(migrations_dir(), folder)
    (folder / "versions" / "9999_stars.py").write_text(NEXT_MIGRATION.format(head=HEAD))
    monkeypatch.setattr(migration, "migrations_dir", lambda: folder)
    monkeypatch.setattr(migration, "HEAD", "9999")
    return folder


def test_a_server_that_can_only_be_read_is_read_and_says_so(
    postgres_server: postgres.Server, data_dir: Path, album: Path
) -> None:
    url = postgres_server.create(template=postgres.TEMPLATE)
    make_photo(album / "red.jpg", "red")
    settings = Settings(data_dir, catalogue=url, settle_seconds=0.0)
    with Library(settings, lambda _: FakeCaptioner()) as library:
        library.index(album)
    postgres_server.set_default(url, "default_transaction_read_only", "on")
    make_photo(album / "green.jpg", "green")
    with Library(settings, lambda _: FakeCaptioner()) as library:
        assert names(library.search("red")) == ["red.jpg"]
        for _ in range(2):  # behind reads of the same connections, too
            with pytest.raises(CatalogueReadOnly, match="standby or read-only"):
                library.index(album)
            assert library.status().photos == 1
    postgres_server.drop(url)


def test_an_older_catalogue_is_upgraded_when_somebody_says_so(postgres_url: str, album: Path, later: Path) -> None:
    with pytest.raises(CatalogueOutdated, match=f"is of version {HEAD}"):
        open_database(postgres_url)
    with closing(PostgresDatabase.open_as_is(postgres_url, read_only=False)) as old:
        add_files(old, album, "a.jpg")
        photo_id = add_photo(old, album / "a.jpg")
        assert old.upgrade()
        assert not old.upgrade()
    with closing(open_database(postgres_url)) as upgraded:
        assert upgraded.revision() == "9999"
        assert upgraded.faults() == []
        with upgraded.ask() as asker:
            [(before,)] = asker.ask("select revision from photo where stars is null")
        with upgraded.write() as connection:
            connection.exec_driver_sql(f"update photo set rating = 5 where id = {photo_id}")
        with upgraded.ask() as asker:
            assert asker.ask("select revision > :before from photo", before=before) == [(True,)]


def test_whoever_works_on_while_it_is_upgraded_writes_no_more(postgres_url: str, album: Path) -> None:
    with closing(open_database(postgres_url)) as worker:
        add_files(worker, album, "a.jpg")
        _set_version(postgres_url, "9999")
        try:
            for exclusive in (False, True):
                with (
                    pytest.raises(CatalogueOutdated, match="upgraded to version 9999"),
                    worker.write(exclusive=exclusive),
                ):
                    pytest.fail("it may write")
            with worker.read() as connection:
                assert connection.exec_driver_sql("select count(*) from file").scalar() == 1
        finally:  # the next test is lent this database
            _set_version(postgres_url, HEAD)
        with worker.write() as connection:
            assert connection.exec_driver_sql("select count(*) from file").scalar() == 1


def _set_version(url: str, version: str) -> None:
    with postgres_catalogue.connect(url) as connection:
        connection.execute("update alembic_version set version_num = %s", [version])


def test_more_at_once_than_there_are_connections_is_said(
    postgres_url: str, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_catalogue, "WAIT_SECONDS", 0.05)
    with closing(open_database(postgres_url)) as database, ExitStack() as stack:
        for _ in range(MOST_CONNECTIONS):
            stack.enter_context(database.read()).exec_driver_sql("select 1")
        with pytest.raises(CatalogueUnavailable, match=f"all {MOST_CONNECTIONS} connections"), database.read():
            pytest.fail("there is one more")


def test_an_upgrade_that_fails_leaves_the_catalogue_as_it_was(postgres_url: str, album: Path, later: Path) -> None:
    broken = later / "versions" / "9999_stars.py"
    broken.write_text(broken.read_text() + '    op.execute("select 1 / 0")\n')
    with closing(PostgresDatabase.open_as_is(postgres_url, read_only=False)) as old:
        add_files(old, album, "a.jpg")
        with pytest.raises(CatalogueError, match="division by zero"):
            old.upgrade()
        assert old.revision() == HEAD
        assert old.faults() == []
        with old.ask() as asker:
            assert asker.ask("select count(*) from file") == [(1,)]
            assert not asker.ask("select 1 from information_schema.columns where column_name = 'stars'")


def test_a_folder_that_was_compared_is_free_at_once(
    postgres_url: str, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server may notice only later that a connection was closed: here it never does."""
    left_open = []

    def connect(url: str) -> Any:
        connection = postgres_catalogue.connect(url)
        monkeypatch.setattr(connection, "close", lambda: None)
        left_open.append(connection)
        return connection

    with closing(PostgresDatabase(postgres_url)) as database:
        monkeypatch.setattr("photoindex.catalogue.postgres_database.connect", connect)
        for _ in range(2):
            with database.sole_comparer([album, album / "within"]):
                pass
        with pytest.raises(KeyError), database.sole_comparer([album]):
            raise KeyError
        with database.sole_comparer([album]):
            with pytest.raises(FolderError, match="compared by another"), database.sole_comparer([album / "a", album]):
                pass
            with database.sole_comparer([album / "a"]):  # which was got before the other was refused
                pass
    assert len(left_open) >= 6
    monkeypatch.undo()
    for connection in left_open:
        connection.close()
