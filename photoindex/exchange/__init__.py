"""Export and import: XMP sidecars for other programs, JSON lines for other libraries."""

from __future__ import annotations

from photoindex.exchange.exchange import Exchange

__all__ = ["Exchange"]
