"""Files of tensors: what safetensors reads, and the same bytes each time."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from photoindex.captioner.tensor_file import tensor_file


@pytest.mark.parametrize("value", ["plain", "caf\u00e9 \u8349 \U0001f408", 'a "quoted"\n\\ line'])
@pytest.mark.parametrize("count", [0, 1, 6])
def test_the_same_tensors_give_the_same_bytes_and_are_read_back(tmp_path: Path, value: str, count: int) -> None:
    tensors = {"b": torch.arange(6, dtype=torch.float16).reshape(2, 3), "a": torch.ones(3), "none": torch.zeros(0, 2)}
    metadata = {f"key {number}": f"{value} {number}" for number in range(count)}
    contents = {tensor_file(tensors, dict(pairs)) for pairs in (metadata.items(), reversed(metadata.items()))}
    contents |= {tensor_file(tensors, metadata) for _ in range(4)}
    (content,) = contents
    (tmp_path / "some.safetensors").write_bytes(content)
    with safe_open(tmp_path / "some.safetensors", "pt") as file:
        assert (file.metadata() or {}) == metadata
        assert sorted(file.keys()) == sorted(tensors)
        for name, tensor in tensors.items():
            assert torch.equal(file.get_tensor(name), tensor)
            assert file.get_tensor(name).dtype == tensor.dtype
