"""A browser without a window, for looking at pages: Chromium or one of its kin, where there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")


def find_browser() -> str | None:
    """The program that ``PHOTOINDEX_BROWSER`` names, or the first that is installed."""
    return os.environ.get("PHOTOINDEX_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)


def open_page(page: Path, profile: Path, *options: str) -> str:
    """Load a page as a person would, and return what the browser prints; skips the test where there is no browser."""
    browser = find_browser()
    if browser is None:
        pytest.skip("no Chromium, Chrome or Edge here (PHOTOINDEX_BROWSER names one elsewhere)")
    command = [browser, "--headless", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
               f"--user-data-dir={profile}"]  # fmt: skip
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--no-sandbox")  # which root cannot have
    done = subprocess.run([*command, *options, page.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def screenshot(page: Path, picture: Path, *, width: int = 1000, height: int = 700, dark: bool = False) -> Image.Image:
    """What a page looks like."""
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    open_page(page, picture.parent / "profile", f"--screenshot={picture}", f"--window-size={width},{height}", scheme)
    with Image.open(picture) as image:
        shown: Image.Image = image.convert("RGB")
        return shown
