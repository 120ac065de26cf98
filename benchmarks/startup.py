"""What a command costs before it does anything: `search`, `--version` and `--help` as whole processes.

    python benchmarks/startup.py [--photos 10000] [--runs 15] [--python VENV/bin/python]

Makes a library of invented photos in a temporary folder and asks it, side by side with a bare script that opens the
same index and runs the same query, with one that asks a Whoosh index of the same words, with importing torch, and with
Python that imports click and nothing else. It needs whoosh3, which is not installed with photoindex.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from invented import fill
from side_by_side import in_turns, machine, of_python, photoindex, print_ratio, print_times, use_installation

from photoindex.catalogue.photos import all_photo_ids
from photoindex.config import Settings
from photoindex.library import Library
from photoindex.search.fulltext.sync import load_documents
from photoindex.search.ranking.weights import FIELD_WEIGHTS

QUERY = "dog grass"  # stems of their own, so that the bare script needs no stemmer
SAME_INDEX = """
import os, sys
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as photoindex has it
from photoindex.search import FullText
from photoindex.search.ranking.weights import Ranking

with FullText.open(Path(sys.argv[1])) as index:
    for match in index.search(sys.argv[2], 20, Ranking(), None):
        print(match.photo_id, match.score)
"""
BARE = """
import sys
from whoosh import index
from whoosh.qparser import MultifieldParser, OrGroup

found = index.open_dir(sys.argv[1])
with found.searcher() as searcher:
    query = MultifieldParser(sys.argv[3].split(","), found.schema, group=OrGroup).parse(sys.argv[2])
    for hit in searcher.search(query, limit=20):
        print(hit.docnum, hit.score)
"""


def bare_index(library: Library, folder: Path) -> Path:
    """Make a Whoosh index of the library's words in a folder."""
    from whoosh import fields, index

    folder.mkdir()
    found = index.create_in(str(folder), fields.Schema(**{name: fields.TEXT() for name in FIELD_WEIGHTS}))
    with library._database.read() as connection:
        documents = load_documents(connection, all_photo_ids(connection))
    writer = found.writer()
    for document in documents:
        writer.add_document(**{name: text for name in FIELD_WEIGHTS if (text := getattr(document, name))})
    writer.commit()
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--python", type=Path, help="a Python with photoindex installed [default: this checkout]")
    options = parser.parse_args()
    use_installation(options.python)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        (folder / "photos").mkdir()
        with Library(Settings(folder / "data")) as library:
            fill(library._database, folder / "photos", options.photos)
            library.rebuild_full_text()
            index = bare_index(library, folder / "bare")
        measured = in_turns(
            {
                "python -c pass": of_python("pass"),
                "import click": of_python("import click"),
                "photoindex --version": photoindex("--version"),
                "photoindex --help": photoindex("--help"),
                "bare script, same index": of_python(SAME_INDEX, folder / "data" / "fulltext", QUERY),
                "bare script, all fields": of_python(BARE, index, QUERY, ",".join(FIELD_WEIGHTS)),
                "bare script, captions": of_python(BARE, index, QUERY, "caption"),
                "photoindex search": photoindex("--data-dir", folder / "data", "search", QUERY),
                **({} if options.python else {"import torch": of_python("import torch")}),
            },
            options.runs,
        )
    print(f"a library of {options.photos:,} photos, {QUERY!r}; {options.runs} runs each, in turns\n")
    print_times(measured)
    print()
    print_ratio(measured, "photoindex search", "bare script, same index", 1.5)
    print_ratio(measured, "photoindex search", "bare script, all fields", 2)
    print_ratio(measured, "photoindex search", "bare script, captions", 2)
    if "import torch" in measured:
        print_ratio(measured, "photoindex search", "import torch", 0.2)
    print_ratio(measured, "photoindex --version", "import click", 2)
    print_ratio(measured, "photoindex --help", "import click", 2)
    print(f"\n{machine('torch', 'whoosh3', 'numpy', 'click')}")


if __name__ == "__main__":
    main()
