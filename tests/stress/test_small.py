"""The stress commands at their small sizes, so that they stay alive; the full sizes are run by hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PATIENCE = 300  # seconds


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="processes and their memory are looked up in /proc")
@pytest.mark.parametrize(
    "command",
    [
        "kills.py --kills 3",
        "mutations.py --files 50",
        "burst.py --files 50",
        "churn.py --files 200",
        "disks.py readonly",
        "metadata.py --inputs 150",
        "sidecars.py",
        "text_kills.py",
    ],
)
def test_nothing_is_lost(command: str) -> None:
    name, *arguments = command.split()
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name(name), "--small", *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    if "SKIPPED: everything" in done.stdout:
        pytest.skip(done.stdout.splitlines()[-2])
