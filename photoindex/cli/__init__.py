"""The command line: a thin shell over :class:`photoindex.Library`, and the only place that prints."""

from photoindex.system.interrupts import ending_at_once

with ending_at_once():  # until main() can say that it was interrupted
    from photoindex.cli.main import main

__all__ = ["main"]
