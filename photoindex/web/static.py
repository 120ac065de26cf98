"""The files that pages load, read once into memory: there is no path on disk that an address could reach."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from starlette.responses import Response

from photoindex.web.problems import not_found

FOLDER: Final = Path(__file__).parent / "static"
TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
IMMUTABLE: Final = "public, max-age=31536000, immutable"


class StaticFiles:
    """The files of ``static/``, at addresses that change when any of them does."""

    def __init__(self, root: str, folder: Path = FOLDER) -> None:
        self._files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in TYPES}
        digest = hashlib.sha256()
        for name, content in self._files.items():
            digest.update(name.encode() + b"\0" + content)
        self.version = digest.hexdigest()[:12]
        self._base = f"{root}/static/{self.version}"

    def address(self, name: str) -> str:
        """Return the address of a file."""
        if name not in self._files:
            raise KeyError(name)
        return f"{self._base}/{name}"

    def answer(self, version: str, name: str) -> Response:
        """Return a file. Raises :class:`photoindex.web.problems.Problem`."""
        if version != self.version or name not in self._files:
            raise not_found()
        return Response(self._files[name], media_type=TYPES[Path(name).suffix], headers={"Cache-Control": IMMUTABLE})
