"""A captioner in a process of its own, for programs that run for long.

torch and a model take half a gigabyte that a process never gives back. A watcher that runs for years starts this one
when there is something to caption and ends it when there has been nothing for a while; if it is killed for want of
memory, the watcher lives on.

Parent and child speak over the child's standard input and output: a line of JSON, followed by the pixels of the photos.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photoindex import errors
from photoindex.config import Settings
from photoindex.errors import CaptionerCrashed, CaptionerHung, ModelError
from photoindex.system.child_process import Child, own_streams, send
from photoindex.system.units import human_seconds
from photoindex.types import Candidate, CaptionerInfo, Label, Prediction, TermVector, TermVocabulary

LOADING_SECONDS = 600.0  # the longest that loading a model may take, from a slow disk and onto a GPU's first use
_START = "import sys; sys.path[:] = sys.argv[1:]; from photoindex.captioner.worker_process import serve; serve()"


class CaptionerProcess:
    """A :class:`photoindex.captioner.Captioner` whose model lives in a child process; :meth:`close` ends it.

    Starting takes as long as loading the model, and raises the same :class:`photoindex.errors.ModelError`. Nothing
    takes for ever: a process that does not answer in time raises :class:`CaptionerHung`, and is ended.
    """

    info: CaptionerInfo

    def __init__(self, settings: Settings) -> None:
        try:
            self._child = Child(_START)
        except OSError as error:  # no memory or process to be had
            raise CaptionerCrashed(f"the captioning process cannot be started: {error.strerror or error}") from error
        self._seconds = settings.caption_seconds
        wanted = {"model", "device", "beam_width", "batch_size", "threads", "engine"}
        values = {name: getattr(settings, name) for name in wanted}
        try:
            facts = self._ask({**values, "data_dir": os.fspath(settings.data_dir)}, b"", LOADING_SECONDS)
        except ModelError:
            self.close()
            raise
        terms = facts.pop("terms")
        vocabulary = None if terms is None else TermVocabulary(tuple(terms["words"]), terms["scale"])
        self.info = CaptionerInfo(**facts, terms=vocabulary)

    def caption(self, photos: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        """uint8 (input_size, input_size, 3) each -> one prediction each, in order.

        Raises :class:`CaptionerCrashed` when the process died, :class:`CaptionerHung` when it took longer than the
        setting ``caption_seconds``, and a tenth of it for each photo behind the first.
        """
        pixels = b"".join(np.ascontiguousarray(photo).tobytes() for photo in photos)
        seconds = self._seconds * (1 + max(0, len(photos) - 1) / 10)
        answer = self._ask({"photos": len(photos)}, pixels, seconds)
        return [_from_json(prediction) for prediction in answer["predictions"]]

    def close(self) -> None:
        """End the process. May be called again."""
        self._child.close()

    def _ask(self, request: dict[str, Any], content: bytes, seconds: float) -> dict[str, Any]:
        try:
            line = self._child.exchange(request, content, seconds=seconds)
        except TimeoutError:
            self.close()
            raise CaptionerHung(f"the captioning process gave no answer for {human_seconds(seconds)}") from None
        if not line.endswith(b"\n"):
            raise CaptionerCrashed(f"the captioning process ended ({self._child.end()})")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            kind = getattr(errors, answer["error"], ModelError)
            raise kind(answer["message"])
        return answer


def _to_json(prediction: Prediction) -> dict[str, Any]:
    terms = prediction.terms
    return {
        "candidates": [dataclasses.asdict(candidate) for candidate in prediction.candidates],
        "labels": [dataclasses.asdict(label) for label in prediction.labels],
        "kinds": [dataclasses.asdict(kind) for kind in prediction.kinds],
        "terms": None if terms is None else {"ids": terms.ids.tolist(), "impacts": terms.impacts.tolist()},
    }


def _from_json(value: dict[str, Any]) -> Prediction:
    terms = value["terms"]
    return Prediction(
        tuple(Candidate(**candidate) for candidate in value["candidates"]),
        tuple(Label(**label) for label in value["labels"]),
        tuple(Label(**kind) for kind in value["kinds"]),
        terms and TermVector(np.array(terms["ids"], np.uint16), np.array(terms["impacts"], np.uint8)),
    )


def serve() -> None:
    """The child's side: load the model that the first line names, then caption until standard input ends."""
    from photoindex.captioner.registry import load_captioner

    requests, answers = own_streams()
    with suppress(BrokenPipeError):
        task = json.loads(requests.readline())
        try:
            captioner = load_captioner(Settings(**{**task, "data_dir": Path(task["data_dir"])}))
        except ModelError as error:
            send(answers, {"error": type(error).__name__, "message": str(error)})
            return
        send(answers, dataclasses.asdict(captioner.info))
        size = captioner.info.input_size
        while line := requests.readline():
            count = json.loads(line)["photos"]
            pixels = requests.read(count * size * size * 3)
            if len(pixels) < count * size * size * 3:
                return  # the parent died in the middle of it
            photos = np.frombuffer(pixels, np.uint8).reshape(count, size, size, 3)
            predictions = captioner.caption([photo.copy() for photo in photos])
            send(answers, {"predictions": [_to_json(prediction) for prediction in predictions]})
