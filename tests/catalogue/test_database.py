"""The catalogue file: made, upgraded with a backup, shared between processes, refused when it is not ours."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import ClauseElement, Engine, create_engine, inspect, text

from photoindex.catalogue import backup_files, migration
from photoindex.catalogue.backup_files import BACKUPS_KEPT
from photoindex.catalogue.database import Database
from photoindex.catalogue.fast_queries import is_work_left
from photoindex.catalogue.metadata import clear_stale, read_by_older
from photoindex.catalogue.migration import HEAD
from photoindex.catalogue.opening import open_database
from photoindex.catalogue.roots import WatchNote, list_roots, watch_notes
from photoindex.catalogue.schema import metadata
from photoindex.catalogue.sqlite_database import SqliteDatabase
from photoindex.errors import CatalogueError, CatalogueTooNew
from photoindex.system.package_data import migrations_dir
from tests.support import REPOSITORY, add_files, migrate

NEXT_MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("photo", sa.Column("stars", sa.Integer(), nullable=True))
"""


def revision_of(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("select version_num from alembic_version").fetchone()[0])


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A later photoindex, with one migration more; undo it to be this one again."""
    folder = tmp_path / "later" / "migrations"
    shutil.copytree(migrations_dir(), folder)
    (folder / "versions" / "9999_stars.py").write_text(NEXT_MIGRATION.format(head=HEAD))
    monkeypatch.setattr(migration, "migrations_dir", lambda: folder)
    monkeypatch.setattr(migration, "HEAD", "9999")
    return monkeypatch


@pytest.mark.usefixtures("cold")
def test_a_catalogue_is_made_where_there_is_none_and_opens_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "catalogue.sqlite3"
    open_database(path).close()
    assert revision_of(path) == HEAD
    open_database(path).close()
    assert list(path.parent.glob("*before-upgrade*")) == []


@pytest.fixture
def migrated(tmp_path: Path) -> Iterator[Engine]:
    """A catalogue that the migrations made, one after another."""
    migrate(tmp_path / "migrated.sqlite3")
    engine = create_engine(f"sqlite:///{tmp_path / 'migrated.sqlite3'}")
    yield engine
    engine.dispose()


def test_the_migrations_make_the_tables_that_the_program_expects(migrated: Engine) -> None:
    with migrated.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def plain(found: Any) -> Any:
    """What SQLAlchemy found, with SQL, which equals itself alone, as text."""
    if isinstance(found, dict):
        return {name: plain(value) for name, value in found.items()}
    if isinstance(found, list):
        return [plain(value) for value in found]
    return str(found) if isinstance(found, ClauseElement) else found


@pytest.mark.usefixtures("cold")
def test_a_new_catalogue_is_as_the_migrations_make_it(database: Database, migrated: Engine) -> None:
    ours, expected = inspect(database.engine), inspect(migrated)
    assert sorted(ours.get_table_names()) == sorted(expected.get_table_names())
    aspects = ("get_indexes", "get_unique_constraints", "get_check_constraints", "get_pk_constraint")
    for table in ours.get_table_names():
        for aspect in aspects:
            assert plain(getattr(ours, aspect)(table)) == plain(getattr(expected, aspect)(table)), (table, aspect)
        keys = [sorted(tables.get_foreign_keys(table), key=lambda key: str(key["name"])) for tables in (ours, expected)]
        assert keys[0] == keys[1]
        # Columns that were added later come last.
        columns = [
            {column["name"]: repr(column) for column in tables.get_columns(table)} for tables in (ours, expected)
        ]
        assert columns[0] == columns[1]
    assert [rows_of(engine) for engine in (database.engine, migrated)] == [{"catalogue": 1, "alembic_version": 1}] * 2


def rows_of(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        counts = {
            table: connection.execute(text(f"select count(*) from {table}")).scalar_one()
            for table in inspect(engine).get_table_names()
        }
    return {table: count for table, count in counts.items() if count}


def test_each_catalogue_has_an_identity_of_its_own(tmp_path: Path) -> None:
    identities = set()
    for name in ("one", "two"):
        with closing(open_database(tmp_path / name)) as opened, opened.read() as connection:
            identities.add(connection.execute(text("select identity from catalogue")).scalar_one())
    assert len(identities) == 2
    assert all(len(identity) == 32 for identity in identities)


def test_the_head_that_the_program_names_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations_dir()))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_an_upgrade_makes_a_backup_first(
    data_dir: Path, album: Path, database: SqliteDatabase, next_version: pytest.MonkeyPatch
) -> None:
    add_files(database, album, "a.jpg")
    database.close()
    with closing(open_database(database.path)) as upgraded, upgraded.read() as connection:
        assert connection.execute(text("select count(*) from file")).scalar() == 1
        connection.execute(text("select stars from photo"))
    assert revision_of(database.path) == "9999"
    [backup] = data_dir.glob("*before-upgrade*")
    assert revision_of(backup) == HEAD
    with closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("select count(*) from file").fetchone() == (1,)


def test_a_catalogue_from_before_the_watchers_notes_is_upgraded_with_its_roots(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite3"
    migrate(path, "0002")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("insert into root values (3, x'2f70', 7, 'polling', '2024-01-02 03:04:05', '2024-01-01')")
        connection.commit()
    with closing(open_database(path)) as upgraded, upgraded.read() as connection:
        [found] = list_roots(connection)
        assert (found.id, found.path, found.device, found.mode) == (3, Path("/p"), 7, "polling")
        assert watch_notes(connection) == {3: WatchNote(None, None, None, None, None, None)}
    [backup] = tmp_path.glob("*before-upgrade*")
    assert revision_of(backup) == "0002"


def test_a_first_catalogue_is_upgraded_with_all_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite3"
    migrate(path, "0001")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("insert into model values (1, 'old-1', 'old', 'encoder', '2024-01-01')")
        connection.execute("insert into photo (id, content_hash, size, added_at, text_stale) values (7, 'x', 1, '', 0)")
        connection.execute(
            "insert into caption (photo_id, text, source, rank, current, model_id, created_at)"
            " values (7, 'a dog', 'model', 0, 1, 1, '2024-01-01')"
        )
        connection.commit()
    with closing(open_database(path)) as upgraded, upgraded.read() as connection:
        assert connection.execute(text("select text, model_id from caption")).all() == [("a dog", 1)]
        assert connection.execute(text("select identity, terms, term_scale from model")).all() == [
            ("old-1", None, None)
        ]
        assert connection.execute(text("select id, vector_revision from catalogue")).all() == [(1, 0)]
    [backup] = tmp_path.glob("*before-upgrade*")
    assert revision_of(backup) == "0001"


def test_photos_of_an_older_catalogue_are_read_by_an_older_reader(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite3"
    migrate(path, "0012")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "insert into photo (id, content_hash, size, added_at, text_stale, metadata_stale)"
            " values (7, 'x', 1, '', 0, 0), (8, 'y', 1, '', 0, 0)"
        )
        connection.execute("insert into root (id, path, added_at) values (1, x'2f70', '2024-01-01')")
        connection.execute(
            "insert into file (root_id, relative_path, photo_id, size, mtime_ns, inode) values (1, x'61', 7, 1, 1, 1)"
        )
        connection.commit()
    with closing(open_database(path)) as upgraded:
        with upgraded.read() as connection:
            assert read_by_older(connection) == [(7, 0)]
            assert is_work_left(connection)
        with upgraded.write() as connection:
            clear_stale(connection, [(7, 0)])
        with upgraded.read() as connection:
            assert read_by_older(connection) == []
            assert not is_work_left(connection)


def test_only_the_latest_backups_are_kept(
    data_dir: Path, database: SqliteDatabase, next_version: pytest.MonkeyPatch
) -> None:
    database.close()
    for number in range(BACKUPS_KEPT + 2):
        (data_dir / f"catalogue-before-upgrade-from-0000-2020010{number}T000000Z.sqlite3").write_bytes(b"old")
    open_database(database.path).close()
    kept = sorted(path.name for path in data_dir.glob("*before-upgrade*"))
    assert len(kept) == BACKUPS_KEPT
    assert f"from-{HEAD}" in kept[-1]


def test_an_upgrade_that_fails_leaves_the_catalogue_as_it_was(
    tmp_path: Path, album: Path, database: SqliteDatabase, next_version: pytest.MonkeyPatch
) -> None:
    add_files(database, album, "a.jpg")
    database.close()
    script = tmp_path / "later" / "migrations" / "versions" / "9999_stars.py"
    script.write_text(script.read_text() + '    op.execute("select nothing from nowhere")\n')
    with pytest.raises(CatalogueError, match="syntax error"):
        open_database(database.path)
    next_version.undo()
    with closing(open_database(database.path)) as again, again.read() as connection:
        assert connection.execute(text("select count(*) from file")).scalar() == 1
        assert "stars" not in {column["name"] for column in inspect(connection).get_columns("photo")}


def test_an_upgrade_that_is_tried_again_uses_the_backup_of_the_unchanged_catalogue(
    tmp_path: Path,
    album: Path,
    database: SqliteDatabase,
    next_version: pytest.MonkeyPatch,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stamps = (f"20240501T12{number:02}00Z" for number in count())
    monkeypatch.setattr(backup_files, "stamp", lambda: next(stamps))
    add_files(database, album, "a.jpg")
    database.close()
    script = tmp_path / "later" / "migrations" / "versions" / "9999_stars.py"
    whole = script.read_text()
    script.write_text(whole + '    op.execute("select nothing from nowhere")\n')

    def backups_after_a_failure() -> list[Path]:
        with pytest.raises(CatalogueError, match="syntax error"):
            open_database(database.path)
        return sorted(database.path.parent.glob("*before-upgrade*"))

    [first] = backups_after_a_failure()
    assert backups_after_a_failure() == [first]
    with closing(sqlite3.connect(database.path)) as connection:
        connection.execute("update root set mode = 'polling'")
        connection.commit()
    [_, second] = backups_after_a_failure()
    second.write_bytes(second.read_bytes()[:9000])
    assert len(backups_after_a_failure()) == 3  # one that is damaged does not count

    script.write_text(whole)
    open_database(database.path).close()
    assert revision_of(database.path) == "9999"
    assert len(list(database.path.parent.glob("*before-upgrade*"))) == 3


def test_a_catalogue_of_a_newer_version_is_refused_and_not_touched(
    data_dir: Path, next_version: pytest.MonkeyPatch
) -> None:
    path = data_dir / "catalogue.sqlite3"
    open_database(path).close()
    next_version.undo()
    before = path.read_bytes()
    with pytest.raises(CatalogueTooNew, match="upgrade photoindex") as caught:
        open_database(path)
    assert len(str(caught.value).splitlines()) == 1
    assert path.read_bytes() == before
    assert list(data_dir.glob("*before-upgrade*")) == []


def test_another_programs_database_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table recipes (name text)")
        connection.commit()
    before = path.read_bytes()
    with pytest.raises(CatalogueError, match="not a photoindex catalogue") as caught:
        open_database(path)
    assert len(str(caught.value).splitlines()) == 1
    assert path.read_bytes() == before


def test_another_program_that_uses_alembic_is_not_taken_for_a_newer_photoindex(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table recipes (name text)")
        connection.execute("create table alembic_version (version_num text)")
        connection.execute("insert into alembic_version values ('abcdef')")
        connection.commit()
    with pytest.raises(CatalogueError, match="not a photoindex catalogue"):
        open_database(path)


def test_a_file_that_is_no_database_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite3"
    path.write_text("milk, eggs, flour\n" * 100)
    with pytest.raises(CatalogueError, match="is no catalogue") as caught:
        open_database(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert path.read_text() == "milk, eggs, flour\n" * 100


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CatalogueError, match="cannot create the data folder"):
        open_database(tmp_path / "file" / "data" / "catalogue.sqlite3")


def test_the_catalogue_is_in_wal_mode_and_checks_foreign_keys(database: Database) -> None:
    with database.read() as connection:
        assert connection.execute(text("pragma journal_mode")).scalar() == "wal"
        assert connection.execute(text("pragma foreign_keys")).scalar() == 1


def test_a_restored_backup_is_a_catalogue_again_and_in_wal_mode(database: Database, tmp_path: Path) -> None:
    database.backup(tmp_path / "restored.sqlite3")
    with closing(open_database(tmp_path / "restored.sqlite3")) as restored, restored.read() as connection:
        assert connection.execute(text("pragma journal_mode")).scalar() == "wal"


def test_an_error_in_a_write_rolls_all_of_it_back(database: Database, album: Path) -> None:
    class Interrupted(Exception):
        pass

    with pytest.raises(Interrupted), database.write() as connection:
        connection.execute(
            text("insert into model (identity, name, encoder, first_used_at) values ('a', 'a', 'a', '2024-01-01')")
        )
        raise Interrupted
    with database.read() as connection:
        assert connection.execute(text("select count(*) from model")).scalar() == 0


def test_two_processes_that_open_a_new_folder_at_once_both_succeed(data_dir: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from photoindex.catalogue.opening import open_database;"
        " print('ready', flush=True); sys.stdin.readline();"
        " open_database(Path(sys.argv[1])).close(); print('opened')"
    )
    path = data_dir / "catalogue.sqlite3"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(path)],
            cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate(timeout=60) for process in processes] == [("opened\n", "")] * 3
    assert revision_of(path) == HEAD


def test_opening_an_up_to_date_catalogue_does_not_import_alembic(database: Database) -> None:
    script = (
        "import sys; from pathlib import Path; from photoindex.catalogue.opening import open_database;"
        " open_database(Path(sys.argv[1])).close(); print('alembic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(database.path)], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
