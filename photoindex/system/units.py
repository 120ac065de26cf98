"""Counts, sizes and durations as people read them."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun: ``1 photo``, ``2,000 photos``, ``3 queries``; ``plural`` where neither rule holds."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {plural or (noun[:-1] + 'ies' if _ends_in_ies(noun) else noun + 's')}"


def _ends_in_ies(noun: str) -> bool:
    """Whether the plural is written with ``ies``: a query, but a day."""
    return noun[-1:] == "y" and noun[-2:-1] not in "aeiou"


def human_size(size: float) -> str:
    """Bytes for a person: ``31 MB``."""
    if size == 1:
        return "1 byte"
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def human_seconds(seconds: float) -> str:
    """A duration for a person: ``1 h 05 min``, ``3 min 20 s``, ``8 s``."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    if whole >= 60:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole} s"
