"""URLs as they may be shown."""

from __future__ import annotations

import re
from typing import Final

_PASSWORD: Final = re.compile(r"(?<=:)[^:@/]*(?=@)|(?<=password=)[^&]*")


def without_password(url: str) -> str:
    """Return a URL whose password is replaced by three stars."""
    return _PASSWORD.sub("***", url)
