"""URLs as they may be shown."""

from __future__ import annotations

import re
from typing import Final

# A password may hold what ends it elsewhere, so it is taken to end at the last @ of the word.
_PASSWORD: Final = re.compile(r"""(//[^\s:/@'"]*:)[^\s'"]*(?=@)|(:)[^:@/]*(?=@)|(password=)[^&]*""")


def without_password(url: str) -> str:
    """Return a URL whose password is replaced by three stars."""
    return _PASSWORD.sub(lambda found: f"{found[1] or found[2] or found[3]}***", url)


def passwords_in(url: str) -> list[str]:
    """Return what :func:`without_password` hides, as it stands in the URL."""
    return [found[0].removeprefix(found[1] or found[2] or found[3]) for found in _PASSWORD.finditer(url)]
