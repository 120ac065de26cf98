"""kill -9 at random moments while text is read: nothing is lost, and nothing is read twice but what was at work.

    python tests/stress/text_kills.py [--kills N] [--small] [--seed N]

A library is made once. Then a process that reads text is started and killed, again and again, alone or with its worker.
At the end one runs in peace. Then every photo has its text, no job is left, and the log of readings has no more of them
than there are photos, and one batch for each kill.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from harness import REPOSITORY, Trial, check_none_left, kill_tree, parse, parser, workshop
from PIL import Image
from text_victim import LOG, words_of

from photoindex.catalogue.text import TextCounts
from photoindex.config import Settings
from photoindex.indexing.text_reading import BATCH
from photoindex.library import Library
from tests.support import FakeCaptioner

PHOTOS = 2500  # a fast machine reads 17 between two kills
PATIENCE = 120.0


def main() -> int:
    made = parser(__doc__)
    made.add_argument("--kills", type=int, default=None, help="how many [default: 60; small: 3]")
    options = parse(made)
    trial = Trial("text_kills", options)
    kills = options.kills if options.kills is not None else 3 if options.small else 60
    with workshop(options.keep) as folder:
        photos = make_photos(folder / "album", 150 if options.small else PHOTOS)
        data_dir, log = folder / "data", folder / "readings.log"
        with Library(Settings(data_dir, read_text="never", settle_seconds=0.0), lambda _: FakeCaptioner()) as library:
            library.index(folder / "album")
        killed = torment(trial, data_dir, log, kills)
        victim(data_dir, log).wait(PATIENCE * 5)
        judge(trial, data_dir, log, photos, killed)
        check_none_left(trial)
    return trial.verdict()


def make_photos(folder: Path, count: int) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"{1000 + number}.png" for number in range(count)]
    for number, path in enumerate(paths):
        Image.new("RGB", (40, 30), (200, number % 256, number // 256)).save(path)
    return paths


def victim(data_dir: Path, log: Path) -> subprocess.Popen[bytes]:
    start = "import sys; sys.path[:0] = sys.argv[2:]; import text_victim; text_victim.main()"
    environment = {"PATH": "/usr/bin:/bin", LOG: str(log), "PHOTOINDEX_STRESS": "1"}
    places = [str(data_dir), str(Path(__file__).parent), str(REPOSITORY)]
    return subprocess.Popen([sys.executable, "-c", start, *places], env=environment)


def torment(trial: Trial, data_dir: Path, log: Path, kills: int) -> int:
    """Kill so many processes while they read; return how many were."""
    killed = 0
    for _ in range(2 * kills):
        if killed == kills:
            break
        before = log.stat().st_size if log.exists() else 0
        process = victim(data_dir, log)
        ends = time.monotonic() + PATIENCE
        while process.poll() is None and time.monotonic() < ends:
            if log.exists() and log.stat().st_size > before:  # it reads
                time.sleep(trial.random.uniform(0.0, 0.7))
                break
            time.sleep(0.005)
        if process.poll() is None:
            (kill_tree if trial.random.random() < 0.3 else subprocess.Popen.kill)(process)
        killed += process.wait() == -signal.SIGKILL
    trial.check(killed == kills, f"only {killed} of {kills} processes could be killed")
    return killed


def judge(trial: Trial, data_dir: Path, log: Path, photos: list[Path], killed: int) -> None:
    readings = Counter(log.read_text().split())
    trial.check(len(readings) == len(photos), f"{len(photos) - len(readings)} photos were never read")
    again = sum(readings.values()) - len(readings)
    trial.check(again <= BATCH * killed, f"{again} readings were done again, with {killed} kills")
    with Library(Settings(data_dir, read_text="auto"), lambda _: FakeCaptioner()) as library:
        counts = library.status().text
        trial.check(counts == TextCounts(len(photos), len(photos), 0, 0), f"the counts are {counts}")
        trial.check(not any(library.status().jobs.values()), "there are jobs left")
        trial.check(not library.failures(), f"there are failures: {library.failures()[:3]}")
        for path in trial.random.sample(photos, min(200, len(photos))):
            shown = library.show(path)
            said = [] if shown is None else [line.text for line in shown.text]
            trial.check(said == [words_of(path)], f"{path.name} says {said}")
        for path in trial.random.sample(photos, 20):
            found = [hit.path for hit in library.search(f'text:"{words_of(path)}"')]
            trial.check(found == [path], f"the words of {path.name} find {found}")
    trial.say(
        f"{killed} kills; {len(photos)} photos, {again} readings done again ({again / max(1, killed):.1f} a kill)"
    )


if __name__ == "__main__":
    sys.exit(main())
