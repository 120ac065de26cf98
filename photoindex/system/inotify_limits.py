"""The kernel's limit of inotify watches (Linux)."""

from __future__ import annotations

import os
from pathlib import Path


class InotifyLimits:
    """How many watches there may be and are; ``None`` where nobody says (other systems, some sandboxes)."""

    def allowed(self) -> int | None:
        """How many watches this user may hold, over all programs together."""
        try:
            return int(Path("/proc/sys/fs/inotify/max_user_watches").read_text())
        except (OSError, ValueError):
            return None

    def held(self) -> int | None:
        """How many watches this process holds now."""
        count = 0
        try:
            for name in os.listdir("/proc/self/fdinfo"):
                try:
                    count += Path("/proc/self/fdinfo", name).read_text().count("inotify wd:")
                except OSError:
                    continue  # closed since it was listed
        except OSError:
            return None
        return count or None
