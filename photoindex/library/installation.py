"""Checks of an installation for the doctor: Python, the libraries, the model's files, the formats, the device.

torch is imported by :func:`check_device` and :func:`check_captioning` alone.
"""

from __future__ import annotations

import importlib.metadata
import io
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final, Literal

import photoindex
from photoindex import captioner as captioning
from photoindex.captioner import Captioner
from photoindex.captioner.model_files import inspect_folder
from photoindex.config import Settings
from photoindex.errors import ModelError, PhotoError, TextReaderUnavailable
from photoindex.media.decode import list_readers
from photoindex.media.formats import OPTIONAL_FORMATS
from photoindex.system.units import human_size
from photoindex.types import Finding

PYTHON: Final = (3, 10)
# OpenVINO comes as wheels alone: it is asked for where there are some. Elsewhere torch does all of the work.
HAS_OPENVINO: Final = sys.version_info < (3, 15) and (
    platform.machine() in ("x86_64", "AMD64") or (sys.platform == "darwin" and platform.machine() == "arm64")
)
# What setup.cfg asks for; a test holds the two equal.
LIBRARIES: Final = {
    **({"openvino": "2025.4"} if HAS_OPENVINO else {}),
    "torch": "2.4",
    "torchvision": "0.19",
    "safetensors": "0.4.3",
    "numpy": "1.26",
    "Pillow": "11.0",
    "dhash": "1.4",
    "SQLAlchemy": "2.0.30",
    "alembic": "1.13",
    "PyStemmer": "3.0",
    "watchdog": "7.1" if sys.version_info >= (3, 11) else "6.0",
    "click": "8.1.7",
    "rich": "13.7",
    "platformdirs": "4.2",
    "filelock": "3.13",
    "defusedxml": "0.7.1",
    "lxml": "5.0",
    "tomlkit": "0.12",
    "reverse-geocode": "1.6.5",
}


def check_python() -> Finding:
    version = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info < PYTHON:
        return Finding("python", "problem", version, f"install Python {'.'.join(map(str, PYTHON))} or newer")
    return Finding("python", "ok", version)


def check_libraries() -> Finding:
    """Check versions by the packages' metadata, without importing any."""
    versions, missing, old = [], [], []
    for name, least in LIBRARIES.items():
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
            continue
        versions.append(f"{name} {version}")
        if _numbers(version) < _numbers(least):
            old.append(f"{name}>={least}")
    message = f"photoindex {photoindex.__version__}, {', '.join(versions)}"
    if missing:
        return Finding(
            "libraries", "problem", f"not installed: {', '.join(missing)}", f"pip install {' '.join(missing)}"
        )
    if old:
        return Finding("libraries", "problem", f"too old: {message}", "pip install " + " ".join(f"'{o}'" for o in old))
    return Finding("libraries", "ok", message)


def check_model(name: str) -> Finding:
    """Check that the model's files are complete and of one model; the weights are hashed and not loaded."""
    advice = (
        "install photoindex again" if name == captioning.DEFAULT_MODEL else "name another --model, or copy it again"
    )
    try:
        model = inspect_folder(captioning.model_folder(name))
    except (ModelError, OSError) as error:
        return Finding("model", "problem", str(error), advice)
    message = (
        f"{model.identity}: {human_size(model.weights_bytes)} of safetensors, {model.words:,} words, "
        f"{model.labels:,} labels, {model.terms:,} terms"
    )
    if not model.labels:
        return Finding("model", "warning", f"{message}; photos are not found by labels", advice)
    return Finding("model", "ok", message)


def check_formats() -> Finding:
    """Check which formats can be read; lacking an optional one is a warning."""
    readers = list_readers()
    able = ", ".join(reader.format.name for reader in readers if reader.works)
    unable = [reader for reader in readers if not reader.works]
    if not unable:
        return Finding("formats", "ok", f"reads {able}")
    ours_to_lack = all(reader.format in OPTIONAL_FORMATS for reader in unable)
    return Finding(
        "formats",
        "warning" if ours_to_lack else "problem",
        f"reads {able}, but not {', '.join(reader.format.name for reader in unable)}",
        "; ".join(dict.fromkeys(reader.install for reader in unable)),
    )


def check_device(settings: Settings) -> Finding:
    """Check what torch can use, and that it decodes a JPEG where the settings ask for that."""
    from photoindex.captioner.device import installed  # imports torch

    if not settings.decode_on_gpu:
        return Finding("device", "ok", installed())
    problem = _problem_of_decoding_on_gpu()
    if problem:
        advice = "photos are decoded as without it: set decode_on_gpu to false"
        return Finding("device", "warning", f"{installed()}; decode_on_gpu does nothing: {problem}", advice)
    return Finding("device", "ok", f"{installed()}, which decodes JPEGs")


def _problem_of_decoding_on_gpu() -> str:
    from PIL import Image

    from photoindex.captioner.jpeg_drafts import DraftProcess

    made = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(made, "JPEG")
    with closing(DraftProcess()) as process:
        [draft] = process.make([made.getvalue()], [8])
        return process.problem or ("a photo made for it was not decoded" if draft is None else "")


def check_captioning(settings: Settings, load: Callable[[Settings], Captioner]) -> Finding:
    """Decode a test photo in a worker process and caption it on the device in use."""
    from PIL import Image

    from photoindex.media.decode import Decoder

    captioner = load(settings)
    info = captioner.info
    decoder = Decoder(info.input_size, workers=1, seconds=settings.decode_seconds, max_pixels=settings.max_pixels)
    try:
        with tempfile.TemporaryDirectory() as folder, decoder:
            path = Path(folder, "made.png")
            Image.linear_gradient("L").convert("RGB").save(path)
            [(_, answer)] = decoder.decode([path])
            if isinstance(answer, PhotoError):
                return Finding("captioning", "problem", f"a photo made for it was not decoded: {answer}")
            caption = captioner.caption([answer.pixels])[0].caption
    finally:
        captioner.close()
    if not caption:
        return Finding("captioning", "problem", f"{info.name} says nothing of a photo", "name another --model")
    return Finding("captioning", "ok", f"{info.name} on {info.device} works")


def _numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: ``2.15.0+cpu`` is (2, 15, 0)."""
    numbers = []
    for part in version.partition("+")[0].split("."):
        if not part.isdecimal():
            break
        numbers.append(int(part))
    return tuple(numbers)


def check_text(settings: Settings, deep: bool = False) -> Finding:
    """Check whether text in photos is read, and by what; ``deep``, by running the networks that read it."""
    from photoindex.media.text.engine import NETWORKS, Engine, networks_folder
    from photoindex.media.text.reader_version import INSTALL, PACKAGE, is_installed

    if settings.read_text == "never":
        return Finding("text", "ok", "text in photos is not read: the setting read_text is never")
    level: Literal["ok", "warning"] = "warning" if settings.read_text == "always" else "ok"
    if not is_installed():
        return Finding("text", level, f"text in photos is not read: what reads it is not installed ({INSTALL})")
    folder = networks_folder()
    # Not Path.is_file: it raises where this user may not look, and such a file cannot be read either.
    missing = [name for name in NETWORKS.values() if folder is None or not os.path.isfile(folder / name)]
    if missing:
        return Finding("text", "warning", f"text in photos is not read: {PACKAGE} lacks {missing[0]}", INSTALL)
    if deep:
        try:
            Engine(threads=1).try_out()
        except TextReaderUnavailable as error:
            return Finding("text", "warning", f"text in photos is not read: {error}")
    return Finding("text", "ok", f"text in photos is read by {PACKAGE} {importlib.metadata.version(PACKAGE)}")
