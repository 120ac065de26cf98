"""Photos that carry a number in their pixels, and a captioner that reads it: who was captioned how often can be told.

The number's 16 bits are a grid of 4 x 4 black and white cells, which survives JPEG and any resizing.
"""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from harness import REPOSITORY  # noqa: F401  (puts photoindex of this checkout on the module path)
from numpy.typing import NDArray
from PIL import Image

from photoindex.types import Candidate, CaptionerInfo, Prediction, TermVector, TermVocabulary

CELLS = 4
HIGHEST = 1 << CELLS * CELLS
EVERY_PHOTO = "square"  # a word of every caption
EVEN, ODD = "even", "odd"  # learned terms, in no caption


def photo_bytes(number: int, kind: str = "PNG", side: int = 32) -> bytes:
    """``number`` (below :data:`HIGHEST`) as ``side`` x ``side`` pixels; no two numbers give the same bytes."""
    bits = np.array([number >> bit & 1 for bit in range(CELLS * CELLS)], np.uint8).reshape(CELLS, CELLS)
    pixels = np.kron(bits * 255, np.ones((side // CELLS, side // CELLS), np.uint8))
    stream = io.BytesIO()
    Image.fromarray(pixels).convert("RGB").save(stream, kind, **({"quality": 90} if kind == "JPEG" else {}))
    return stream.getvalue()


def number_of(pixels: NDArray[np.uint8]) -> int:
    """The number in a decoded photo, uint8 (side, side, 3)."""
    side = len(pixels) // CELLS
    centres = pixels.mean(axis=2)[side // 2 :: side, side // 2 :: side]
    return sum(1 << place for place, level in enumerate(centres.ravel().tolist()) if level > 127)


def word_of(number: int) -> str:
    """The word that only this photo's caption has."""
    return f"x{number}"


class CodedCaptioner:
    """A :class:`photoindex.captioner.Captioner` that says ``a square x17`` of photo 17, and learned terms even or odd.

    Each batch is a line in the file ``log`` before it is captioned, which takes ``delay`` seconds a photo.
    """

    name = "coded"
    encoder = "cells"
    settings = "none"
    device = "cpu"

    def __init__(self, identity: str, log: Path, run: str, batch_size: int, delay: float) -> None:
        self.identity = identity
        self.batch_size = batch_size
        self.input_size = 4 * CELLS
        self.terms: TermVocabulary | None = TermVocabulary((EVEN, ODD), 0.01)
        self._run = run
        self._delay = delay
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    @property
    def info(self) -> CaptionerInfo:
        """Its facts."""
        return CaptionerInfo(
            self.name, self.identity, self.encoder, self.settings, self.input_size, self.batch_size, self.device,
            self.terms,
        )  # fmt: skip

    def caption(self, photos: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        numbers = [number_of(pixels) for pixels in photos]
        line = json.dumps({"run": self._run, "model": self.identity, "numbers": numbers})
        os.write(self._log, line.encode() + b"\n")  # in one piece: whoever is killed leaves whole lines
        time.sleep(self._delay * len(photos))
        return [self._predict(number) for number in numbers]

    def close(self) -> None:
        """The log stays open: a closed captioner may be asked again."""

    def _predict(self, number: int) -> Prediction:
        return Prediction(
            (Candidate(f"a {EVERY_PHOTO} {word_of(number)}", -1.0, -0.25), Candidate("a shape", -3.0, -1.5)),
            terms=TermVector(np.array([number % 2], np.uint16), np.array([150], np.uint8)),
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """One call of a captioner: in which run, by which model, of which photos; ``last`` of its run."""

    run: str
    model: str
    numbers: tuple[int, ...]
    last: bool


def read_log(log: Path) -> list[Batch]:
    """What was captioned, in order."""
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    last = {line["run"]: place for place, line in enumerate(lines)}
    return [
        Batch(line["run"], line["model"], tuple(line["numbers"]), last[line["run"]] == place)
        for place, line in enumerate(lines)
    ]


def captioned_again(batches: Iterable[Batch], killed: set[str]) -> tuple[list[str], int]:
    """Photos captioned twice by one model: (those that need not have been, one line each; how many others).

    A caption may be lost, and made again, if its batch was the last of a run that was killed: then it was in flight.
    """
    needless: list[str] = []
    repeated = 0
    latest: dict[tuple[str, int], Batch] = {}
    for batch in batches:
        for number in batch.numbers:
            before = latest.get((batch.model, number))
            if before is not None:
                repeated += 1
                if not (before.last and before.run in killed):
                    needless.append(
                        f"photo {number} was captioned by {batch.model} in run {before.run}, "
                        f"whose batch was stored, and again in run {batch.run}"
                    )
            latest[batch.model, number] = batch
    return needless, repeated - len(needless)
