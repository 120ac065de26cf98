"""Up to which change of a shared catalogue a node's own index is: a file beside the index.

The index may hold later words than the file says, after a process died between the two; writing them again is no harm.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from photoindex.catalogue.change_feed import Version
from photoindex.errors import FullTextError
from photoindex.system.atomic import replace_file
from photoindex.system.json_files import read_json

_NAME: Final = "followed.json"


def read_cursor(folder: Path) -> Version | None:
    """Return the version that the index in ``folder`` is at; ``None`` when that is not known."""
    try:
        known = read_json(folder / _NAME)
        return Version(str(known["identity"]), int(known["revision"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_cursor(folder: Path, version: Version) -> None:
    """Store the version that the index has come to. Raises :class:`FullTextError`."""
    try:
        replace_file(folder / _NAME, json.dumps(version._asdict()))
    except OSError as error:
        reason = error.strerror or error
        raise FullTextError(f"cannot write {folder / _NAME}: {reason}; make room on its disk") from error
