"""What is written into sidecars, what stays, and which file it is."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from photoindex.errors import ExchangeError
from photoindex.exchange import sidecars
from photoindex.exchange.sidecars import Wanted, Written, shared_stems, sidecar_of, write_sidecar
from photoindex.exchange.xmp_document import Sidecar
from tests.exchange import samples

NOW = datetime(2024, 5, 1, 12, tzinfo=timezone.utc)
MINKA = Wanted("Minka", "user", None, NOW, ("Cat", "sofa"), frozenset({"Minka"}), frozenset({"cat", "sofa"}))
MACHINE = Wanted("a dog on grass", "model", "lite2-0123", NOW, ())
NOTHING = Wanted(None, None, None, None, ())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.jpg.xmp"


def write(path: Path, wanted: Wanted, **options: bool) -> Written:
    written = write_sidecar(path, wanted, NOW, **options)
    assert written is not None
    return written


def read(path: Path) -> Sidecar:
    return Sidecar.parse(path.read_bytes(), path)


class TestWhatIsWritten:
    def test_a_new_sidecar_says_it_all(self, path: Path) -> None:
        assert write(path, MINKA) == Written(path, True, "Minka", ("Cat", "sofa"), (), None)
        assert (read(path).caption, read(path).tags) == ("Minka", ["Cat", "sofa"])
        assert not read(path).caption_is_machine_made

    def test_writing_it_again_does_not_touch_the_file(self, path: Path) -> None:
        write(path, MINKA)
        before = (path.read_bytes(), path.stat().st_ino)
        assert not write(path, MINKA).changes
        assert (path.read_bytes(), path.stat().st_ino) == before

    def test_a_dry_run_says_the_same_and_writes_nothing(self, path: Path) -> None:
        assert write(path, MINKA, dry_run=True).changes
        assert not path.exists()
        path.write_bytes(samples.DARKTABLE)
        assert write(path, MINKA, dry_run=True).caption == "Minka"
        assert path.read_bytes() == samples.DARKTABLE

    def test_nothing_to_say_makes_no_file(self, path: Path) -> None:
        assert write_sidecar(path, NOTHING, NOW) is None
        assert not path.exists()

    def test_a_persons_description_stays_and_is_told(self, path: Path) -> None:
        path.write_bytes(samples.LIGHTROOM)
        written = write(path, replace(MINKA, tags=("BEACH", "sofa")))
        assert (written.caption, written.kept) == (None, "Our holiday")
        assert (read(path).caption, read(path).tags) == ("Our holiday", ["beach", "Portugal", "sofa"])
        assert read(path).mark.tags == ("sofa",)

    def test_a_machines_caption_gives_way_to_a_person_and_never_the_other_way(self, path: Path) -> None:
        write(path, MACHINE)
        assert read(path).caption_is_machine_made
        assert read(path).mark.model == "lite2-0123"
        write(path, replace(MACHINE, caption="a cat on a sofa", model="lite3-4567"))
        assert read(path).caption == "a cat on a sofa"
        write(path, MINKA)
        assert (read(path).caption, read(path).mark.source, read(path).mark.model) == ("Minka", "user", None)
        path.write_bytes(samples.LIGHTROOM)
        assert not write(path, MACHINE).changes
        assert path.read_bytes() == samples.LIGHTROOM

    def test_the_persons_later_caption_replaces_the_earlier(self, path: Path) -> None:
        write(path, MINKA)
        later = replace(MINKA, caption="Minka and Mio", known=frozenset({"Minka", "Minka and Mio"}))
        assert write(path, later).caption == "Minka and Mio"
        assert read(path).caption == "Minka and Mio"

    def test_what_was_cleared_goes(self, path: Path) -> None:
        write(path, MINKA)
        written = write(path, replace(NOTHING, known=MINKA.known, known_tags=MINKA.known_tags))
        assert (written.caption, set(written.removed)) == ("", {"Cat", "sofa"})
        assert (read(path).caption, read(path).tags) == (None, [])

    def test_a_new_library_that_knows_of_nothing_takes_nothing_away(self, path: Path) -> None:
        write(path, MINKA)
        other = Wanted("someone", "user", None, NOW, ("x",), frozenset({"someone"}), frozenset({"x"}))
        assert write(path, other).kept == "Minka"
        assert read(path).tags == ["Cat", "sofa", "x"]
        write_sidecar(path, NOTHING, NOW)
        assert read(path).caption == "Minka"

    def test_a_description_changed_by_another_program_is_the_persons(self, path: Path) -> None:
        write(path, MINKA)
        path.write_bytes(path.read_bytes().replace(b">Minka<", b">Minka, asleep<"))
        later = replace(MINKA, caption="Mio", known=frozenset({"Minka", "Mio"}))
        assert write(path, later).kept == "Minka, asleep"
        assert read(path).caption == "Minka, asleep"

    def test_a_tag_that_others_wrote_stays_when_the_person_untags_it(self, path: Path) -> None:
        path.write_bytes(samples.LIGHTROOM)
        write(path, replace(MINKA, caption=None, tags=("Beach", "sofa")))
        written = write(path, replace(MINKA, caption=None, tags=(), known_tags=frozenset({"beach", "sofa"})))
        assert written.removed == ("sofa",)
        assert read(path).tags == ["beach", "Portugal"]


class TestTheFile:
    def test_its_permissions_stay_and_a_link_stays_a_link(self, path: Path, tmp_path: Path) -> None:
        real = tmp_path / "elsewhere.xmp"
        real.write_bytes(samples.DARKTABLE)
        real.chmod(0o640)
        path.symlink_to(real)
        write(path, MINKA)
        assert path.is_symlink()
        assert stat.S_IMODE(real.stat().st_mode) == 0o640
        assert read(real).caption == "Minka"

    def test_a_link_to_a_photo_is_not_written_to(self, path: Path, tmp_path: Path) -> None:
        photo = tmp_path / "a.jpg"
        photo.write_bytes(b"")
        path.symlink_to(photo)
        with pytest.raises(ExchangeError, match="no sidecar"):
            write_sidecar(path, MINKA, NOW)
        assert photo.read_bytes() == b""

    def test_what_is_no_sidecar_is_left_as_it_is(self, path: Path) -> None:
        path.write_bytes(b"\xff\xd8 a photo")
        with pytest.raises(ExchangeError):
            write_sidecar(path, MINKA, NOW)
        assert path.read_bytes() == b"\xff\xd8 a photo"

    def test_one_that_changes_meanwhile_is_read_again(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path.write_bytes(samples.DARKTABLE)
        whole = sidecars.read_sidecar
        calls = []

        def interrupted(at: Path) -> Sidecar:
            found = whole(at)
            if not calls:
                path.write_bytes(samples.LIGHTROOM)
            calls.append(at)
            return found

        monkeypatch.setattr(sidecars, "read_sidecar", interrupted)
        assert write(path, MINKA).kept == "Our holiday"
        assert len(calls) == 2
        assert read(path).tags == ["beach", "Portugal", "Cat", "sofa"]

    def test_a_disk_that_refuses_leaves_the_old_one_and_no_rubbish(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path.write_bytes(samples.DARKTABLE)

        def refuse(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", refuse)
        with pytest.raises(ExchangeError, match="No space left") as caught:
            write_sidecar(path, MINKA, NOW)
        assert str(path) in str(caught.value)
        assert path.read_bytes() == samples.DARKTABLE
        assert list(path.parent.iterdir()) == [path]


class TestWhichFile:
    @pytest.fixture
    def photo(self, tmp_path: Path) -> Path:
        return tmp_path / "a.jpg"

    @pytest.fixture
    def there(self, tmp_path: Path) -> Callable[..., None]:
        return lambda *names: [(tmp_path / name).write_bytes(b"") for name in names]  # type: ignore[return-value]

    def test_the_one_that_is_there(self, photo: Path, there: Callable[..., None]) -> None:
        assert sidecar_of(photo, None, False).name == "a.jpg.xmp"
        there("a.xmp")
        assert sidecar_of(photo, None, False).name == "a.xmp"
        there("a.jpg.XMP")
        assert sidecar_of(photo, None, False).name == "a.jpg.XMP"
        assert sidecar_of(photo, "a.xmp", False).name == "a.xmp"

    def test_one_that_two_photos_share_is_nobodys(self, photo: Path, there: Callable[..., None]) -> None:
        there("a.xmp")
        assert sidecar_of(photo, None, True).name == "a.jpg.xmp"
        with pytest.raises(ExchangeError, match="more than one photo"):
            sidecar_of(photo, "a.xmp", True)

    def test_two_files_of_one_photo_share_nothing(self, photo: Path) -> None:
        raw, other = photo.with_suffix(".cr2"), photo.with_name("b.jpg")
        assert shared_stems({photo: 1, raw: 1, other: 2}) == set()
        assert shared_stems({photo: 1, raw: 3, other: 2}) == {photo.with_suffix("")}
