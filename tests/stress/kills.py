"""kill -9 at random moments, on a folder that changes meanwhile: nothing is lost and nothing is captioned twice.

    python tests/stress/kills.py [--kills N] [--real N] [--small] [--seed N]

`index`, `watch` and `reindex` are started and killed, again and again, while photos and folders are added, copied,
renamed, overwritten, removed and moved out and in. Some kills take the process alone, so that its helpers must notice,
others the whole tree of processes. After each a search must answer. At the end one `index` runs in peace, and then
catalogue, full-text index, impact matrix and folder must agree to the last photo, and the captioner's log must show no
photo captioned again but those of batches that were in flight at a kill. Control-C (or ``--minutes``) ends the killing
early, and what was done until then is judged.

Most kills meet photoindex with a captioner that reads numbers out of invented photos, which makes that count exact. The
last ``--real`` ones meet the command line with the shipped model, where the captions that were stored are counted.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import skimage.data
from agreement import check_agreement, check_answers
from album import Album
from coded import captioned_again, read_log
from harness import (
    REPOSITORY,
    Trial,
    check_none_left,
    check_unchanged,
    kill_tree,
    let_run,
    parse,
    parser,
    read_traces,
    sha256,
    victim,
    workshop,
)
from PIL import Image

from photoindex.config import Settings
from photoindex.library import Library

SETTLE = 0.2
EVERY = 0.04  # seconds between two changes to the folder, on average
LIMIT = 250  # photos that the folder is kept near
DELAY = 0.004  # seconds a caption takes
PATIENCE = 120.0
COMMANDS = {"index": 3, "watch": 4, "reindex": 3}
PHOTOS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png")


def main() -> int:
    made = parser(__doc__)
    made.add_argument("--kills", type=int, default=None, help="how many [default: 300; small: 8]")
    made.add_argument(
        "--real", type=int, default=None, help="so many of them with the shipped model [default: one in 30]"
    )
    made.add_argument("--minutes", type=float, default=None, help="kill no longer than so many minutes")
    options = parse(made)
    enough = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: enough.set())
    if options.minutes is not None:
        timer = threading.Timer(60 * options.minutes, enough.set)
        timer.daemon = True
        timer.start()
    kills = options.kills if options.kills is not None else 8 if options.small else 300
    real = options.real if options.real is not None else kills // 30
    trial = Trial("kills", options)
    with workshop(options.keep) as folder:
        torment(trial, folder, max(0, kills - real), enough)
        if real and not enough.is_set():
            torment_the_command_line(trial, folder, real)
        check_none_left(trial)
    return trial.verdict()


def torment(trial: Trial, folder: Path, kills: int, enough: threading.Event) -> None:
    data_dir, log, errors = folder / "data", folder / "captions.log", folder / "stderr"
    album = Album(folder / "album", folder / "outside", random.Random(trial.seed), LIMIT)
    for _ in range(60):
        album.change()
    killed: set[str] = set()
    ended = 0
    model = 1
    by_command: Counter[str] = Counter()
    flags: dict[str, Any] = {"log": log, "batch": 8, "delay": DELAY, "settle": SETTLE, "poll": 0.5, "errors": errors}
    with album.changing(EVERY):
        while len(killed) < kills and not enough.is_set():
            [command] = trial.random.choices(list(COMMANDS), list(COMMANDS.values()))
            if command == "reindex" and trial.random.random() < 0.3:
                model += 1  # the next model: all captions are stale, and a killed reindex goes on with the next one
            run = f"{len(killed) + ended + 1}-{command}"
            folders = [] if command == "reindex" else [album.root]
            process = victim(command, data_dir, *folders, run=run, model=f"coded-{model}", **flags)
            wait_for_a_moment(trial.random, process, log, Settings(data_dir).index_path)
            if process.poll() is None:
                (kill_tree if trial.random.random() < 0.3 else subprocess.Popen.kill)(process)
            process.communicate()
            if process.returncode == -signal.SIGKILL:
                killed.add(run)
                by_command[command] += 1
                if len(killed) % 50 == 0:
                    trial.say(f"{len(killed)} kills; {album.done} changes; {len(album.photos)} photos there")
            else:
                ended += 1
                trial.check(process.returncode == 0, f"{command} ended with status {process.returncode}")
                if trial.complaints and ended > 10 * kills:
                    return
            check_answers(trial, data_dir, f"after {run}")
    trial.say(f"{len(killed)} kills ({_counted(by_command)}), {ended} commands ended before; {album.done} changes")
    time.sleep(2 * SETTLE)  # until the last photo written has come to rest
    process = victim("index", data_dir, album.root, run="last", model=f"coded-{model}", **flags)
    said, _ = process.communicate()
    trial.check(process.returncode == 0, f"the last index ended with status {process.returncode}")
    trial.say(f"the last index: {said.strip()}")
    check_agreement(trial, data_dir, album.photos, album.numbers, album.broken)
    batches = read_log(log)
    needless, repeated = captioned_again(batches, killed)
    for line in needless:
        trial.check(False, line)
    total = sum(len(batch.numbers) for batch in batches)
    flying = sum(batch.last and batch.run in killed for batch in batches)
    trial.say(
        f"{len(album.photos)} files with {len(set(album.photos.values()))} photos agree with what is known of them; "
        f"{total} captions, {repeated} made again out of the last batches of {flying} killed runs, "
        f"{len(needless)} needlessly"
    )
    traces = read_traces(errors)
    trial.check(not traces, f"stderr has {len(traces)} tracebacks or locks: {traces[:2]}")
    check_unchanged(trial, {**album.photos, **album.broken}, album.root)


def wait_for_a_moment(chooser: random.Random, process: subprocess.Popen[str], log: Path, index: Path) -> None:
    """Until a random moment: from the process's start, while it is captioning, or while it is writing its index."""
    [watched, within] = chooser.choices([(None, 1.5), (log, 0.6), (index, 0.15)], [3, 4, 3])[0]
    if watched is not None:
        _until_written(process, watched)
    let_run(process, chooser.uniform(0, within))


def _until_written(process: subprocess.Popen[str], path: Path, patience: float = 5.0) -> None:
    """Until a file is written to, or something in a folder comes or goes."""
    before = _written_at(path)
    ends = time.monotonic() + patience
    while process.poll() is None and time.monotonic() < ends and _written_at(path) == before:
        time.sleep(0.002)


def _written_at(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


# ---- the command line, with the shipped model


def torment_the_command_line(trial: Trial, folder: Path, kills: int) -> None:
    data_dir, album = folder / "real-data", folder / "real-album"
    album.mkdir()
    arrivals = crops(folder / "crops", 12 * (kills + 2))
    hashes: dict[Path, str] = {}

    def arrive(count: int) -> None:
        for _ in range(min(count, len(arrivals))):
            source = arrivals.pop()
            path = album / source.name
            shutil.move(source, path)
            hashes[path] = sha256(path)

    arrive(24)
    done = ended = 0
    while done < kills:
        command = trial.random.choice(["index", "watch"])
        process = photoindex(data_dir, command, "--batch-size", "4", str(album))
        _until_model_is_used(process, data_dir, trial.random.uniform(0, 1.5))
        arrive(6)  # while it works
        moved = trial.random.choice(sorted(hashes))
        target = album / f"moved-{done}-{moved.name}"
        hashes[moved.rename(target)] = hashes.pop(moved)
        let_run(process, trial.random.uniform(0, 0.5))
        if process.poll() is None:
            process.kill()
        _, said = process.communicate()
        trial.check("Traceback" not in said, f"{command} printed a traceback: {said[-300:]}")
        if process.returncode == -signal.SIGKILL:
            done += 1
        else:
            ended += 1
            trial.check(process.returncode == 0, f"{command} ended with status {process.returncode}: {said[-300:]}")
    settle = Settings(data_dir).settle_seconds
    time.sleep(settle)
    process = photoindex(data_dir, "index", str(album), "--json")
    output, said = process.communicate()
    trial.check(process.returncode == 0, f"the last index ended with status {process.returncode}: {said[-300:]}")
    trial.say(f"the command line with the shipped model: {done} kills, {ended} ended before; the last index captioned "
              f"{json.loads(output or '{}').get('captioned')} of {len(hashes)}")  # fmt: skip
    with Library(Settings(data_dir)) as library:
        for path in hashes:
            shown = library.show(path)
            text = shown.caption.text if shown and shown.caption else ""
            trial.check(text, f"{path.name} has no caption")
            found = [hit.path for hit in library.search(text or "x", limit=None)]
            trial.check(found.count(path) == 1, f"{path.name} is found {found.count(path)} times by its caption")
        searchable = library.status().searchable
    trial.check(searchable == len(hashes), f"the index holds {searchable} photos, the folder {len(hashes)}")
    with closing(sqlite3.connect(data_dir / "catalogue.sqlite3")) as connection:
        [(stored,)] = connection.execute("select count(*) from caption where source = 'model' and rank = 0").fetchall()
    trial.check(stored == len(hashes), f"{stored} captions were stored of {len(hashes)} photos")
    check_unchanged(trial, hashes, album)


def photoindex(data_dir: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "photoindex", "--data-dir", str(data_dir), *arguments],
        cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def _until_model_is_used(process: subprocess.Popen[str], data_dir: Path, seconds: float) -> None:
    """Until so many seconds after a caption was stored; loading the model takes most of a run."""
    before = _stored(data_dir)
    ends = time.monotonic() + PATIENCE
    while process.poll() is None and _stored(data_dir) == before and time.monotonic() < ends:
        time.sleep(0.05)
    let_run(process, seconds)


def _stored(data_dir: Path) -> int:
    try:
        with closing(
            sqlite3.connect(f"{(data_dir / 'catalogue.sqlite3').absolute().as_uri()}?mode=ro", uri=True)
        ) as connection:
            return int(connection.execute("select count(*) from caption").fetchone()[0])
    except sqlite3.Error:
        return 0  # not made yet


def crops(folder: Path, count: int) -> list[Path]:
    """``count`` different parts of photos that scikit-image carries, as JPEGs."""
    folder.mkdir()
    wholes = [Image.open(Path(skimage.data.__file__).parent / name).convert("RGB") for name in PHOTOS]
    made = []
    for number in range(count):
        whole = wholes[number % len(wholes)]
        inset = 2 + number // len(wholes) * 2
        path = folder / f"crop-{number}.jpg"
        whole.crop((inset, inset, whole.width - inset, whole.height - inset)).resize((320, 240)).save(path)
        made.append(path)
    return made


def _counted(numbers: Counter[str]) -> str:
    return ", ".join(f"{count} of {name}" for name, count in sorted(numbers.items()))


if __name__ == "__main__":
    sys.exit(main())
