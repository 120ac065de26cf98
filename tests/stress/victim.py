"""photoindex through its public interface, with a captioner that reads numbers: the process that the others torment.

    python tests/stress/victim.py index|watch|reindex DATA [--flag=value …] FOLDER…

Prints ``ready`` when a watch has done all that was there, and at the end of an index or reindex what it did, as JSON.
Notices go to stderr. Exit status: 0, or 1 after one line about an error that photoindex raised on purpose.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from coded import CodedCaptioner

from photoindex.config import Settings
from photoindex.errors import PhotoindexError
from photoindex.library import Library


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["index", "watch", "reindex"])
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--run", default="1")
    parser.add_argument("--model", default="coded-1")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--settle", type=float, default=0.2)
    parser.add_argument("--poll", type=float, default=10.0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--decode-seconds", type=float, default=60.0)
    options = parser.parse_intermixed_args()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    settings = Settings(
        options.data_dir,
        settle_seconds=options.settle,
        poll_seconds=options.poll,
        decode_workers=options.workers,
        decode_seconds=options.decode_seconds,
        read_text="never",  # text_kills.py is about that
    )
    captioner = CodedCaptioner(options.model, options.log, options.run, options.batch, options.delay)

    def notice(line: str) -> None:
        print(f"notice: {line}", file=sys.stderr, flush=True)

    try:
        with Library(settings, lambda _: captioner) as library:
            if options.command == "watch":
                library.watch(*options.folders, stop=stop, notice=notice, ready=lambda _: print("ready", flush=True))
            elif options.command == "index":
                report = library.index(*options.folders, stop=stop, notice=notice)
                print(json.dumps({"seen": report.seen, "captioned": report.captioned, "failed": report.failed}))
            else:
                tally = library.recaption(stop=stop)
                print(json.dumps({"captioned": tally.captioned, "failed": tally.failed}))
    except PhotoindexError as error:
        print(f"photoindex: {error}", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
