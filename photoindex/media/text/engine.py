"""The library that finds and reads lines of text in a picture: RapidOCR, with the networks that its wheel holds.

It is the only file that knows it. The networks are named by their paths, so that nothing is ever downloaded; they run
on OpenVINO where that is installed, else on ONNX Runtime.
"""

from __future__ import annotations

import importlib.util
import math
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from PIL import Image

from photoindex.errors import TextReaderUnavailable
from photoindex.media.text.reader_version import INSTALL, PACKAGE
from photoindex.system.error_lines import in_one_line

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST_SIDE: Final = 1600  # pixels; larger pictures are made smaller
# Detection takes sides that are multiples of this many pixels, so that few shapes occur: each new one costs as much as
# a picture.
SIDE_STEP: Final = 160
LEAST_CONFIDENCE: Final = 0.5  # of a line that is kept
UPRIGHT: Final = 0.85  # a line that is read with less is also tried upside down
UPRIGHT_SHAPE: Final = 1.5  # what is so many times as high as wide is read from the bottom up, by the library
MOST_TURNED: Final = 40  # lines of one picture that are tried so
NETWORKS: Final = {
    "Det": "PP-OCRv6_det_small.onnx",
    "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    "Rec": "PP-OCRv6_rec_small.onnx",
}

Quad = list[tuple[float, float]]


class Piece(NamedTuple):
    """A line of text, or a part of one, with its corners in pixels clockwise from the upper left of the text."""

    quad: Quad
    text: str
    confidence: float


class Engine:
    """Finds and reads text with ``threads`` threads. Raises :class:`TextReaderUnavailable` when it cannot."""

    def __init__(self, threads: int) -> None:
        try:
            self._ocr = _rapidocr(threads)
        except TextReaderUnavailable:
            raise
        except Exception as error:
            raise _does_not_start(error) from error

    def try_out(self) -> None:
        """Load the networks, which otherwise happens when they are first needed, and run them on a blank picture.

        Raises :class:`TextReaderUnavailable` when they do not run.
        """
        blank = np.full((SIDE_STEP, SIDE_STEP, 3), 255, np.uint8)
        try:
            self._ocr(blank, use_det=True, use_cls=False, use_rec=False)
            self._ocr(blank, use_det=False, use_cls=False, use_rec=True, text_score=0.0)
        except MemoryError:
            raise
        except Exception as error:
            raise _does_not_start(error) from error

    def read(self, picture: Image.Image) -> list[Piece]:
        """Return the lines of text in an RGB picture."""
        found = self._ask(_padded(picture), use_det=True, use_cls=False, use_rec=True, text_score=0.0)
        if getattr(found, "txts", None) is None or found.boxes is None:
            return []
        rows = zip(found.boxes, found.txts, found.scores, strict=True)
        pieces = [Piece([(float(x), float(y)) for x, y in box], str(text), float(score)) for box, text, score in rows]
        doubtful = [number for number, piece in enumerate(pieces) if piece.confidence < UPRIGHT]
        for number in doubtful[:MOST_TURNED]:
            turned = self._read_turned(picture, pieces[number])
            if turned.confidence > pieces[number].confidence:
                pieces[number] = turned
        return [piece for piece in pieces if piece.confidence >= LEAST_CONFIDENCE]

    def has_text(self, picture: Image.Image) -> bool:
        """Return whether detection finds anything in an RGB picture, without reading it."""
        return bool(len(self._ask(_padded(picture), use_det=True, use_cls=False, use_rec=False)))

    def _ask(self, pixels: NDArray[np.uint8], **wanted: Any) -> Any:
        try:
            return self._ocr(pixels, **wanted)
        except MemoryError:
            raise
        except Exception:
            self.try_out()  # if no picture can be read, it is not this one's fault
            raise

    def _read_turned(self, picture: Image.Image, piece: Piece) -> Piece:
        """Read a line as if it stood upside down. The library's own network for that takes half of the long lines that
        stand upright for turned ones."""
        upper_left, upper_right, lower_right, lower_left = piece.quad
        width = max(math.dist(upper_left, upper_right), math.dist(lower_left, lower_right))
        height = max(math.dist(upper_left, lower_left), math.dist(upper_right, lower_right))
        corners = [value for corner in (upper_left, lower_left, lower_right, upper_right) for value in corner]
        size = max(1, round(width)), max(1, round(height))
        line = picture.transform(size, Image.Transform.QUAD, corners, Image.Resampling.BICUBIC)
        line = line.transpose(
            Image.Transpose.ROTATE_270 if size[1] >= UPRIGHT_SHAPE * size[0] else Image.Transpose.ROTATE_180
        )
        found = self._ask(np.asarray(line)[:, :, ::-1], use_det=False, use_cls=False, use_rec=True, text_score=0.0)
        if getattr(found, "txts", None):
            return Piece(piece.quad, str(found.txts[0]), float(found.scores[0]))
        return Piece(piece.quad, "", 0.0)


def _does_not_start(error: Exception) -> TextReaderUnavailable:
    return TextReaderUnavailable(
        f"the library that reads text, {PACKAGE}, does not start ({in_one_line(error)}): {INSTALL}"
    )


def _padded(picture: Image.Image) -> NDArray[np.uint8]:
    """Return an RGB picture as BGR, (height, width, 3), with its last row and column repeated up to a multiple of the
    step."""
    width, height = picture.size
    return np.pad(
        np.asarray(picture)[:, :, ::-1], ((0, -height % SIDE_STEP), (0, -width % SIDE_STEP), (0, 0)), mode="edge"
    )


def _rapidocr(threads: int) -> Any:
    folder = networks_folder()
    for name in NETWORKS.values():
        if folder is None or not (folder / name).is_file():
            raise TextReaderUnavailable(
                f"the installed {PACKAGE} has no {name}: install one that has it, with {INSTALL}"
            )
    assert folder is not None
    from rapidocr import EngineType, RapidOCR

    on_openvino = importlib.util.find_spec("openvino") is not None
    kind = EngineType.OPENVINO if on_openvino else EngineType.ONNXRUNTIME
    options: dict[str, Any] = {
        "Global.log_level": "critical",
        "Global.max_side_len": LONGEST_SIDE + SIDE_STEP,
        "Det.limit_type": "max",  # and so never made larger
        "Det.limit_side_len": LONGEST_SIDE + SIDE_STEP,
        "EngineConfig.openvino.inference_num_threads": threads,
        "EngineConfig.openvino.num_streams": 1,
        "EngineConfig.onnxruntime.intra_op_num_threads": threads,
        **{f"{part}.engine_type": kind for part in NETWORKS},
        **{f"{part}.model_path": str(folder / name) for part, name in NETWORKS.items()},
    }
    return RapidOCR(params=options)


@cache
def networks_folder() -> Path | None:
    """Return the folder of the networks inside the installed library; ``None`` when it is not installed."""
    found = importlib.util.find_spec(PACKAGE)
    places = [] if found is None else list(found.submodule_search_locations or ())
    return Path(places[0]) / "models" if places else None
