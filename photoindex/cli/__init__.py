"""The command line: a thin shell over :class:`photoindex.Library`, and the only place that prints."""

from photoindex.cli.main import main

__all__ = ["main"]
