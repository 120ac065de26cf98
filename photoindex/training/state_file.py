"""Writing the state of a training as safetensors, in one step, so that a full disk or a crash leaves the file that was
there. Not by way of its bytes, which may be gigabytes."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from photoindex.errors import CheckpointError

_NUMBER = re.compile(r"\(os error (\d+)\)")  # how safetensors tells an error of the system


def save_state(tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str]) -> None:
    """Write tensors, which are contiguous and on the CPU, to ``path``, for the owner alone.

    Raises OSError when the disk refuses, and :class:`CheckpointError` for what cannot be written at all; the file that
    was there stays then, and nothing is left beside it.
    """
    temporary = path.with_name(path.name + ".new")
    try:
        save_file(dict(tensors), temporary, metadata=dict(metadata))
        with open(temporary, "r+b") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except SafetensorError as error:
        number = _NUMBER.search(str(error))
        if number is None:
            raise CheckpointError(f"cannot write {path}: {error}") from error
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)
