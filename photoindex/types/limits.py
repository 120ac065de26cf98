"""How much people may write, wherever they write it: the command line, the gallery, an import, a sidecar."""

from __future__ import annotations

from typing import Final

# Characters:
LONGEST_CAPTION: Final = 10_000
LONGEST_TAG: Final = 200
LONGEST_ALBUM_NAME: Final = 200
LONGEST_QUERY: Final = 1000
MOST_STARS: Final = 5
