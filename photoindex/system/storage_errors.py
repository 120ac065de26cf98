"""What may go wrong with a file that lies in a store, besides what :mod:`os` knows."""

from __future__ import annotations


class StoreUnavailable(OSError):
    """A store could not be asked: no network, no credentials, no such bucket, too many requests. ``strerror`` is one
    line for a person."""


class FileReplaced(OSError):
    """Something else is at the path than when it was opened, so that no more of it can be read."""
