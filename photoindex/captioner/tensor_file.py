"""Tensors as the bytes of a safetensors file; the same ones give the same bytes, whose hash is a model's identity."""

from __future__ import annotations

import json
from collections.abc import Mapping

from safetensors.torch import save
from torch import Tensor


def tensor_file(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """Return the content of a safetensors file. Its metadata are sorted, which safetensors has in an order of chance.

    The format: https://github.com/huggingface/safetensors#format.
    """
    content = save(dict(tensors), dict(metadata))
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = dict(sorted(metadata.items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # so that the tensors begin where numbers of 8 bytes may
    return len(text).to_bytes(8, "little") + text + content[8 + length :]
