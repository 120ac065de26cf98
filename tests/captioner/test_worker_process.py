"""The captioner in a process of its own: the same captions, the same errors, and an end that is noticed."""

import errno
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data

from photoindex.captioner import Captioner, load_captioner, start_captioner
from photoindex.captioner.worker_process import CaptionerProcess
from photoindex.config import Settings
from photoindex.errors import CaptionerCrashed, CaptionerHung, CheckpointError
from photoindex.media.decode import decode_photo
from photoindex.system import child_process
from tests.support import COLOURS, REPOSITORY, FakeCaptioner


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path, device="cpu", beam_width=2, threads=1)


FAKE = """
import sys
sys.path[:] = sys.argv[1:]
import photoindex.captioner.registry
from photoindex.captioner.worker_process import serve
from tests.support import FakeCaptioner
photoindex.captioner.registry.load_captioner = lambda settings: FakeCaptioner()
serve()
"""


@pytest.fixture
def process(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[CaptionerProcess]:
    """A process without the model, which takes seconds to load."""
    monkeypatch.setattr("photoindex.captioner.worker_process._START", FAKE)
    monkeypatch.syspath_prepend(REPOSITORY)
    started = start_captioner(settings)
    assert isinstance(started, CaptionerProcess)
    yield started
    started.close()


def test_it_says_what_the_captioner_says_that_lives_here(settings: Settings) -> None:
    here, process = load_captioner(settings), start_captioner(settings)
    assert isinstance(process, CaptionerProcess)
    with closing(process):
        says_the_same(process, here)


def says_the_same(process: CaptionerProcess, here: Captioner) -> None:
    assert process.info == here.info
    folder = Path(skimage.data.__file__).parent
    photos = [decode_photo(folder / name, here.info.input_size, 10**9).pixels for name in ("chelsea.png", "coffee.png")]
    for ours, theirs in zip(here.caption(photos), process.caption(photos), strict=True):
        assert [c.text for c in theirs.candidates] == [c.text for c in ours.candidates]
        assert theirs.labels[0].name == ours.labels[0].name
        assert [kind.name for kind in theirs.kinds] == [kind.name for kind in ours.kinds] != []
        assert theirs.candidates[0].log_probability == pytest.approx(ours.candidates[0].log_probability, abs=1e-3)
    assert process.caption([]) == []


def test_learned_terms_and_their_vocabulary_come_through(process: CaptionerProcess) -> None:
    photos = [np.full((16, 16, 3), COLOURS[colour], np.uint8) for colour in ("red", "blue")]
    here = FakeCaptioner()
    assert process.info.terms == here.terms
    assert process.caption(photos) == here.caption(photos)


def test_a_model_that_cannot_be_used_raises_here(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        start_captioner(Settings(tmp_path, model=str(tmp_path / "model")))


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_its_death_is_noticed_and_explained(process: CaptionerProcess) -> None:
    os.kill(process._child._process.pid, signal.SIGKILL)
    with pytest.raises(CaptionerCrashed, match="SIGKILL, perhaps for want of memory"):
        process.caption([])


def test_a_system_that_starts_no_process_is_a_crash_that_may_pass(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr("photoindex.system.child_process.subprocess.Popen", refuse)
    with pytest.raises(CaptionerCrashed, match="cannot be started: Cannot allocate memory"):
        CaptionerProcess(settings)


def test_closing_twice_does_no_harm(process: CaptionerProcess) -> None:
    process.close()
    process.close()
    assert process._child._process.poll() is not None


HANGING = FAKE.replace(
    "lambda settings: FakeCaptioner()", "lambda settings: FakeCaptioner(before=__import__('threading').Event().wait)"
)


@pytest.mark.parametrize("photos", [1, 3])
@pytest.mark.parametrize("can_be_killed", [True, False])
def test_one_that_never_answers_is_given_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, photos: int, can_be_killed: bool
) -> None:
    monkeypatch.setattr("photoindex.captioner.worker_process._START", HANGING)
    monkeypatch.setattr(child_process, "LEAVE_SECONDS", 0.1)
    monkeypatch.syspath_prepend(REPOSITORY)
    process = CaptionerProcess(replace(settings, caption_seconds=0.2))
    running = process._child._process
    try:
        if not can_be_killed:  # as one that a GPU's driver holds
            monkeypatch.setattr(running, "kill", lambda: None)
        with pytest.raises(CaptionerHung, match="no answer for"):
            process.caption([np.zeros((16, 16, 3), np.uint8)] * photos)
        process.close()
        if can_be_killed:
            assert running.poll() is not None
    finally:
        monkeypatch.undo()
        process.close()


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_one_that_does_not_take_what_it_is_sent_is_given_up(process: CaptionerProcess) -> None:
    """More than a pipe holds, to a process that is stopped."""
    os.kill(process._child._process.pid, signal.SIGSTOP)
    process._seconds = 0.05
    with pytest.raises(CaptionerHung):
        process.caption([np.zeros((16, 16, 3), np.uint8)] * 300)


def test_a_model_that_takes_for_ever_to_load_is_given_up(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("photoindex.captioner.worker_process._START", "import threading; threading.Event().wait()")
    monkeypatch.setattr("photoindex.captioner.worker_process.LOADING_SECONDS", 0.2)
    with pytest.raises(CaptionerHung):
        CaptionerProcess(settings)
