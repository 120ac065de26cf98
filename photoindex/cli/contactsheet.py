"""``--html``: the page of a search or an album as a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from photoindex.cli.output_files import check_replaceable
from photoindex.errors import ConfigError
from photoindex.library.contact_sheet import BEGINNING, contact_sheet
from photoindex.system.atomic import replace_file
from photoindex.types import Hit


def write_contact_sheet(
    path: Path, title: str, hits: Sequence[Hit], pictures: Iterable[bytes | None], about: str = "best first"
) -> None:
    """Write the page as a whole, or not at all. Raises :class:`ConfigError`, and :class:`FolderError` for a file that
    is there and is no such page."""
    check_replaceable(path, BEGINNING.encode(), "a page of this command")
    try:
        replace_file(path, "".join(contact_sheet(title, hits, pictures, about)))
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror or error}") from error
