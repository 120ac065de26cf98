"""The library as a program sees it: everything that the command line and the web pages may use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from photoindex.system.lazy_imports import names_of

if TYPE_CHECKING:
    from photoindex.library.facade import Library, open

__all__ = ["Library", "open"]

__getattr__ = names_of(__name__, dict.fromkeys(__all__, "photoindex.library.facade"))
