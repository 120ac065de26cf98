"""The worker's side of decoding, and the little language that a worker and its parent speak.

A worker lives on its standard input and output. The first line it gets is a JSON object with ``function``
(``module:name``), ``size``, ``max_pixels`` and ``room``; it answers with a line ``{"ready": true}``. Then each line in
is the path of one photo (a JSON string), or ``path``, ``files`` and perhaps ``draft``: files behind URLs and the height
and width of the photo decoded small (:mod:`.drafts`), whose bytes follow the line in this order.
Each answer is a line of JSON, followed by the pixels and the thumbnails where there are some. No pickles: a decoder
that was taken over by a crafted photo must not be able to make its parent run anything.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import queue
import sys
import threading
from collections.abc import Callable
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from photoindex import errors
from photoindex.errors import DecoderCrashed, PhotoError, TextReaderUnavailable
from photoindex.media.decode import drafts
from photoindex.media.metadata import json_form
from photoindex.system.child_process import own_streams, to_nowhere
from photoindex.system.error_lines import in_one_line
from photoindex.system.lent_files import LentFiles
from photoindex.system.memory import keep_freed
from photoindex.system.paths import shown
from photoindex.system.storage import use_lent
from photoindex.types import DecodedPhoto, PhotoText, TextLine
from photoindex.types.text import BOX_UNITS

_Request = tuple[str, LentFiles, "drafts.Draft | None"]
DecodeFunction = Callable[[Path, int, int], DecodedPhoto]

NICENESS = 5  # the person at the machine comes first
# What a worker may allocate on top of what it has when it is ready: the largest photo that is taken, as Pillow holds
# RGB, and room to work, some of it for the threads that a decoder starts for each core.
BYTES_PER_PIXEL = 4
ROOM_TO_WORK = 64 << 20
MOST_THUMBNAIL_BYTES = 64 << 20
ROOM_PER_CORE = 16 << 20
_limit: list[int] = []  # bytes that this process may allocate, once that is set
MOST_KEPT = 16 << 20  # bytes that were freed, for the next photo: a tenth of decoding was getting them from the system


def main() -> None:
    """Decode what standard input asks for until it ends; never returns."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    requests, answers = own_streams()  # by which the session has that priority, too
    task = json.loads(requests.readline())
    module, _, name = task["function"].partition(":")
    function: DecodeFunction = getattr(importlib.import_module(module), name)
    _limit_memory(task["max_pixels"], task["room"])
    keep_freed(MOST_KEPT)
    # Before it was ready the parent listened here, to say why it could not start. From now on C libraries would only
    # mix their warnings into the terminal of whoever runs photoindex.
    to_nowhere(1, 2)
    _answer(answers, {"ready": True})
    waiting = _listen(requests)
    while True:
        path, lent, draft = waiting.get()
        use_lent(lent)
        drafts.lend(draft)
        _serve(answers, function, Path(path), task["size"], task["max_pixels"])


def _limit_memory(max_pixels: int, extra: int) -> None:
    """Have allocations fail that no photo within the limit of pixels needs, nor the ``extra`` bytes that what is done
    with it needs, where the system can do that (Linux).

    The pixels alone do not bound the memory: an animated WebP of 8 kB with a canvas of 17,000 x 17,000 takes libwebp
    and Pillow 4.4 GB, as both keep several canvases, and a progressive JPEG of that size takes libjpeg 1.7 GB.
    """
    if not sys.platform.startswith("linux"):
        return
    import resource

    room = extra + max_pixels * BYTES_PER_PIXEL + ROOM_TO_WORK + ROOM_PER_CORE * (os.cpu_count() or 1)
    try:
        held = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        limit = held + room if most == resource.RLIM_INFINITY else min(held + room, most)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, most))
        _limit.append(limit)
    except (OSError, ValueError, IndexError):
        return  # some sandboxes have no /proc or allow no limits


def _make_room(length: int) -> None:
    """Allow as many bytes more as a file takes that was sent: its pixels need theirs besides."""
    if not _limit:
        return
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = _limit[0] + length
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most))


def read_answer(stream: BufferedReader, size: int) -> DecodedPhoto | PhotoError:
    """The next answer of a worker that decodes to ``size`` x ``size`` pixels.

    Raises :class:`EOFError` when the worker is gone, ValueError, KeyError or TypeError when it talks nonsense, and
    :class:`TextReaderUnavailable`.
    """
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    answer = json.loads(line)
    if answer.get("error") == TextReaderUnavailable.__name__:
        raise TextReaderUnavailable(str(answer["message"]))
    if "error" in answer:
        kind = getattr(errors, answer["error"], PhotoError)
        known = isinstance(kind, type) and issubclass(kind, PhotoError)
        return (kind if known else PhotoError)(str(answer["message"]))
    facts, written = json_form.facts_from(answer["facts"]), json_form.written_from(answer["written"])
    sidecars, problems = str(answer["sidecars"]), tuple(map(str, answer["problems"]))
    side = size if answer["pixels"] else 0
    square = np.empty((side, side, 3), np.uint8)
    if stream.readinto(square.data) < square.nbytes:
        raise EOFError
    thumbnails = {}
    for longest, length in answer["thumbnails"]:
        if not 0 < int(length) <= MOST_THUMBNAIL_BYTES:
            raise ValueError(length)
        thumbnails[int(longest)] = _read(stream, int(length))
    looks = None if answer["looks"] is None else frozenset(map(str, answer["looks"]))
    fingerprint = bytes.fromhex(answer["fingerprint"])
    text = None if answer["text"] is None else text_from(answer["text"])
    return DecodedPhoto(
        facts, square, written, sidecars, problems, fingerprint, looks=looks, thumbnails=thumbnails, text=text,
        unexported=json_form.unexported_from(answer["unexported"]),
    )  # fmt: skip


def text_from(value: dict[str, Any]) -> PhotoText:
    """Return the text that a worker read. Raises ValueError, KeyError or TypeError for what is none."""
    lines = []
    for text, confidence, box, block in value["lines"]:
        a, b, c, d, e, f, g, h = map(int, box)
        corners = (a, b, c, d, e, f, g, h)
        if not all(0 <= each <= BOX_UNITS for each in corners):
            raise ValueError(box)
        lines.append(TextLine(str(text), min(max(float(confidence), 0.0), 1.0), corners, int(block)))
    return PhotoText(tuple(lines), bool(value["closely"]))


def _read(stream: BinaryIO, length: int) -> bytes:
    found = stream.read(length)
    if len(found) < length:
        raise EOFError
    return found


def _serve(answers: BinaryIO, function: DecodeFunction, path: Path, size: int, max_pixels: int) -> None:
    try:
        photo = function(path, size, max_pixels)
        has_pixels = photo.pixels.size > 0 or not photo.thumbnails
        if (has_pixels and photo.pixels.shape != (size, size, 3)) or photo.pixels.dtype != np.uint8:
            raise ValueError(f"decoded to {photo.pixels.dtype} {photo.pixels.shape}")
    except (PhotoError, TextReaderUnavailable) as error:
        _answer(answers, {"error": type(error).__name__, "message": str(error)})
    except Exception as error:
        # A mistake of ours or of a plugin, not of the photo; the parent names the file.
        message = f"{shown(path)} could not be decoded: {in_one_line(error)}"
        _answer(answers, {"error": DecoderCrashed.__name__, "message": " ".join(message.split())})
    else:
        header = {
            "facts": json_form.facts_dict(photo.facts),
            "written": dataclasses.asdict(photo.written),
            "sidecars": photo.sidecars,
            "problems": photo.problems,
            "fingerprint": photo.fingerprint.hex(),
            "pixels": has_pixels,
            "thumbnails": [[side, len(picture)] for side, picture in photo.thumbnails.items()],
            "looks": None if photo.looks is None else sorted(photo.looks),
            "text": None if photo.text is None else dataclasses.asdict(photo.text),
            "unexported": None if photo.unexported is None else dataclasses.asdict(photo.unexported),
        }
        _answer(answers, header, np.ascontiguousarray(photo.pixels).data, *photo.thumbnails.values())


def _answer(answers: BinaryIO, header: dict[str, Any], *parts: bytes | memoryview) -> None:
    try:
        answers.write(json.dumps(header).encode("ascii") + b"\n")
        for part in parts:
            answers.write(part)
        answers.flush()
    except OSError:
        os._exit(0)  # nobody is listening any more


def _listen(requests: BinaryIO) -> queue.SimpleQueue[_Request]:
    """Paths as they come, read by a thread, so that the end of the parent ends us also in the middle of a photo."""
    waiting: queue.SimpleQueue[_Request] = queue.SimpleQueue()

    def listen() -> None:
        try:
            while line := requests.readline():
                waiting.put(_received(json.loads(line), requests))
        except EOFError:
            pass
        os._exit(0)

    threading.Thread(target=listen, name="requests", daemon=True).start()
    return waiting


def _received(request: Any, requests: BinaryIO) -> _Request:
    """Return the path that is asked for, the files that were sent with it, and its draft."""
    if isinstance(request, str):
        return request, LentFiles(), None
    headers, (height, width) = request["files"], request.get("draft", (0, 0))
    _make_room(sum(int(length) for _, length, *_ in headers) + height * width * 3)
    lent = LentFiles.receive(headers, requests)
    if not height:
        return request["path"], lent, None
    return request["path"], lent, np.frombuffer(_read(requests, height * width * 3), np.uint8).reshape(height, width, 3)


if __name__ == "__main__":
    sys.exit("photoindex starts this by itself, to decode photos")
