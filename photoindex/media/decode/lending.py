"""What a decoding worker needs of a photo behind a URL: its bytes, and those of the sidecars beside it.

The parent reads them and sends them with the request; :mod:`photoindex.system.lent_files` says why.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

from photoindex.media.metadata import sidecars, takeout, xmp
from photoindex.system import url_contents
from photoindex.system.lent_files import LentFile
from photoindex.system.regular_files import read_up_to
from photoindex.system.storage import open_file, status_of

# One byte more than their readers take, by which these know that it is too much.
_MOST_OF_A_SIDECAR: Final = max(takeout.MOST_BYTES, xmp.MOST_BYTES) + 1


def lend(path: Path) -> list[LentFile]:
    """Read a photo behind a URL and its sidecars. Raises OSError; a sidecar that cannot be read is left out."""
    status, content = url_contents.read(path)
    lent = [LentFile(str(path), status, content)]
    for sidecar in sidecars.beside(path):
        with suppress(OSError), open_file(sidecar.path) as file:
            lent.append(LentFile(str(sidecar.path), status_of(file), read_up_to(file, _MOST_OF_A_SIDECAR)))
    return lent
