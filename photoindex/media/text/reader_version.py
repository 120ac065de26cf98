"""The version of the reader of text, and the library that it reads by."""

from __future__ import annotations

import importlib.util
from typing import Final

# Raise it when text is read otherwise, so that photos are looked at again.
TEXT_READER: Final = 1
PACKAGE: Final = "rapidocr"
INSTALL: Final = "pip install 'photoindex[text]'"


def is_installed() -> bool:
    """Return whether the library that reads text is installed, and one that runs its networks. Imports neither."""
    return _has(PACKAGE) and (_has("openvino") or _has("onnxruntime"))


def _has(name: str) -> bool:
    return importlib.util.find_spec(name) is not None
