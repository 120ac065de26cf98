"""Modules that are imported when something of them is first used.

What a command imports before it begins is most of the time that a short one takes.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any


class _LazyModule:
    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_module(self._name), attribute)


def lazily(name: str) -> Any:
    """The module called ``name``, imported with the first question for anything in it.

    Type checkers are told by an ordinary import below ``TYPE_CHECKING``.
    """
    return _LazyModule(name)


def names_of(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` for a package whose names are imported when first used; ``homes`` has their
    modules.

    Type checkers must not see them: with a ``__getattr__`` they take every name for one of the package's.
    """

    def resolve(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(homes[name]), name)

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return resolve, names


@contextmanager
def importing() -> Iterator[None]:
    """Around the imports of a command, which they make a fifth faster.

    Modules are many objects that all stay: the garbage collector finds nothing among them, neither now nor when it
    looks at everything once more at the end of the process. Not for programs that photoindex is only a part of.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
