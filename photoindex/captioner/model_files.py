"""The files of a model folder, read without torch: enough to say what the model is and whether the folder is complete.

:mod:`.checkpoint` says what each file holds, and loads the weights.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photoindex.errors import CheckpointError, PickleRefused
from photoindex.system.error_lines import reason_of
from photoindex.system.file_state import sha256_of
from photoindex.system.json_files import parse_json, read_json

FORMAT = 3  # 1: before the term head; 2: before doubts in the search
OLDEST_FORMAT = 2
PICKLE_SUFFIXES = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle")
WEIGHTS_FILE = "model.safetensors"
EIGHT_BITS_FILE = "encoder_8bit.safetensors"  # not every model has one
VOCABULARY_FILE = "vocabulary.txt"
TERMS_FILE = "terms.txt"
LABELS_FILE = "labels.txt"
CARD_FILE = "MODEL_CARD.md"
CONFIG_FILE = "config.json"
TRAINING_FILE = "training.json"
ALL_FILES = (CONFIG_FILE, TRAINING_FILE, VOCABULARY_FILE, TERMS_FILE, LABELS_FILE, CARD_FILE, WEIGHTS_FILE)
IMAGENET_CLASSES = 1000
SMALLEST, LARGEST = 64, 1024  # pixels, the side of the square that an encoder can be given
_HEADER_LIMIT = 100_000_000  # bytes; safetensors itself refuses a longer header


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """What a complete model folder says of itself. ``identity`` is what captions record, see :class:`.Checkpoint`;
    ``labels`` and ``terms`` are how many there are."""

    folder: Path
    name: str
    identity: str
    weights_bytes: int
    words: int
    labels: int
    terms: int


def inspect_folder(folder: Path) -> ModelFiles:
    """Read all files of a model folder and see that they are of one model; the weights are hashed and not loaded.

    Raises :class:`PickleRefused` for a pickle, :class:`CheckpointError` as loading it would, but for weights that have
    the wrong shapes or are not numbers.
    """
    # Imported here: it brings the language along, which no command needs that only asks which models there are.
    from photoindex.captioner.vocabulary import Vocabulary

    refuse_pickles(folder)
    config = read_config(folder)
    try:
        words, term_head = int(config["decoder"]["vocabulary_size"]), config.get("term_head")
        term_count = int(term_head["terms"]) if term_head else 0
        pixels_of(config)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder / CONFIG_FILE} lacks or misspells a setting: {error}") from error
    vocabulary = Vocabulary.load(folder / VOCABULARY_FILE)
    check_vocabulary(folder, len(vocabulary), words)
    terms = read_terms(folder / TERMS_FILE, term_count) if term_count else ()
    labels = read_labels(folder / LABELS_FILE)
    weights = folder / WEIGHTS_FILE
    try:
        _check_safetensors(weights)
        if (folder / EIGHT_BITS_FILE).exists():
            _check_safetensors(folder / EIGHT_BITS_FILE)
        digest = sha256_of(weights)
        size = weights.stat().st_size
    except FileNotFoundError as error:
        raise CheckpointError(f"{weights} is missing; the model folder is incomplete") from error
    except OSError as error:
        raise CheckpointError(f"cannot read {weights}: {error.strerror or error}") from error
    return ModelFiles(folder, config["name"], identity_of(config, digest), size, words, len(labels), len(terms))


def read_config(folder: Path) -> dict[str, Any]:
    """``config.json`` of a checkpoint folder, without loading its weights. Raises :class:`CheckpointError`."""
    path = folder / CONFIG_FILE
    if not folder.is_dir():
        raise CheckpointError(f"no model at {folder}: no such folder")
    try:
        config = read_json(path)
    except FileNotFoundError as error:
        raise CheckpointError(f"{folder} is not a model: it has no {CONFIG_FILE}") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot read {path}: {reason_of(error)}") from error
    if not isinstance(config, dict) or not isinstance(config.get("format"), int) or "name" not in config:
        raise CheckpointError(f"{path} is not a photoindex model config")
    if config["format"] < OLDEST_FORMAT:
        raise CheckpointError(
            f"{folder} was made by an older photoindex (format {config['format']}); "
            "use the shipped model or train again"
        )
    if config["format"] > FORMAT:
        raise CheckpointError(
            f"{folder} was made by a newer photoindex (format {config['format']}); upgrade photoindex"
        )
    return config


def check_vocabulary(folder: Path, words: int, expected: int) -> None:
    if words != expected:
        raise CheckpointError(
            f"{folder}: the vocabulary has {words} words, the decoder {expected}; these files are not of one model"
        )


def read_labels(path: Path) -> tuple[str, ...]:
    """The encoder's object classes; none when the file is not there. Raises :class:`CheckpointError`."""
    try:
        names = tuple(path.read_text(encoding="utf-8").splitlines())
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"cannot read the labels {path}: {reason_of(error)}") from error
    if len(names) != IMAGENET_CLASSES:
        raise CheckpointError(f"{path} names {len(names)} object classes; the encoder has {IMAGENET_CLASSES}")
    return names


def read_terms(path: Path, count: int) -> tuple[str, ...]:
    """The ``count`` terms of the term head. Raises :class:`CheckpointError`."""
    try:
        terms = tuple(path.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"cannot read the terms {path}: {reason_of(error)}") from error
    if len(terms) != count or len(set(terms)) != count:
        raise CheckpointError(f"{path} names {len(set(terms))} terms; the term head has {count}")
    return terms


def refuse_pickles(path: Path) -> None:
    """Raises :class:`PickleRefused` when ``path`` is a pickle, or a folder with one in the place of its weights."""
    pickled = path if path.suffix in PICKLE_SUFFIXES else None
    if pickled is None and path.is_dir() and not (path / WEIGHTS_FILE).exists():
        pickled = next((p for p in sorted(path.iterdir()) if p.suffix in PICKLE_SUFFIXES), None)
    if pickled is not None:
        raise PickleRefused(
            f"{pickled} is a pickle, which can run code when loaded: photoindex loads safetensors only; convert it or "
            "train a model with `photoindex train`"
        )


def identity_of(config: dict[str, Any], digest: str) -> str:
    """Return what captions record of a model: with the size of the pictures that it sees where that is its own, as the
    same weights say other things of larger ones."""
    own = config.get("pixels")
    return f"{config['name']}-{digest[:12]}" + (f"-{own}" if own is not None else "")


def pixels_of(config: dict[str, Any]) -> int | None:
    """Return the side of the square that photos are resized to, where a model says so. Raises ValueError."""
    own = config.get("pixels")
    if own is None or (isinstance(own, int) and SMALLEST <= own <= LARGEST):
        return own
    raise ValueError(f"pixels is {own!r}, and not a whole number from {SMALLEST} to {LARGEST}")


def _check_safetensors(path: Path) -> None:
    """See that the file is as long as its header says: eight bytes with the header's length, JSON, the tensors."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
        if length > min(size - 8, _HEADER_LIMIT):
            raise CheckpointError(f"{path} is damaged or is not safetensors: it ends before its header does")
        try:
            header = parse_json(file.read(length))
            ends = [int(entry["data_offsets"][1]) for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, AttributeError, KeyError, TypeError, IndexError) as error:
            raise CheckpointError(f"{path} is damaged or is not safetensors: its header makes no sense") from error
    expected = 8 + length + max(ends, default=0)
    if size != expected:
        raise CheckpointError(f"{path} is damaged: it has {size} bytes, and its header speaks of {expected}")
