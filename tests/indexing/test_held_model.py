"""A captioner that hangs or dies: which photo is to blame, what is captioned all the same, and on which device."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from photoindex.catalogue.jobs import LONE_TRIES, Job
from photoindex.config import Settings
from photoindex.errors import CaptionerCrashed, CaptionerHung, PhotoindexError
from photoindex.indexing import held_model
from photoindex.indexing.claiming import Claimer
from photoindex.indexing.held_model import HeldModel
from photoindex.library import Library
from photoindex.types import Prediction
from tests.support import COLOURS, FakeCaptioner, make_photo, names

ALL = ("red", "green", "blue", "white")


class Loads:
    """Loads captioners that end with photos of the ``bad`` colours, so often on each kind of device."""

    def __init__(
        self,
        bad: dict[str, int],
        error: type[CaptionerCrashed] = CaptionerHung,
        *,
        gpu: bool = False,
        bad_on_cpu: bool = True,
        stop: threading.Event | None = None,
    ) -> None:
        self.left, self.error, self.gpu, self.bad_on_cpu, self.stop = dict(bad), error, gpu, bad_on_cpu, stop
        self.devices: list[str] = []
        self.batches: list[int] = []

    def __call__(self, settings: Settings) -> FakeCaptioner:
        outer = self
        device = "GPU Fake 9000" if self.gpu and settings.device != "cpu" else "CPU, 1 thread"
        self.devices.append(device)

        class Ending(FakeCaptioner):
            def caption(self, photos: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
                outer.batches.append(len(photos))
                for pixels in photos:
                    colour = min(COLOURS, key=lambda name: np.abs(pixels.mean((0, 1)) - COLOURS[name]).sum())
                    if outer.left.get(colour) and (outer.bad_on_cpu or not device.startswith("CPU")):
                        outer.left[colour] -= 1
                        if outer.stop is not None:
                            outer.stop.set()
                        raise outer.error("the captioning process gave no answer for 60 s")
                return super().caption(photos)

        made = Ending(batch_size=4)
        made.device = device
        return made


def index(
    data_dir: Path, album: Path, load: Loads, stop: threading.Event | None = None, device: str = "auto"
) -> tuple[dict[str, str], list[str]]:
    """Index photos of all colours; return the kinds of those that failed, and what was said."""
    for colour in ALL:
        make_photo(album / f"{colour}.jpg", colour)
    said: list[str] = []
    settings = Settings(data_dir, settle_seconds=0.0, backup_days=0.0, device=device)
    with Library(settings, load) as library:
        library.index(album, notice=said.append, stop=stop)
        failed = {failure.path.stem: failure.kind for failure in library.failures()}
        for colour in ALL:
            expected = [] if colour in failed or stop else [f"{colour}.jpg"]
            assert stop or names(library.search(f'"a {colour} square"')) == expected
        return failed, said


@pytest.mark.parametrize("bad", ALL)
def test_a_hang_that_does_not_come_again_costs_nothing(data_dir: Path, album: Path, bad: str) -> None:
    load = Loads({bad: 1})
    failed, said = index(data_dir, album, load)
    assert failed == {}
    assert [line for line in said if "started again" in line and "nothing is lost" in line] == said
    assert len(said) == 1
    assert len(load.devices) == 2


@pytest.mark.parametrize("bad", [("red",), ("white",), ("red", "blue"), ALL])
def test_a_photo_that_hangs_again_alone_is_the_only_one_to_fail(
    data_dir: Path, album: Path, bad: tuple[str, ...]
) -> None:
    load = Loads(dict.fromkeys(bad, 9))
    failed, _ = index(data_dir, album, load)
    assert failed == dict.fromkeys(bad, "captioner-failed")
    assert load.batches == [4, 1, 1, 1, 1]


def test_the_photo_that_failed_is_tried_again_and_told_with_its_name(data_dir: Path, album: Path) -> None:
    index(data_dir, album, Loads({"red": 2}))
    with Library(Settings(data_dir, settle_seconds=0.0, backup_days=0.0), Loads({})) as library:
        [failure] = library.failures()
        assert failure.state == "retrying"
        assert str(album / "red.jpg") in failure.message
        assert "with this photo alone" in failure.message
        library.retry_failures()
        library.index(album)
        assert library.failures() == []
        assert names(library.search('"red square"')) == ["red.jpg"]


def test_a_gpu_that_hangs_again_is_left_for_the_cpu(data_dir: Path, album: Path) -> None:
    load = Loads({"green": 9}, gpu=True, bad_on_cpu=False)
    failed, said = index(data_dir, album, load)
    assert failed == {}
    assert load.devices == ["GPU Fake 9000", "GPU Fake 9000", "CPU, 1 thread"]
    assert [line for line in said if "GPU Fake 9000" in line and "on the CPU" in line] == [said[-1]]


def test_a_photo_that_hangs_everywhere_fails_on_the_cpu(data_dir: Path, album: Path) -> None:
    load = Loads({"green": 9}, gpu=True)
    failed, _ = index(data_dir, album, load)
    assert failed == {"green": "captioner-failed"}
    assert load.devices[-2:] == ["CPU, 1 thread", "CPU, 1 thread"]


def test_a_device_that_was_asked_for_as_the_cpu_has_nothing_to_fall_back_on(data_dir: Path, album: Path) -> None:
    load = Loads({"green": 9}, gpu=True)
    failed, _ = index(data_dir, album, load, device="cpu")
    assert failed == {"green": "captioner-failed"}
    assert set(load.devices) == {"CPU, 1 thread"}


def test_a_stop_ends_it_between_two_photos(data_dir: Path, album: Path) -> None:
    stop = threading.Event()
    load = Loads({"red": 9}, stop=stop)
    failed, _ = index(data_dir, album, load, stop)
    assert (failed, load.batches) == ({}, [4])
    assert index(data_dir, album, Loads({})) == ({}, [])


@pytest.mark.parametrize("deaths", [1, 2, 3])
def test_a_captioner_that_dies_is_for_the_caller_and_its_photos_are_then_alone(
    data_dir: Path, album: Path, deaths: int
) -> None:
    for colour in ALL:
        make_photo(album / f"{colour}.jpg", colour)
    load = Loads({"red": deaths}, CaptionerCrashed)
    with Library(Settings(data_dir, settle_seconds=0.0, backup_days=0.0), load) as library:
        for _ in range(deaths):
            with pytest.raises(CaptionerCrashed):
                library.index(album)
        library.index(album)
        assert library.failures() == []
        assert max(load.batches[1:]) == 1
        assert names(library.search('"red square"')) == ["red.jpg"]


def test_a_photo_with_which_it_dies_each_time_ends_as_failed(data_dir: Path, album: Path) -> None:
    for colour in ALL:
        make_photo(album / f"{colour}.jpg", colour)
    load = Loads({"red": 99}, CaptionerCrashed)
    with Library(Settings(data_dir, settle_seconds=0.0, backup_days=0.0), load) as library:
        for _ in range(LONE_TRIES):
            with pytest.raises(CaptionerCrashed):
                library.index(album)
        library.index(album)
        assert [(failure.path.stem, failure.kind) for failure in library.failures()] == [("red", "captioner-failed")]
        assert names(library.search('"green square"')) != []


class TestLoading:
    def load(self, hangs: list[str]) -> tuple[list[str], list[str], HeldModel, list[float]]:
        devices: list[str] = []
        said: list[str] = []
        now = [0.0]

        def load(settings: Settings) -> FakeCaptioner:
            devices.append(settings.device)
            if settings.device in hangs:
                raise CaptionerHung("the captioning process gave no answer for 10 min 00 s")
            made = FakeCaptioner()
            made.device = "CPU" if settings.device == "cpu" else "GPU"
            return made

        return devices, said, HeldModel(load, Settings(Path("/nowhere")), said.append, lambda: now[0]), now

    def test_a_gpu_on_which_no_model_can_be_loaded_is_left_for_the_cpu(self) -> None:
        devices, said, model, _ = self.load(["auto"])
        assert model.get().info.device == "CPU"
        assert devices == ["auto", "cpu"]
        assert "on the CPU" in said[0]

    def test_a_model_that_loads_nowhere_raises(self) -> None:
        _, _, model, _ = self.load(["auto", "cpu"])
        with pytest.raises(PhotoindexError, match="no answer"):
            model.get()

    def test_the_gpu_is_tried_again_after_an_hour(self) -> None:
        devices, _, model, now = self.load([])
        model.get()
        assert model.use_cpu(CaptionerHung("hung"))
        assert not model.use_cpu(CaptionerHung("hung"))
        for seconds in (0.0, held_model.CPU_SECONDS - 1, held_model.CPU_SECONDS + 1):
            now[0] = seconds
            model.close()
            model.get()
        assert devices == ["auto", "cpu", "cpu", "auto"]


def test_leases_are_renewed_between_photos_that_are_taken_one_by_one(
    data_dir: Path, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed: list[int] = []
    renew = Claimer.renew_when_due

    def count(self: Claimer, claimed: Collection[Job]) -> None:
        renewed.append(len(claimed))
        renew(self, claimed)

    monkeypatch.setattr(Claimer, "renew_when_due", count)
    index(data_dir, album, Loads({"red": 1}))
    assert [count for count in renewed if count][-4:] == [4, 3, 2, 1]
