"""How the catalogue keeps paths."""

from __future__ import annotations

import os


def stored_path(path: str, separator: str = os.sep) -> bytes:
    """Return a path as the catalogue keeps it: its bytes, with ``/`` between its parts on every system.

    ``separator`` is the system's; elsewhere than on Windows ``\\`` is a letter.
    """
    return os.fsencode(path if separator == "/" else path.replace(separator, "/"))
