"""Worker processes that do as they should, that die, that hang, and that are left alone."""

from __future__ import annotations

import errno
import io
import os
import select
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from photoindex.errors import (
    DamagedPhoto,
    DecoderCrashed,
    DecoderUnavailable,
    EmptyPhoto,
    NotAPhoto,
    OversizedPhoto,
    PhotoError,
    UnreadablePhoto,
)
from photoindex.media.decode import Decoder, decode_photo, worker_main
from photoindex.media.decode.photo import decode_with_thumbnails
from photoindex.media.decode.worker_main import read_answer
from photoindex.types import DecodedPhoto

SIZE = 24
PIXELS = 1_000_000
pytestmark = pytest.mark.usefixtures("cold")
PLENTY = 300.0  # seconds; only tests of a decoder that hangs wait for less
LIMIT = 3.0


def misbehave(path: Path, size: int, max_pixels: int) -> DecodedPhoto:
    """Decode, unless the file's name asks for trouble."""
    if path.stem.startswith("exit"):
        os._exit(3)
    if path.stem.startswith("segfault"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if path.stem.startswith("killed"):
        os.kill(os.getpid(), signal.SIGKILL)
    if path.stem.startswith("hang"):
        threading.Event().wait()
    if path.stem.startswith("bug"):
        raise KeyError("a mistake\nof ours")
    if path.stem.startswith("noise"):
        os.write(1, b'{"ready": "not at all"}\n')
        print("libjpeg: warning", flush=True)
    if path.stem.startswith("signals"):
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)
    if path.stem.startswith("pause"):
        os.kill(os.getppid(), signal.SIGSTOP)
        threading.Event().wait(LIMIT + 0.5)
        os.kill(os.getppid(), signal.SIGCONT)
    if path.stem.startswith("mark"):
        path.with_suffix(".marked").touch()
    return decode_photo(path, size, max_pixels)


def report_process(path: Path, size: int, max_pixels: int) -> DecodedPhoto:
    """Not a photo but what the worker knows: its process, its niceness and the heavy modules it has imported."""
    heavy = [name for name in ("torch", "sqlalchemy", "click", "photoindex.library") if name in sys.modules]
    photo = decode_photo(path, size, max_pixels)
    nice = os.nice(0) if hasattr(os, "nice") else None
    return replace(photo, facts=replace(photo.facts, camera=str(os.getpid()), lens=f"{nice} {heavy}"))


def wrong_shape(path: Path, size: int, max_pixels: int) -> DecodedPhoto:
    return decode_photo(path, size + 1, max_pixels)


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Ten good photos, each of a colour of its own."""
    paths = [tmp_path / f"photo{number}.png" for number in range(10)]
    for number, path in enumerate(paths):
        Image.new("RGB", (40, 30), (number * 20, 0, 0)).save(path)
    return paths


def troubled(folder: Path, *names: str) -> list[Path]:
    paths = [folder / f"{name}.png" for name in names]
    for path in paths:
        Image.new("RGB", (40, 30)).save(path)
    return paths


def gone(process: int) -> bool:
    """Wait for the end of a process that is not our child; False if it does not come within a minute."""
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 60.0)[0])
    finally:
        os.close(handle)


def kinds(answers: Iterable[tuple[Path, DecodedPhoto | PhotoError]]) -> dict[str, type]:
    return {path.stem: type(answer) for path, answer in answers}


class TestGoodPhotos:
    @pytest.mark.parametrize("workers", [1, 3])
    def test_every_photo_comes_back_once_with_its_own_pixels(self, photos: list[Path], workers: int) -> None:
        with Decoder(SIZE, workers, PLENTY, PIXELS) as decoder:
            answers = list(decoder.decode(photos))

        assert Counter(path for path, _ in answers) == Counter(photos)
        for path, photo in answers:
            assert isinstance(photo, DecodedPhoto)
            assert np.array_equal(photo.pixels, decode_photo(path, SIZE, PIXELS).pixels)
            assert photo.pixels.flags.writeable

    def test_facts_survive_the_way_back(self, tmp_path: Path) -> None:
        exif = Image.Exif()
        exif.update({0x0110: "Kamera Ω".encode(), 0x0132: "2008:05:25 19:31:26", 0x0112: 6})
        exif.get_ifd(0x8825).update({1: "N", 2: (41.0, 51.18, 0.0), 3: "E", 4: (12.0, 29.33, 0.0)})
        path = tmp_path / "photo.jpg"
        Image.new("RGB", (40, 30)).save(path, exif=exif)

        with Decoder(SIZE, 1, PLENTY, PIXELS) as decoder:
            ((_, photo),) = decoder.decode([path])

        assert isinstance(photo, DecodedPhoto)
        assert photo.facts == decode_photo(path, SIZE, PIXELS).facts
        assert photo.facts.taken_at == datetime(2008, 5, 25, 19, 31, 26)
        assert photo.facts.camera == "Kamera Ω"

    def test_a_path_given_twice_comes_back_twice(self, photos: list[Path]) -> None:
        with Decoder(SIZE, 2, PLENTY, PIXELS) as decoder:
            answers = list(decoder.decode([photos[0], photos[1], photos[0]]))

        assert Counter(path for path, _ in answers) == {photos[0]: 2, photos[1]: 1}

    def test_no_paths_start_no_worker(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "executable", os.devnull)

        with Decoder(SIZE, 2, PLENTY, PIXELS) as decoder:
            assert list(decoder.decode([])) == []

    @pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are Unicode there")
    def test_a_name_that_is_no_text_and_one_with_a_line_break_are_read(self, photos: list[Path]) -> None:
        strange = photos[0].parent / os.fsdecode(b"caf\xe9\nphoto.png")
        photos[0].rename(strange)

        with Decoder(SIZE, 1, PLENTY, PIXELS) as decoder:
            ((path, photo),) = decoder.decode([strange])

        assert path == strange
        assert isinstance(photo, DecodedPhoto)

    def test_photos_keep_their_bytes_and_times(self, photos: list[Path]) -> None:
        before = [(path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino) for path in photos]

        with Decoder(SIZE, 2, PLENTY, PIXELS) as decoder:
            list(decoder.decode(photos))

        assert [(path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino) for path in photos] == before


class TestBadPhotos:
    def test_every_error_keeps_its_class_and_message(self, photos: list[Path], tmp_path: Path) -> None:
        (tmp_path / "empty.jpg").touch()
        (tmp_path / "notes.jpg").write_text("Dear diary,\n" * 9)
        Image.new("L", (1001, 1000)).save(tmp_path / "large.png")
        content = photos[0].read_bytes()
        (tmp_path / "half.png").write_bytes(content[: len(content) // 2])
        bad = [tmp_path / name for name in ("empty.jpg", "notes.jpg", "large.png", "half.png", "gone.jpg")]

        with Decoder(SIZE, 2, PLENTY, PIXELS) as decoder:
            answers = dict(decoder.decode(bad))

        expected = [EmptyPhoto, NotAPhoto, OversizedPhoto, DamagedPhoto, UnreadablePhoto]
        assert [type(answers[path]) for path in bad] == expected
        for path in bad:
            with pytest.raises(PhotoError) as caught:
                decode_photo(path, SIZE, PIXELS)
            assert str(answers[path]) == str(caught.value)

    def test_a_mistake_in_the_decoder_is_that_file_s_failure_in_one_line(self, tmp_path: Path) -> None:
        paths = troubled(tmp_path, "bug", "good")

        with Decoder(SIZE, 1, PLENTY, PIXELS, misbehave) as decoder:
            answers = dict(decoder.decode(paths))

        assert isinstance(answers[paths[0]], DecoderCrashed)
        assert "bug.png" in str(answers[paths[0]])
        assert "KeyError" in str(answers[paths[0]])
        assert "\n" not in str(answers[paths[0]])
        assert isinstance(answers[paths[1]], DecodedPhoto)

    def test_an_answer_that_breaks_off_anywhere_is_none(self, photos: list[Path]) -> None:
        written = io.BytesIO()
        worker_main._serve(written, decode_with_thumbnails, photos[1], SIZE, PIXELS)
        answer = written.getvalue()
        pixels = answer.index(b"\n") + 1
        thumbnails = pixels + SIZE * SIZE * 3

        whole = read_answer(io.BufferedReader(io.BytesIO(answer)), SIZE)
        assert isinstance(whole, DecodedPhoto)
        assert whole.thumbnails
        for length in (0, pixels - 1, pixels, pixels + 1, thumbnails - 1, thumbnails, len(answer) - 1):
            with pytest.raises(EOFError):
                read_answer(io.BufferedReader(io.BytesIO(answer[:length])), SIZE)

    def test_pixels_of_another_size_are_not_taken(self, photos: list[Path]) -> None:
        with Decoder(SIZE, 1, PLENTY, PIXELS, wrong_shape) as decoder:
            assert set(kinds(decoder.decode(photos[:2])).values()) == {DecoderCrashed}


class TestCrashes:
    @pytest.mark.parametrize("workers", [1, 2])
    def test_a_photo_that_kills_its_decoder_is_reported_and_the_rest_goes_on(
        self, photos: list[Path], workers: int, tmp_path: Path
    ) -> None:
        bad = troubled(tmp_path, "exit", "segfault", "killed")
        paths = [bad[0], *photos[:3], bad[1], *photos[3:6], bad[2], *photos[6:]]

        with Decoder(SIZE, workers, PLENTY, PIXELS, misbehave) as decoder:
            answers = list(decoder.decode(paths))

        assert Counter(path for path, _ in answers) == Counter(paths)
        results = dict(answers)
        assert all(isinstance(results[path], DecodedPhoto) for path in photos)
        assert all(isinstance(results[path], DecoderCrashed) for path in bad)
        assert all(path.name in str(results[path]) for path in bad)

    def test_the_message_says_how_the_decoder_ended(self, tmp_path: Path) -> None:
        paths = troubled(tmp_path, "exit", "segfault", "killed")

        with Decoder(SIZE, 1, PLENTY, PIXELS, misbehave) as decoder:
            answers = {path.stem: str(answer) for path, answer in decoder.decode(paths)}

        assert "exit status 3" in answers["exit"]
        if os.name == "posix":
            assert "SIGSEGV" in answers["segfault"]
            assert "memory" in answers["killed"]

    def test_a_photo_that_takes_too_long_is_given_up_and_the_rest_goes_on(
        self, photos: list[Path], tmp_path: Path
    ) -> None:
        (hang,) = troubled(tmp_path, "hang")
        paths = [*photos[:2], hang, *photos[2:4]]

        with Decoder(SIZE, 1, 3.0, PIXELS, misbehave) as decoder:
            answers = list(decoder.decode(paths))

        assert Counter(path for path, _ in answers) == Counter(paths)
        assert isinstance(dict(answers)[hang], DecoderCrashed)
        assert "within 3 s" in str(dict(answers)[hang])
        assert sum(isinstance(answer, DecodedPhoto) for _, answer in answers) == 4

    @pytest.mark.skipif(os.name != "posix", reason="signals")
    def test_a_program_that_is_stopped_meanwhile_gives_up_no_photo(self, tmp_path: Path) -> None:
        (pause,) = troubled(tmp_path, "pause")
        script = (
            "import sys; from pathlib import Path; from tests.media.decode.test_workers import *\n"
            "with Decoder(SIZE, 1, LIMIT, PIXELS, misbehave) as decoder:\n"
            "    print(kinds(decoder.decode([Path(sys.argv[1])])))"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, pause],
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.strip() == str({"pause": DecodedPhoto}), done.stderr[-2000:]

    def test_what_a_library_prints_is_not_taken_for_an_answer(self, tmp_path: Path) -> None:
        paths = troubled(tmp_path, "noise1", "noise2")

        with Decoder(SIZE, 1, PLENTY, PIXELS, misbehave) as decoder:
            assert set(kinds(decoder.decode(paths)).values()) == {DecodedPhoto}

    @pytest.mark.skipif(os.name != "posix", reason="signals")
    def test_signals_meant_for_the_program_do_not_end_a_worker(self, tmp_path: Path) -> None:
        paths = troubled(tmp_path, "signals")

        with Decoder(SIZE, 1, PLENTY, PIXELS, misbehave) as decoder:
            assert kinds(decoder.decode(paths)) == {"signals": DecodedPhoto}

    @pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits by pidfd")
    def test_a_worker_killed_while_idle_is_replaced_and_no_photo_blamed(self, photos: list[Path]) -> None:
        with Decoder(SIZE, 1, PLENTY, PIXELS, report_process) as decoder:
            ((_, first),) = decoder.decode(photos[:1])
            assert isinstance(first, DecodedPhoto)
            worker = int(first.facts.camera or 0)
            os.kill(worker, signal.SIGKILL)
            assert gone(worker)

            assert set(kinds(decoder.decode(photos)).values()) == {DecodedPhoto}

    def test_where_no_worker_can_start_the_caller_is_told_and_no_photo_blamed(
        self, photos: list[Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with Decoder(SIZE, 2, PLENTY, PIXELS) as decoder:
            monkeypatch.setattr(sys, "path", [])
            with pytest.raises(DecoderUnavailable, match="cannot start") as caught:
                list(decoder.decode(photos))
            monkeypatch.undo()

            assert "\n" not in str(caught.value)
            assert len(list(decoder.decode(photos))) == len(photos)

    @pytest.mark.parametrize("what", ["process", "thread"])
    def test_a_system_that_has_none_to_spare_is_told_and_no_photo_blamed(
        self, photos: list[Path], monkeypatch: pytest.MonkeyPatch, what: str
    ) -> None:
        def refuse(*_: object, **__: object) -> None:
            if what == "process":
                raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
            raise RuntimeError("can't start new thread")

        with Decoder(SIZE, 2, PLENTY, PIXELS) as decoder:
            place = (
                "photoindex.system.child_process.subprocess.Popen" if what == "process" else "threading.Thread.start"
            )
            monkeypatch.setattr(place, refuse)
            with pytest.raises(DecoderUnavailable, match="cannot start") as caught:
                list(decoder.decode(photos))
            monkeypatch.undo()

            assert "\n" not in str(caught.value)
            assert len(list(decoder.decode(photos))) == len(photos)


class TestWorkers:
    def test_workers_are_kept_between_calls_and_never_more_than_asked_for(self, photos: list[Path]) -> None:
        with Decoder(SIZE, 2, PLENTY, PIXELS, report_process) as decoder:
            answers = [photo for _ in range(3) for _, photo in decoder.decode(photos)]

        processes = {photo.facts.camera for photo in answers if isinstance(photo, DecodedPhoto)}
        assert len(answers) == 30
        assert 1 <= len(processes) <= 2
        assert str(os.getpid()) not in processes

    def test_a_worker_is_light_and_polite(self, photos: list[Path]) -> None:
        with Decoder(SIZE, 1, PLENTY, PIXELS, report_process) as decoder:
            ((_, photo),) = decoder.decode(photos[:1])

        assert isinstance(photo, DecodedPhoto)
        if hasattr(os, "nice"):
            assert photo.facts.lens == f"{min(os.nice(0) + 5, 19)} []"

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere a worker's memory is not limited")
    @pytest.mark.skipif(not features.check("webp"), reason="this Pillow has no WebP")
    def test_a_small_file_that_unfolds_to_gigabytes_is_refused(self, photos: list[Path], tmp_path: Path) -> None:
        bomb = tmp_path / "bomb.webp"
        pictures = [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue")]
        pictures[0].save(bomb, save_all=True, append_images=pictures[1:])
        content = bytearray(bomb.read_bytes())
        assert content[12:16] == b"VP8X"
        content[24:30] = (16_999).to_bytes(3, "little") * 2  # the canvas, each side less one
        bomb.write_bytes(content)
        with Decoder(SIZE, 1, PLENTY, 300_000_000) as decoder:
            (_, refusal), (_, photo) = decoder.decode([bomb, photos[0]])

        assert isinstance(refusal, PhotoError)
        assert isinstance(photo, DecodedPhoto)

    @pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits by pidfd")
    def test_closing_ends_the_workers(self, photos: list[Path]) -> None:
        with Decoder(SIZE, 2, PLENTY, PIXELS, report_process) as decoder:
            answers = list(decoder.decode(photos))

        processes = {int(photo.facts.camera or 0) for _, photo in answers if isinstance(photo, DecodedPhoto)}
        assert processes
        assert all(gone(process) for process in processes)

    @pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits by pidfd")
    def test_a_worker_ends_with_its_parent_even_in_the_middle_of_a_photo(
        self, photos: list[Path], tmp_path: Path
    ) -> None:
        # The photo is a pipe that never ends, read by a decoder that knows no better.
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "endless.py").write_text(
            "import os\n"
            "def decode(path, size, max_pixels):\n"
            "    os.write(os.open(path, os.O_WRONLY), b'%d\\n' % os.getpid())\n"
            "    import threading; threading.Event().wait()\n"
        )
        program = (
            "from pathlib import Path; from photoindex.media.decode import Decoder; import endless, sys\n"
            "list(Decoder(8, 1, 300.0, 1000, endless.decode).decode([Path(sys.argv[1])]))"
        )
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])}
        parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "pipe")], env=environment)
        try:
            with (tmp_path / "pipe").open() as pipe:
                worker = int(pipe.readline())
        finally:
            parent.kill()
            parent.wait()

        assert gone(worker)

    @pytest.mark.skipif(
        sys.version_info < (3, 11), reason="no -P: standard input imports from the current folder itself"
    )
    def test_a_decoder_works_in_a_program_read_from_standard_input(self, photos: list[Path], tmp_path: Path) -> None:
        program = (
            "import sys; from pathlib import Path; from photoindex.media.decode import Decoder\n"
            "with Decoder(8, 1, 300.0, 100000) as decoder:\n"
            "    print(*[type(photo).__name__ for _, photo in decoder.decode([Path(p) for p in sys.argv[1:]])])\n"
        )
        # A folder of photos may hold anything, also files named like the modules a worker needs.
        for name in ("json.py", "numpy.py", "PIL.py", "photoindex.py"):
            (tmp_path / name).write_text("raise SystemExit('imported from the current folder')")
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        (tmp_path / "program").write_text(program)

        with (tmp_path / "program").open() as file:
            answer = subprocess.run(
                [sys.executable, "-P", "-", *map(str, photos[:2])],
                stdin=file, env=environment, cwd=tmp_path, capture_output=True, text=True,
            )  # fmt: skip

        assert (answer.stdout, answer.stderr) == ("DecodedPhoto DecodedPhoto\n", "")

    def test_a_decode_function_that_workers_cannot_import_is_refused(self) -> None:
        with pytest.raises(ValueError, match="importable"):
            Decoder(SIZE, 1, PLENTY, PIXELS, lambda path, size, max_pixels: decode_photo(path, size, max_pixels))


class TestStoppingEarly:
    def test_photos_are_decoded_ahead_of_the_caller_but_not_without_bound(self, tmp_path: Path) -> None:
        paths = troubled(tmp_path, *(f"mark{number}" for number in range(60)))

        with Decoder(SIZE, 1, PLENTY, PIXELS, misbehave) as decoder:
            answers = decoder.decode(paths)
            next(answers)
            answers.close()  # type: ignore[attr-defined]

        assert 1 <= len(list(tmp_path.glob("*.marked"))) <= 40

    def test_a_caller_who_stops_early_can_decode_again(self, photos: list[Path], tmp_path: Path) -> None:
        paths = [*photos, *troubled(tmp_path, "hang")]

        with Decoder(SIZE, 2, PLENTY, PIXELS, misbehave) as decoder:
            for _path, _answer in decoder.decode(paths):
                break
            answers = list(decoder.decode(photos))

        assert Counter(path for path, _ in answers) == Counter(photos)
        assert all(isinstance(answer, DecodedPhoto) for _, answer in answers)

    def test_closing_does_not_wait_for_a_photo_that_hangs(self, photos: list[Path], tmp_path: Path) -> None:
        with Decoder(SIZE, 1, PLENTY, PIXELS, misbehave) as decoder:
            answers = decoder.decode([photos[0], *troubled(tmp_path, "hang"), photos[1]])
            next(answers)

        with pytest.raises(RuntimeError, match="closed"):
            next(answers)

    def test_an_error_of_the_caller_leaves_no_thread_behind(self, photos: list[Path]) -> None:
        threads = threading.active_count()

        with Decoder(SIZE, 2, PLENTY, PIXELS) as decoder, pytest.raises(ZeroDivisionError):
            for _path, _answer in (answers := decoder.decode(photos)):
                _ = 1 / 0
        answers.close()  # type: ignore[attr-defined]

        assert threading.active_count() == threads

    def test_two_decodings_at_a_time_are_refused(self, photos: list[Path]) -> None:
        with Decoder(SIZE, 1, PLENTY, PIXELS) as decoder:
            first = decoder.decode(photos)
            next(first)
            with pytest.raises(RuntimeError, match="already"):
                next(decoder.decode(photos))

            assert len(list(first)) == len(photos) - 1
