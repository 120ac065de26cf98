"""What is known of photos, in forms that other programs and later libraries can read: sidecars and JSON lines."""

from __future__ import annotations

from photoindex.exchange.exchange import Exchange

__all__ = ["Exchange"]
