"""JPEGs decoded small on a GPU, by NVIDIA's nvJPEG through torchvision, in a process of its own.

A photo of a stranger may end the process that decodes it: this one ends then, and its photos are decoded as all others
are. The process is started when there is something to decode. On a CPU the same code decodes by libjpeg, for tests.
"""

from __future__ import annotations

import json
import math
import os
import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from photoindex.config import Settings
from photoindex.errors import DeviceUnavailable
from photoindex.system.child_process import Child, own_streams, send
from photoindex.system.error_lines import in_one_line
from photoindex.types import CaptionerInfo

if TYPE_CHECKING:
    from torch import Tensor

START_SECONDS = 120.0  # torch from a cold, slow disk, and a GPU's first use
SECONDS = 30.0  # for photos that are sent together
MOST_LOSSES = 3  # processes that ended or were ended, before no more are started
_START = "import sys; sys.path[:] = sys.argv[1:]; from photoindex.captioner.jpeg_drafts import serve; serve()"


class DraftProcess:
    """Has JPEGs decoded small by a ``device`` of torch; what a decoder asks of it is in
    :class:`photoindex.media.decode.drafts.DraftMaker`. ``problem`` says why it has given up, for a person."""

    def __init__(self, device: str = "cuda") -> None:
        self._device = device
        self._child: Child | None = None
        self._losses = 0
        self._asking = self._interrupted = False
        self.problem = ""

    @property
    def works(self) -> bool:
        return not self.problem

    def make(self, jpegs: Sequence[bytes], scales: Sequence[int]) -> Sequence[NDArray[np.uint8] | None]:
        """JPEGs of three channels -> each as (height, width, 3) at 1 / scale of its size, rounded up; ``None`` for one
        that cannot be decoded here. Never raises for what a photo or the process does."""
        nothing: list[NDArray[np.uint8] | None] = [None] * len(jpegs)
        if not self.works or not jpegs:
            return nothing
        self._asking, self._interrupted = True, False
        try:
            child = self._started()
            if child is None:
                return nothing
            request = {"photos": [[len(jpeg), scale] for jpeg, scale in zip(jpegs, scales, strict=True)]}
            answer = child.exchange(request, b"".join(jpegs), seconds=SECONDS, behind=_length)
            return list(_drafts(answer, len(jpegs)))
        except (TimeoutError, ValueError, KeyError, TypeError):
            self._lose()
            return nothing
        finally:
            self._asking = False

    def interrupt(self) -> None:
        child = self._child
        if self._asking and child is not None:
            self._interrupted = True
            child.kill()

    def close(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.close()

    def _started(self) -> Child | None:
        if self._child is not None and self._child.alive:
            return self._child
        self.close()
        try:
            self._child = Child(_START)
            answer = json.loads(self._child.exchange({"device": self._device}, seconds=START_SECONDS))
            self.problem = str(answer.get("error", ""))
        except (TimeoutError, ValueError):  # the first is an OSError
            self._lose()
            return None
        except OSError as error:
            self.problem = f"its process cannot be started: {error.strerror or error}"
        if self.problem:
            self.close()
        return self._child

    def _lose(self) -> None:
        self.close()
        self._losses += not self._interrupted
        if self._losses >= MOST_LOSSES:
            self.problem = f"its process ended {MOST_LOSSES} times"


def drafts_of(settings: Settings, model: CaptionerInfo) -> DraftProcess | None:
    """What decodes on the GPU of a model, where the settings ask for it."""
    return DraftProcess() if settings.decode_on_gpu and model.is_on_gpu else None


def _length(line: bytes) -> int:
    """How many bytes of pixels are behind an answer. Raises ValueError for nonsense."""
    try:
        return sum(3 * math.prod(map(int, size)) for size in json.loads(line)["drafts"] if size is not None)
    except (KeyError, TypeError) as error:
        raise ValueError(line) from error


def _drafts(answer: bytes, count: int) -> list[NDArray[np.uint8] | None]:
    """An answer's pictures. Raises ValueError, KeyError or TypeError for one that is cut off or nonsense."""
    end = answer.index(b"\n") + 1
    sizes = json.loads(answer[:end])["drafts"]
    if len(sizes) != count:
        raise ValueError(sizes)
    found: list[NDArray[np.uint8] | None] = []
    for size in sizes:
        if size is None:
            found.append(None)
            continue
        height, width = map(int, size)
        found.append(np.frombuffer(answer, np.uint8, height * width * 3, end).reshape(height, width, 3))
        end += height * width * 3
    if end != len(answer):
        raise ValueError(len(answer))
    return found


def decode_small(jpegs: Sequence[bytes], scales: Sequence[int], device: str) -> list[Tensor | None]:
    """JPEGs -> uint8 (height, width, 3) each, on the CPU, each pixel the mean of ``scale`` x ``scale``."""
    import torch

    given = [torch.from_numpy(np.frombuffer(jpeg, np.uint8).copy()) for jpeg in jpegs]
    pictures = zip(_decoded(given, device), scales, strict=True)
    reduced = [None if picture is None else _reduced(picture, scale) for picture, scale in pictures]
    return [None if picture is None else picture.cpu() for picture in reduced]  # a GPU is not waited for before


def _decoded(given: list[Tensor], device: str) -> list[Tensor | None]:
    """What torchvision decodes: all at once, or one by one where there is one that it cannot."""
    from torchvision.io import ImageReadMode, decode_jpeg

    try:
        return list(decode_jpeg(given, ImageReadMode.RGB, device=device))
    except RuntimeError:  # it has none of them then; also for want of memory
        if len(given) == 1:
            return [None]
        return [picture for each in given for picture in _decoded([each], device)]


def _reduced(picture: Tensor, scale: int) -> Tensor:
    """uint8 (3, H, W) -> uint8 (H / scale, W / scale, 3), rounded up; what is beyond the edge is as the edge is.

    libjpeg rounds brightness and colour, and not RGB. Doing the same brought its pictures no nearer where it counts: of
    250 photos 238 kept their caption, and 242 with what is done here.
    """
    import torch.nn.functional as F

    height, width = picture.shape[1:]
    whole = F.pad(picture[None].float(), (0, -width % scale, 0, -height % scale), mode="replicate")
    return F.avg_pool2d(whole, scale)[0].round().byte().permute(1, 2, 0).contiguous()


def serve() -> None:
    """The process's side: find the device, then decode until standard input ends."""
    requests, answers = own_streams()
    warnings.simplefilter("ignore")  # torchvision's, that its decoders will be elsewhere one day
    with suppress(BrokenPipeError):
        device = json.loads(requests.readline())["device"]
        problem = _problem_of(device)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)  # from now on decoders would only write their warnings into somebody's terminal
        send(answers, {"error": problem} if problem else {})
        while not problem and (line := requests.readline()):
            photos = json.loads(line)["photos"]
            jpegs = [requests.read(length) for length, _ in photos]
            if len(jpegs[-1]) < photos[-1][0]:
                return  # the parent died in the middle of it
            drafts = decode_small(jpegs, [scale for _, scale in photos], device)
            send(
                answers,
                {"drafts": [None if draft is None else list(draft.shape[:2]) for draft in drafts]},
                *(draft.numpy().tobytes() for draft in drafts if draft is not None),
            )


def _problem_of(device: str) -> str:
    """Why JPEGs cannot be decoded on a device; empty if they can."""
    try:
        from photoindex.captioner.device import choose_device

        choose_device(device)
        import torch
        from torchvision.io import decode_jpeg, encode_jpeg

        made = encode_jpeg(torch.zeros(3, 8, 8, dtype=torch.uint8))
        decode_jpeg([made], device=device)
    except DeviceUnavailable as error:
        return str(error)
    except Exception as error:  # torchvision without it, or without these functions, or a driver that is too old
        return f"torchvision cannot: {in_one_line(error)}"
    return ""
