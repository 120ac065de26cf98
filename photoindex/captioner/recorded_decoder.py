"""A decoder whose steps are recorded as CUDA graphs: a GPU is told once a word what to do, not once an operation.

A step is some thirty small operations, and a GPU does each sooner than Python asks for the next. A graph always reads
and writes the same memory, of one size. So there is one for each power of two of photos and each number of beams;
fewer photos are put into the first places of the next larger one, and what is in the others is never looked at. Each
thread (:class:`.thread_pool.Lanes`) has graphs of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

from photoindex.captioner.network import DecoderConfig, PhotoFeatures, State, WordSteps, start_words

LEAST_PHOTOS: Final = 16  # fewer take a GPU as long

Work = Callable[[], tuple[Tensor, ...]]  # returns what it computes, always from the same memory


class RecordedDecoder:
    """``decoder`` on its device, with its steps recorded on an NVIDIA GPU.

    Other devices have no graphs: a step is computed each time, and its results are copied to where a graph writes them,
    so that all else is the same there.
    What a step returns holds until the next one of the same thread. Where a step cannot be recorded, this one and all
    later ones are computed as ``decoder`` does, and ``problem`` says why; else it is empty.
    """

    def __init__(self, decoder: WordSteps, device: torch.device) -> None:
        self._decoder, self._device = decoder, device
        self._recorded = _as_cuda_graph if device.type == "cuda" else _into_the_same_memory
        self._of_thread = _OfThread()
        self._one_at_a_time = threading.Lock()  # torch records one graph at once in a process
        self.problem = ""

    @torch.inference_mode()
    def examine(self, config: DecoderConfig) -> str:
        """``problem``, after the smallest step that there is has been tried."""
        regions = torch.zeros(1, config.grid**2, config.feature_dim, device=self._device)
        features = PhotoFeatures(regions, torch.zeros(1, config.summary_dim, device=self._device))
        self.step(start_words(1, self._device), self.start(features))
        return self.problem

    def start(self, features: PhotoFeatures) -> State:
        return self._decoder.start(features)

    def logits(self, hidden: Tensor) -> Tensor:
        return self._decoder.logits(hidden)

    def step(self, words: Tensor, state: State) -> tuple[Tensor, State]:
        recording = self._recording(words, state)
        return self._decoder.step(words, state) if recording is None else recording.step(words, state)

    def _recording(self, words: Tensor, state: State) -> _Recording | None:
        recordings = self._of_thread.recordings
        photos = min(len(part) for part in state.parts())
        size = max(LEAST_PHOTOS, 1 << (photos - 1).bit_length())
        kind = size, len(words) // photos
        if kind not in recordings and not self.problem:
            grown = state.from_parts([_larger(part, photos, size) for part in state.parts()])
            try:
                with self._one_at_a_time:
                    recordings[kind] = _Recording(self._decoder, _larger(words, photos, size), grown, self._recorded)
            except torch.cuda.OutOfMemoryError:  # fewer photos at once may help
                raise
            except RuntimeError as error:
                self.problem = str(error).partition("\n")[0]
        return recordings.get(kind)


class _OfThread(threading.local):
    def __init__(self) -> None:
        self.recordings: dict[tuple[int, int], _Recording] = {}  # by photos and beams


class _Recording:
    """One step of ``decoder`` as ``recorded`` makes it, from now on read from ``words`` and ``state``, which are its
    own, with places for as many photos as there may be."""

    def __init__(self, decoder: WordSteps, words: Tensor, state: State, recorded: Callable[[Work], Work]) -> None:
        self._words, self._given = words, state.parts()

        def step() -> tuple[Tensor, ...]:
            hidden, after = decoder.step(words, state)
            return hidden, *after.parts()

        self._again = recorded(step)
        # Of the memory that a step leaves as it is, what was put there last: most of it is a photo's own.
        self._last: list[Tensor | None] = [None] * len(self._given)

    def step(self, words: Tensor, state: State) -> tuple[Tensor, State]:
        parts = state.parts()
        self._words[: len(words)] = words
        for place, last, part in zip(self._given, self._last, parts, strict=True):
            if part is not last:
                place[: len(part)] = part
        hidden, *answers = self._again()
        stays = [answer is place for answer, place in zip(answers, self._given, strict=True)]
        self._last = [part if same else None for part, same in zip(parts, stays, strict=True)]
        after = [
            part if same else answer[: len(part)] for part, same, answer in zip(parts, stays, answers, strict=True)
        ]
        return hidden[: len(words)], state.from_parts(after)


def _larger(part: Tensor, photos: int, size: int) -> Tensor:
    """Zeros like ``part``, which has equally many rows of each of so many photos, with places for ``size``."""
    return part.new_zeros(len(part) // photos * size, *part.shape[1:])


def _as_cuda_graph(work: Work) -> Work:
    """See "CUDA graphs" in https://docs.pytorch.org/docs/stable/notes/cuda.html."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        work()  # libraries choose their ways and take their memory when they are first asked
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    # Other threads go on with what they do.
    with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
        answers = work()

    def again() -> tuple[Tensor, ...]:
        graph.replay()
        return answers

    return again


def _into_the_same_memory(work: Work) -> Work:
    answers = work()

    def again() -> tuple[Tensor, ...]:
        for place, answer in zip(answers, work(), strict=True):
            if place is not answer:
                place.copy_(answer)
        return answers

    return again
