"""Unpickling that can run no code: plain values, and the few names that the caller lists.

A pickle may name any function there is and have it called ("The pickle module is not secure", Python's documentation).
Whoosh keeps its table of contents and its postings as pickles. An index may come from anywhere, so what photoindex
reads of one goes through here: a name that is not listed ends the reading with :class:`RefusedPickle`.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from typing import IO, Any, Final

Names = Mapping[tuple[str, str], Any]

dumps = pickle.dumps
dump = pickle.dump
PicklingError = pickle.PicklingError


class RefusedPickle(ValueError):
    """A pickle that names something which it has no need for."""


def _latin_1(text: Any, encoding: Any) -> bytes:
    """Return the bytes that protocol 2 writes as a call of ``_codecs.encode``."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise RefusedPickle("bytes of another encoding")
    return text.encode("latin-1")


def _no_bytes() -> bytes:
    """Return what protocol 2 writes as a call of ``bytes`` without arguments."""
    return b""


BYTES: Final[Names] = {
    ("_codecs", "encode"): _latin_1,
    ("builtins", "bytes"): _no_bytes,
    ("__builtin__", "bytes"): _no_bytes,
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: IO[bytes], names: Names) -> None:
        super().__init__(file)
        self._names = names

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._names[module, name]
        except KeyError:
            raise RefusedPickle(f"a pickle that asks for {module}.{name}"[:200]) from None


def load(file: IO[bytes], names: Names = BYTES) -> Any:
    """Read one pickle from ``file``. Raises RefusedPickle, or what a damaged pickle causes."""
    return _Unpickler(file, names).load()


def loads(data: bytes, names: Names = BYTES) -> Any:
    """Read the pickle in ``data``. Raises RefusedPickle, or what a damaged pickle causes."""
    return _Unpickler(io.BytesIO(data), names).load()
