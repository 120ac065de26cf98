"""The doctor: what it finds in libraries that are really broken, what it advises, and that the advice helps."""

from __future__ import annotations

import configparser
import dataclasses
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from packaging.requirements import Requirement
from sqlalchemy import update

from photoindex.captioner import jpeg_drafts
from photoindex.catalogue.database import Database
from photoindex.catalogue.opening import open_database
from photoindex.catalogue.roots import list_roots, note_mode
from photoindex.catalogue.schema import job, root
from photoindex.cli.main import main
from photoindex.config import Settings
from photoindex.errors import CatalogueError, DeviceUnavailable
from photoindex.library import Library, doctor, installation
from photoindex.library.doctor import Machine, examine, restore
from photoindex.library.installation import check_device, check_text
from photoindex.media.decode import list_readers
from photoindex.media.text import engine, reader_version
from photoindex.media.text.engine import NETWORKS
from photoindex.search import FullText
from photoindex.search.fulltext.document import Document, document_of
from photoindex.search.terms import index as term_index
from photoindex.search.terms import matrix_file
from photoindex.system.inotify_limits import InotifyLimits
from photoindex.types import Finding
from tests.conftest import OpenLibrary
from tests.permissions import permissions_count
from tests.support import (
    REPOSITORY,
    FakeCaptioner,
    Limits,
    add_files,
    make_model_folder,
    make_photo,
    mark_missing,
    names,
)

LOCAL = "ext4"


def machine(
    limits: InotifyLimits | None = None, file_system: Callable[[Path], str | None] = lambda _: LOCAL
) -> Machine:
    return Machine(limits or Limits(100_000), file_system)


def findings(settings: Settings, on: Machine | None = None, **options: Any) -> dict[str, Finding]:
    found = list(examine(settings, machine=on or machine(), **options))
    assert all(len(f"{each.message}{each.advice or ''}".splitlines()) == 1 for each in found)
    assert all(each.level == "ok" or each.advice for each in found if each.name != "captioning"), found
    by_name = {each.name: each for each in found}
    assert len(by_name) == len(found)
    return by_name


def problems(settings: Settings, on: Machine | None = None) -> list[str]:
    return [name for name, finding in findings(settings, on).items() if finding.level == "problem"]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an album of two photos and the library made of it."""
    folder = tmp_path_factory.mktemp("template")
    make_photo(folder / "album" / "one.jpg", "red")
    make_photo(folder / "album" / "two.jpg", "blue")
    with Library(Settings(folder / "data", settle_seconds=0.0, backup_days=0.0), lambda _: FakeCaptioner()) as library:
        library.index(folder / "album")
    return folder


@pytest.fixture
def settings(template: Path, data_dir: Path, album: Path) -> Settings:
    """Of a library of two photos, both in ``album``, that nobody has open."""
    shutil.copytree(template / "album", album, dirs_exist_ok=True)
    shutil.copytree(template / "data", data_dir)
    with closing(sqlite3.connect(data_dir / "catalogue.sqlite3")) as connection:
        connection.execute("update root set path = ?", (os.fsencode(album),))
        connection.commit()
    return Settings(data_dir)


def damage(path: Path, start: int = 4096, count: int = 3000) -> None:
    """Overwrite bytes of a file."""
    with path.open("r+b") as file:
        file.seek(start)
        file.write(b"\xa5" * count)


def add_backup(settings: Settings, number: int = 1) -> Path:
    """A backup of the catalogue as it is now, ``number`` minutes after midnight."""
    path = settings.data_dir / f"catalogue-before-upgrade-from-0001-20240501T00{number:02}00Z.sqlite3"
    with closing(open_database(settings.catalogue_path)) as database:
        database.backup(path)
    os.utime(path, (1_714_521_600 + 60 * number,) * 2)
    return path


class TestHealthy:
    def test_a_library_in_order_has_no_problem(self, settings: Settings, album: Path) -> None:
        found = findings(settings)
        assert {name for name, finding in found.items() if finding.level != "ok"} <= {"formats"}
        assert found["full text"].message == "2 photos"
        assert found["queue"].message == "0 waiting, 0 at work"
        assert found[f"folder {album}"].message == "2 files, indexed by hand, on ext4"
        assert found["watches"].message == "watching takes 1 of the 100,000 inotify watches that this user may hold"
        assert found["catalogue"].message.endswith("no faults; no backup yet (index and watch make one a day)")

    def test_where_nothing_was_indexed_yet_nothing_is_made(self, data_dir: Path) -> None:
        found = findings(Settings(data_dir))
        assert {found["data folder"].level, found["catalogue"].level} == {"ok"}
        assert "full text" not in found
        assert not data_dir.exists()

    def test_nothing_in_the_library_is_changed(self, settings: Settings) -> None:
        def content() -> dict[Path, bytes]:
            # SQLite makes its shared memory and an empty log for everyone who reads.
            kept = [path for path in settings.data_dir.rglob("*") if path.is_file() and path.suffix != ".sqlite3-shm"]
            return {path: data for path in kept if (data := path.read_bytes())}

        before = content()
        findings(settings)
        assert content() == before

    def test_a_library_in_use_is_examined_too(self, library: Library, album: Path) -> None:
        make_photo(album / "one.jpg", "red")
        library.index(album)
        with library._database.write():
            assert problems(library.settings) == []


class TestInstallation:
    def test_a_library_that_is_missing_or_too_old_is_named(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(installation, "LIBRARIES", {"numpy": "99.1"})
        finding = findings(settings)["libraries"]
        assert (finding.level, finding.advice) == ("problem", "pip install 'numpy>=99.1'")
        monkeypatch.setattr(installation, "LIBRARIES", {"numpy": "1", "no-such-library": "1"})
        finding = findings(settings)["libraries"]
        assert (finding.level, finding.message) == ("problem", "not installed: no-such-library")

    def test_the_libraries_are_those_that_are_asked_for(self) -> None:
        config = configparser.ConfigParser()
        config.read(REPOSITORY / "setup.cfg")
        wanted = {}
        for line in config["options"]["install_requires"].split("\n")[1:]:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate():
                [least] = [one.version for one in requirement.specifier if one.operator == ">="]
                wanted[requirement.name] = least
        wanted.pop("tomli", None)
        assert wanted == installation.LIBRARIES

    @pytest.mark.parametrize(("missing", "level"), [("HEIC", "warning"), ("AVIF", "warning"), ("PNG", "problem")])
    def test_a_format_that_cannot_be_read_comes_with_what_adds_it(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch, missing: str, level: str
    ) -> None:
        found = [reader for reader in list_readers() if reader.format.name in ("JPEG", missing)]
        lacking = [dataclasses.replace(each, version=None) if each.format.name == missing else each for each in found]
        monkeypatch.setattr(installation, "list_readers", lambda: lacking)
        finding = findings(settings)["formats"]
        assert (finding.level, finding.message) == (level, f"reads JPEG, but not {missing}")
        assert finding.advice is not None
        assert finding.advice.startswith("pip install")

    def test_a_check_that_fails_is_a_finding_and_the_others_go_on(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail() -> Finding:
            raise RuntimeError("one\ntwo")

        monkeypatch.setattr(doctor, "check_formats", fail)
        found = {each.name: each for each in examine(settings, machine=machine())}
        assert found["formats"] == Finding("formats", "problem", "could not be examined: RuntimeError: one two")
        assert found["catalogue"].level == "ok"

    def test_torch_is_not_imported(self, settings: Settings) -> None:
        script = (
            "import sys; from pathlib import Path; from photoindex import Settings;"
            " from photoindex.library import doctor;"
            " print(len(list(doctor.examine(Settings(Path(sys.argv[1]))))) > 5,"
            " sorted({'torch', 'torchvision', 'safetensors', 'alembic', 'click'} & set(sys.modules)))"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, str(settings.data_dir)],
            cwd=REPOSITORY, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout == "True []\n"


class TestModel:
    def test_a_whole_folder_is_described(self, settings: Settings, tmp_path: Path) -> None:
        chosen = Settings(settings.data_dir, model=str(make_model_folder(tmp_path / "tiny")))
        message = findings(chosen)["model"].message
        assert re.fullmatch(r"tiny-[0-9a-f]{12}: \d+ bytes of safetensors, \d+ words, 1,000 labels, 3 terms", message)

    @pytest.mark.parametrize("name", ["config.json", "vocabulary.txt", "terms.txt", "model.safetensors"])
    def test_a_file_that_is_missing_is_named(self, settings: Settings, tmp_path: Path, name: str) -> None:
        folder = make_model_folder(tmp_path / "tiny")
        (folder / name).unlink()
        finding = findings(Settings(settings.data_dir, model=str(folder)))["model"]
        assert finding.level == "problem"
        assert name in finding.message

    def test_a_pickle_is_refused(self, settings: Settings, tmp_path: Path) -> None:
        folder = make_model_folder(tmp_path / "tiny")
        shutil.move(folder / "model.safetensors", folder / "model.pt")
        finding = findings(Settings(settings.data_dir, model=str(folder)))["model"]
        assert (finding.level, "is a pickle" in finding.message) == ("problem", True)

    def test_a_model_that_is_not_there_is_a_problem(self, settings: Settings) -> None:
        assert problems(Settings(settings.data_dir, model="nowhere")) == ["model"]


class TestText:
    @pytest.fixture(autouse=True)
    def networks(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
        """A folder with files in the place of the networks that read text."""
        models = tmp_path / "networks"
        models.mkdir()
        for name in NETWORKS.values():
            (models / name).write_bytes(b"network")
        monkeypatch.setattr(engine, "networks_folder", lambda: models)
        monkeypatch.setattr(reader_version, "is_installed", lambda: True)
        return models

    def test_networks_that_lie_where_only_others_may_look_are_lacking(self, tmp_path: Path, networks: Path) -> None:
        settings = Settings(tmp_path, read_text="auto")
        networks.chmod(0)
        with permissions_count():
            finding = check_text(settings)
        networks.chmod(0o755)
        assert (finding.level, finding.advice) == ("warning", reader_version.INSTALL)
        assert "lacks" in finding.message

    def test_networks_that_do_not_run_are_found_by_trying(self, tmp_path: Path) -> None:
        pytest.importorskip("rapidocr")
        settings = Settings(tmp_path, read_text="auto")
        assert check_text(settings).level == "ok"
        finding = check_text(settings, deep=True)
        assert (finding.level, "does not start" in finding.message) == ("warning", True)

    def test_a_network_that_is_gone_is_named(self, tmp_path: Path, networks: Path) -> None:
        gone = networks / next(iter(NETWORKS.values()))
        gone.unlink()
        assert f"lacks {gone.name}" in check_text(Settings(tmp_path, read_text="auto")).message


class TestDeep:
    def test_a_made_photo_is_decoded_and_captioned(self, settings: Settings) -> None:
        captioner = FakeCaptioner()
        found = findings(settings, deep=True, load_captioner=lambda _: captioner)
        assert found["captioning"] == Finding("captioning", "ok", "fake on cpu works")
        assert found["device"].message.startswith("torch ")
        assert len(captioner.captions) == 1
        assert captioner.closed.is_set()

    def test_a_device_that_is_not_there_is_a_problem(self, settings: Settings) -> None:
        def refuse(_: Settings) -> FakeCaptioner:
            raise DeviceUnavailable("no CUDA GPU")

        finding = findings(settings, deep=True, load_captioner=refuse)["captioning"]
        assert (finding.level, finding.message) == ("problem", "no CUDA GPU")

    def test_decoding_on_a_gpu_is_tried_where_it_is_asked_for(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = dataclasses.replace(settings, decode_on_gpu=True)
        if not torch.cuda.is_available():
            finding = check_device(asked)
            assert (finding.level, "set decode_on_gpu to false" in (finding.advice or "")) == ("warning", True)
            assert "decode_on_gpu does nothing: no CUDA GPU" in finding.message
        monkeypatch.setattr(jpeg_drafts, "DraftProcess", partial(jpeg_drafts.DraftProcess, "cpu"))
        finding = check_device(asked)
        assert finding.level == "ok"
        assert finding.message.endswith("which decodes JPEGs")


class TestDataFolder:
    def test_a_folder_that_cannot_be_written_is_a_problem_and_the_catalogue_is_read_all_the_same(
        self, settings: Settings
    ) -> None:
        for path in settings.data_dir.glob("catalogue.sqlite3-*"):
            path.unlink()
        for path in (settings.data_dir, *settings.data_dir.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        with permissions_count():
            found = findings(settings)
        settings.data_dir.chmod(0o755)
        assert (found["data folder"].level, "cannot be written" in found["data folder"].message) == ("problem", True)
        assert [found[name].level for name in ("catalogue", "full text", "terms", "queue")] == ["ok"] * 4

    def test_a_folder_that_may_not_be_entered_is_a_problem_and_the_rest_is_examined(self, settings: Settings) -> None:
        settings.data_dir.parent.chmod(0)
        try:
            with permissions_count():
                found = findings(settings)
        finally:
            settings.data_dir.parent.chmod(0o755)
        reason = "Permission denied"
        assert found["data folder"].message.startswith(f"cannot look into {settings.data_dir}")
        assert found["data folder"].message.endswith(f": {reason}")
        assert found["catalogue"].message == f"cannot read {settings.catalogue_path}: {reason}"
        assert {found[name].level for name in ("data folder", "catalogue")} == {"problem"}
        assert found["model"].level == "ok"

    @pytest.mark.skipif(not Path("/proc/sys").is_dir(), reason="a folder that not even root can write to")
    def test_a_folder_that_nobody_can_write_to_is_a_problem(self) -> None:
        finding = findings(Settings(Path("/proc/sys")))["data folder"]
        assert (finding.level, "cannot be written" in finding.message) == ("problem", True)

    def test_a_file_in_the_place_of_the_folder_is_a_problem(self, tmp_path: Path) -> None:
        (tmp_path / "data").write_text("in the way")
        assert "data folder" in problems(Settings(tmp_path / "data"))
        assert "data folder" in problems(Settings(tmp_path / "data" / "below"))

    def test_a_network_file_system_is_warned_of(self, settings: Settings) -> None:
        finding = findings(settings, machine(file_system=lambda _: "nfs4"))["data folder"]
        assert (finding.level, "on nfs4" in finding.message) == ("warning", True)

    @pytest.mark.parametrize(("free", "level"), [(10_000_000, "problem"), (400_000_000, "warning"), (10**9, "ok")])
    def test_a_disk_that_is_nearly_full_is_noticed(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch, free: int, level: str
    ) -> None:
        usage = shutil.disk_usage(settings.data_dir)._replace(free=free)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
        assert findings(settings)["data folder"].level == level


class TestCatalogue:
    @pytest.mark.parametrize(("start", "count"), [(0, 100), (4096, 3000)], ids=["no header", "a page of nonsense"])
    def test_damage_is_a_problem_and_the_rest_is_examined(self, settings: Settings, start: int, count: int) -> None:
        damage(settings.catalogue_path, start, count)
        found = {each.name: each for each in examine(settings, machine=machine())}
        assert (found["catalogue"].level, "damaged" in found["catalogue"].message) == ("problem", True)
        assert f"move {settings.catalogue_path} away" in str(found["catalogue"].advice)
        assert (found["model"].level, found["data folder"].level) == ("ok", "ok")

    def test_a_truncated_file_is_damage(self, settings: Settings) -> None:
        os.truncate(settings.catalogue_path, settings.catalogue_path.stat().st_size // 2)
        found = {each.name: each for each in examine(settings, machine=machine())}
        assert (found["catalogue"].level, "damaged" in found["catalogue"].message) == ("problem", True)

    def test_rows_that_belong_to_nothing_are_damage(self, settings: Settings) -> None:
        with closing(sqlite3.connect(settings.catalogue_path)) as connection:
            connection.execute("update file set root_id = 77")
            connection.commit()
        found = {each.name: each for each in examine(settings, machine=machine())}
        assert "a row of file belongs to a row of root that is gone" in found["catalogue"].message

    def test_the_age_of_the_newest_backup_is_told_and_it_is_offered(self, settings: Settings) -> None:
        add_backup(settings)
        midday = datetime(2024, 5, 1, 2, 1, tzinfo=timezone.utc)
        clock = Machine(Limits(100_000), lambda _: LOCAL, lambda: midday)
        assert findings(settings, clock)["catalogue"].message.endswith("the newest backup is 2 h 00 min old")
        damage(settings.catalogue_path)
        found = {each.name: each for each in examine(settings, machine=machine())}
        assert found["catalogue"].advice == (
            "photoindex doctor --restore-backup puts back the backup of 2024-05-01 00:01 UTC"
        )

    def test_a_catalogue_that_is_gone_is_a_problem_when_there_is_a_backup(self, settings: Settings) -> None:
        add_backup(settings)
        settings.catalogue_path.unlink()
        assert problems(settings) == ["catalogue"]

    def test_a_newer_version_is_a_problem_and_an_older_one_is_not(self, settings: Settings) -> None:
        with closing(sqlite3.connect(settings.catalogue_path)) as connection:
            connection.execute("update alembic_version set version_num = '9999'")
            connection.commit()
        assert problems(settings) == ["catalogue"]
        with closing(sqlite3.connect(settings.catalogue_path)) as connection:
            connection.execute("update alembic_version set version_num = '0001'")
            connection.commit()
        finding = findings(settings)["catalogue"]
        assert (finding.level, finding.message[:12]) == ("warning", "version 0001")

    def test_another_programs_database_is_a_problem(self, data_dir: Path) -> None:
        data_dir.mkdir()
        with closing(sqlite3.connect(data_dir / "catalogue.sqlite3")) as connection:
            connection.execute("create table recipes (name text)")
            connection.commit()
        found = {each.name: each for each in examine(Settings(data_dir), machine=machine())}
        assert "not a photoindex catalogue" in found["catalogue"].message


class TestRestore:
    def test_a_damaged_catalogue_is_replaced_by_the_backup_and_kept(
        self, settings: Settings, open_library: OpenLibrary, album: Path
    ) -> None:
        backup = add_backup(settings)
        with open_library() as library:
            make_photo(album / "three.jpg", "green")
            library.index(album)
        damage(settings.catalogue_path)
        damaged = settings.catalogue_path.read_bytes()
        done = restore(settings)
        assert done.backup == backup
        assert done.moved_to is not None
        assert done.moved_to.read_bytes() == damaged
        assert problems(settings) == []
        with open_library() as library:
            assert names(library.search("square")) == ["one.jpg", "two.jpg"]
            assert library.index(album).captioned == 1
            assert names(library.search("square")) == ["one.jpg", "three.jpg", "two.jpg"]
        assert not list(settings.data_dir.glob("*.restoring"))

    def test_the_log_of_the_damaged_catalogue_is_not_played_into_the_backup(
        self, settings: Settings, tmp_path: Path
    ) -> None:
        add_backup(settings)
        log = Path(f"{settings.catalogue_path}-wal")
        with closing(sqlite3.connect(settings.catalogue_path)) as connection:
            connection.execute("pragma wal_autocheckpoint = 0")
            connection.execute("update photo set format = 'LOGGED'")
            connection.commit()
            shutil.copy(log, tmp_path / "log")
        damage(settings.catalogue_path)
        shutil.copy(tmp_path / "log", log)  # as a crash leaves it
        damage(log, 4096 + 500)
        done = restore(settings)
        assert Path(f"{done.moved_to}-wal").exists()
        with closing(sqlite3.connect(settings.catalogue_path)) as connection:
            assert connection.execute("select distinct format from photo").fetchall() == [("JPEG",)]

    def test_a_catalogue_that_is_gone_is_restored_too(self, settings: Settings) -> None:
        add_backup(settings)
        settings.catalogue_path.unlink()
        assert restore(settings).moved_to is None
        assert problems(settings) == []

    @pytest.mark.parametrize("empty", [True, False], ids=["empty", "gone"])
    def test_no_new_library_takes_the_place_of_one_that_is_lost(
        self, settings: Settings, open_library: OpenLibrary, album: Path, empty: bool
    ) -> None:
        backup = add_backup(settings)
        settings.catalogue_path.unlink()
        for left in settings.data_dir.glob("catalogue.sqlite3-*"):
            left.unlink()
        if empty:
            settings.catalogue_path.touch()
        lost = (
            f"is {'empty' if empty else 'gone'}, and {backup.name} beside it is a backup: photoindex doctor --restore-"
        )
        for command in (["index", str(album)], ["search", "red"], ["status"]):
            result = CliRunner().invoke(main, ["--data-dir", str(settings.data_dir), *command])
            assert (result.exit_code, lost in result.stderr) == (1, True), result.stderr
        assert problems(settings) == ["catalogue"]
        restore(settings)
        assert problems(settings) == []
        assert names(open_library().search("red")) != []

    def test_a_new_library_begins_where_no_backup_is_whole(self, settings: Settings, open_library: OpenLibrary) -> None:
        damage(add_backup(settings))
        settings.catalogue_path.unlink()
        assert open_library().status().photos == 0

    def test_a_damaged_backup_is_passed_over(self, settings: Settings) -> None:
        older, newer = add_backup(settings, 1), add_backup(settings, 2)
        damage(newer)
        os.utime(newer, (1_714_525_000,) * 2)
        damage(settings.catalogue_path)
        assert restore(settings).backup == older

    def test_a_whole_catalogue_is_left_alone(self, settings: Settings) -> None:
        add_backup(settings)
        before = settings.catalogue_path.read_bytes()
        with pytest.raises(CatalogueError, match="not damaged: nothing was restored"):
            restore(settings)
        assert settings.catalogue_path.read_bytes() == before

    def test_without_a_whole_backup_nothing_is_touched(self, settings: Settings) -> None:
        damage(add_backup(settings))
        damage(settings.catalogue_path)
        before = settings.catalogue_path.read_bytes()
        with pytest.raises(CatalogueError, match="no whole backup"):
            restore(settings)
        assert settings.catalogue_path.read_bytes() == before

    def test_a_disk_that_refuses_leaves_the_catalogue_where_it_was(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add_backup(settings)
        damage(settings.catalogue_path)
        before = settings.catalogue_path.read_bytes()

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(CatalogueError, match="its disk is full; make room there"):
                restore(settings)
        assert settings.catalogue_path.read_bytes() == before
        assert list(settings.data_dir.glob("*.restoring")) == []

    @pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only /proc tells")
    def test_a_catalogue_that_another_process_has_open_is_not_moved(self, settings: Settings) -> None:
        add_backup(settings)
        damage(settings.catalogue_path)
        script = "import sys; file = open(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
        with subprocess.Popen(
            [sys.executable, "-c", script, str(settings.catalogue_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            with pytest.raises(CatalogueError, match=f"open in process {process.pid}"):
                restore(settings)
            process.communicate()


class TestFullText:
    def test_an_index_that_was_taken_away_is_noticed_and_rebuilt(
        self, settings: Settings, open_library: OpenLibrary
    ) -> None:
        shutil.rmtree(settings.index_path)
        assert findings(settings)["full text"].level == "warning"
        assert not settings.index_path.exists()
        with open_library() as library:
            library.rebuild_full_text()
        assert findings(settings)["full text"] == Finding("full text", "ok", "2 photos")

    @pytest.mark.parametrize("part", ["*.segment", "commit", "../current.json"])
    def test_an_index_that_was_truncated_is_a_problem_that_reindex_ends(
        self, settings: Settings, open_library: OpenLibrary, part: str
    ) -> None:
        [folder] = settings.index_path.glob("index-*")
        paths = [folder.parent / "current.json"] if part.startswith("..") else list(folder.glob(part))
        assert paths
        for path in paths:
            os.truncate(path, path.stat().st_size // 2)
        finding = findings(settings)["full text"]
        assert finding.level == "problem"
        assert str(finding.advice).startswith("photoindex reindex --fulltext")
        with open_library() as library:
            library.rebuild_full_text()
        assert findings(settings)["full text"] == Finding("full text", "ok", "2 photos")

    def test_an_index_of_other_photos_is_a_problem(self, settings: Settings, open_library: OpenLibrary) -> None:
        with open_library() as library:
            [photo] = [hit.photo_id for hit in library.search("red")]
            document = library.show(library.search("blue")[0].path)
            assert document is not None
        with closing(FullText.open(settings.index_path)) as index:
            index.update([document_of(document, [])], [photo])
            index.update([Document(1234, "a stray")])
        finding = findings(settings)["full text"]
        assert finding.level == "problem"
        assert "lacks 1 photos of the catalogue and has 1 too many" in finding.message

    def test_photos_whose_words_are_yet_to_be_written_are_no_disagreement(
        self, settings: Settings, database: Database, album: Path
    ) -> None:
        with database.write() as connection:
            mark_missing(connection, [album / "one.jpg"])
        finding = findings(settings)["full text"]
        assert (finding.level, finding.message) == ("ok", "2 photos, 1 have words that are yet to be written to it")


class TestTerms:
    def test_a_damaged_matrix_is_warned_of(self, settings: Settings, open_library: OpenLibrary) -> None:
        with open_library() as library:
            library.rebuild_full_text()
        assert findings(settings)["terms"] == Finding("terms", "ok", "2 photos have learned terms")
        [matrix] = settings.terms_path.iterdir()
        damage(matrix, matrix.stat().st_size - 8, 1)  # the last column, which opening it does not read
        assert matrix_file.damaged(settings.terms_path) == [matrix]
        assert findings(settings)["terms"].level == "warning"

    def test_a_matrix_that_is_missing_is_none_of_a_small_librarys_needs(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert findings(settings)["terms"].level == "ok"
        monkeypatch.setattr(term_index, "FEW", 1)
        assert findings(settings)["terms"].level == "warning"

    def test_a_matrix_of_other_photos_is_a_problem(self, settings: Settings, open_library: OpenLibrary) -> None:
        with open_library() as library:
            library.rebuild_full_text()
        with closing(sqlite3.connect(settings.catalogue_path)) as connection:
            connection.execute("update term_vector set entries = x'' where photo_id = 1")
            connection.commit()
        assert problems(settings) == ["terms"]


class TestQueue:
    def test_failures_are_counted_by_reason(self, settings: Settings, open_library: OpenLibrary, album: Path) -> None:
        (album / "bad.jpg").write_text("no photo")
        (album / "empty.jpg").touch()
        (album / "worse.jpg").write_text("no photo either")
        with open_library() as library:
            library.index(album)
        finding = findings(settings)["queue"]
        assert finding.message == "0 waiting, 0 at work; 3 failed: not-a-photo 2, empty 1"
        assert (finding.level, finding.advice) == ("warning", "photoindex failures list says why")

    def test_jobs_of_processes_that_died_are_told_from_others(
        self, settings: Settings, database: Database, album: Path
    ) -> None:
        add_files(database, album, "a.jpg", "b.jpg", "c.jpg")
        with subprocess.Popen([sys.executable, "-c", ""]) as process:
            process.wait()
        owners = [
            f"{socket.gethostname()}:{process.pid}:x",
            f"{socket.gethostname()}:{os.getppid()}:x",
            "elsewhere:1:x",
        ]
        until = datetime.now(timezone.utc) + timedelta(minutes=5)
        with database.write() as connection:
            for number, owner in zip(connection.execute(job.select()).scalars().all(), owners, strict=True):
                values = {"state": "running", "lease_owner": owner, "lease_until": until}
                connection.execute(update(job).where(job.c.id == number).values(values))
        assert findings(settings)["queue"].message == "0 waiting, 3 at work (1 claimed by processes that have died)"


class TestFolders:
    def test_a_folder_that_is_gone_is_a_problem(self, settings: Settings, album: Path) -> None:
        shutil.rmtree(album)
        finding = findings(settings)[f"folder {album}"]
        assert (finding.level, finding.message) == ("problem", "is not there; its 2 photos are kept")

    def test_an_empty_folder_on_another_disk_is_a_mount_point(
        self, settings: Settings, database: Database, album: Path
    ) -> None:
        with database.write() as connection:
            connection.execute(update(root).values(device=4711))
        assert findings(settings)[f"folder {album}"].level == "ok"  # a disk may get another number
        for photo in album.iterdir():
            photo.unlink()
        assert findings(settings)[f"folder {album}"].advice == "mount its disk"

    def test_a_folder_that_cannot_be_listed_is_a_problem(
        self, settings: Settings, album: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = os.scandir

        def scandir(path: Any) -> Any:  # the tests may run as root, whom nothing is forbidden
            if path == album:
                raise PermissionError(13, "Permission denied", str(path))
            return real(path)

        monkeypatch.setattr(os, "scandir", scandir)
        finding = findings(settings)[f"folder {album}"]
        assert (finding.level, finding.message) == (
            "problem", "cannot be read: Permission denied; its 2 photos are kept",
        )  # fmt: skip

    def test_events_of_a_network_folder_are_not_relied_on(
        self, settings: Settings, database: Database, album: Path
    ) -> None:
        with database.write() as connection:
            connection.execute(update(root).values(mode="events"))
        on = machine(file_system=lambda path: "cifs" if path == album else LOCAL)
        finding = findings(settings, on)[f"folder {album}"]
        assert (finding.level, finding.message) == ("warning", "2 files, last watched by events, on cifs")

    def test_why_a_folder_is_polled_is_told(self, settings: Settings, database: Database, album: Path) -> None:
        with database.write() as connection:
            [found] = list_roots(connection)
            note_mode(connection, found.id, "polling", "this system reports no file events")
        message = findings(settings)[f"folder {album}"].message
        assert message == "2 files, last watched by polling as this system reports no file events, on ext4"

    def test_too_few_watches_come_with_what_to_write_into_sysctl(self, settings: Settings, album: Path) -> None:
        for name in ("a", "b/c"):
            (album / name).mkdir(parents=True)
        assert findings(settings, machine(Limits(4)))["watches"].level == "ok"
        finding = findings(settings, machine(Limits(3)))["watches"]
        assert finding.level == "warning"
        assert finding.message == "watching takes 4 of the 3 inotify watches that this user may hold"
        assert "'fs.inotify.max_user_watches = 524288' to /etc/sysctl.d/" in str(finding.advice)

    def test_a_large_library_is_told_a_limit_that_is_enough(self) -> None:
        finding = doctor.check_watches(700_000, Limits(600_000))
        assert "max_user_watches = 2097152" in str(finding.advice)

    def test_a_folder_inside_another_takes_no_watches_of_its_own(
        self, settings: Settings, database: Database, album: Path
    ) -> None:
        (album / "inside").mkdir()
        with database.write() as connection:
            connection.execute(root.insert().values(path=str(album / "inside"), added_at=datetime.now(timezone.utc)))
            assert len(list_roots(connection)) == 2
        assert findings(settings)["watches"].message.startswith("watching takes 2 of")

    def test_a_system_without_limits_has_no_trouble_with_them(self, settings: Settings) -> None:
        assert findings(settings, machine(Limits()))["watches"].level == "ok"
