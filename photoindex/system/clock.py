"""The time of day. What must not jump with it is measured by ``time.monotonic``."""

from __future__ import annotations

from datetime import datetime, timezone


def utc_now() -> datetime:
    """Return the time now, with its zone (UTC)."""
    return datetime.now(timezone.utc)
