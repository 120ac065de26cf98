"""What a search costs as a library grows, with learned terms and without: bytes on disk, milliseconds, memory.

    python benchmarks/search_scale.py [--terms-a-photo N] [--keep DIR] [--plot FILE] [COUNT…]

Makes libraries of COUNT (10000 and 100000) invented photos in a temporary folder, or in DIR, where a later run finds
them made. Their words and terms are those of the shipped model, as often as Zipf's law has it for their order in its
vocabulary; queries are drawn from the same words, so that common ones, which cost most, come often. Index and matrix
are written and asked the way photoindex does it, each in a process of its own, whose memory is the peak reported. Times
are of the processor, so that other work on the machine does not count. "3 words, all" has every photo that is found, in
order and counted, as a page of the gallery needs them; the other rows the first 20. At last photos are added, and how
long it takes until a reader that was open before finds them is told by the clock. Prints one table a COUNT, with
what it was measured on; --plot draws how the medians grow (it needs matplotlib).

Where tantivy is installed, the same words are asked of an index of its own; so with Lucene where pyjnius is and
--lucene names its jars, such as those that pyserini has in pyserini/resources/jars. Both rank by BM25 alone. Lucene's
times are of the thread that asks: Java compiles and collects in others.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import update

from photoindex.captioner import model_folder
from photoindex.catalogue.fast_queries import vector_state
from photoindex.catalogue.opening import open_database
from photoindex.catalogue.schema import catalogue
from photoindex.language.analysis import STOP_WORDS, stem
from photoindex.search import Document, FullText
from photoindex.search.ranking.ranked import rank
from photoindex.search.ranking.weights import Ranking
from photoindex.search.terms.index import TermIndex
from photoindex.search.terms.matrix import Stamp
from photoindex.search.terms.matrix_file import publish_vectors
from photoindex.types import TermVocabulary, VectorBatch

BATCH = 5000  # photos
CAPTION_WORDS = 11
ADDED = 64  # photos, as many as a batch of captions has
DRAWS = 3  # terms drawn for each that is kept: most draws repeat a common one
VOCABULARY_SIZE = 6000
QUERIES = 60  # of each kind
REPEATS = 3  # of each query
FIRST_DAY = datetime(2010, 1, 1)
Ask = Callable[[str, "TermIndex | None"], None]
PLAIN_KINDS = ("1 word", "3 words", "5 words")  # what other indexes are asked as well
OTHER_FIELDS = ("caption", "beams", "labels", "names", "camera")  # what they hold
KINDS = ("1 word", "3 words", "5 words", "phrase", "-word", "prefix", "fuzzy", "date")


def vocabulary() -> list[str]:
    """The shipped model's words, most frequent first."""
    lines = (model_folder("default") / "vocabulary.txt").read_text(encoding="utf-8").split()
    return [word for word in lines if not word.startswith("<")]


def term_list(words: list[str]) -> list[str]:
    """The shipped model's terms, or what they would be: stems, and pairs of common ones, in the order of the words."""
    path = model_folder("default") / "terms.txt"
    if path.is_file():
        return path.read_text(encoding="utf-8").split("\n")
    stems = list(dict.fromkeys(stem(word) for word in words if word not in STOP_WORDS))
    pairs = [f"{one} {two}" for one in stems[:80] for two in stems[:80] if one != two]
    mixed = [term for couple in zip(stems, pairs, strict=False) for term in couple]
    return list(dict.fromkeys([*mixed, *stems]))[:VOCABULARY_SIZE]


def terms_kept() -> int:
    """How many terms the shipped model gives a photo."""
    config = json.loads((model_folder("default") / "config.json").read_text(encoding="utf-8"))
    return int(config["term_head"]["kept"]) if "term_head" in config else 64


def zipf(count: int) -> NDArray[np.float64]:
    """Cumulated probabilities of the ranks: Zipf's law as Mandelbrot corrected it."""
    weights = 1 / (np.arange(count) + 2.7)
    return np.cumsum(weights / weights.sum())


class Maker:
    """Invented photos, the same ones for the same seed."""

    def __init__(self, seed: int = 1) -> None:
        self.words = vocabulary()
        self.terms = term_list(self.words)
        self._words_at, self._terms_at = zipf(len(self.words)), zipf(len(self.terms))
        self._generator = np.random.default_rng(seed)

    def sentences(self, count: int, length: int) -> list[str]:
        drawn = np.searchsorted(self._words_at, self._generator.random((count, length)))
        return [" ".join(self.words[min(n, len(self.words) - 1)] for n in row) for row in drawn.tolist()]

    def documents(self, count: int) -> Iterator[Document]:
        for first in range(0, count, BATCH):
            size = min(BATCH, count - first)
            columns = [self.sentences(size, length) for length in (CAPTION_WORDS, CAPTION_WORDS, CAPTION_WORDS, 2, 2)]
            for number, (caption, one, two, labels, names) in enumerate(zip(*columns, strict=True), first + 1):
                yield Document(
                    number, caption, f"{one} . {two}", labels, names=f"{names} img {number}", camera="Canon EOS R5",
                    taken_at=FIRST_DAY + timedelta(hours=number % 100_000),
                )  # fmt: skip

    def vectors(self, count: int, kept: int) -> Iterator[VectorBatch]:
        for first in range(0, count, BATCH):
            size = min(BATCH, count - first)
            drawn = np.searchsorted(self._terms_at, self._generator.random((size, kept * DRAWS))).astype(np.uint16)
            drawn = np.minimum(drawn, len(self.terms) - 1)
            order = np.argsort(drawn, axis=1, kind="stable")
            ascending = np.take_along_axis(drawn, order, 1)
            new = np.ones_like(ascending, np.bool_)
            new[:, 1:] = ascending[:, 1:] != ascending[:, :-1]
            wanted = np.empty_like(new)
            np.put_along_axis(wanted, order, new, 1)
            wanted &= np.cumsum(wanted, axis=1) <= kept  # the first so many different ones
            chosen = np.take_along_axis(wanted, order, 1)
            ids = ascending[chosen]
            yield VectorBatch(
                np.arange(first + 1, first + size + 1), chosen.sum(axis=1), ids,
                self._generator.integers(1, 256, len(ids)).astype(np.uint8),
            )  # fmt: skip


def queries(each: int = QUERIES, seed: int = 2) -> dict[str, list[str]]:
    maker, chance = Maker(seed), random.Random(seed)

    def words(count: int, shortest: int = 1) -> list[str]:
        found: dict[str, None] = {}
        while len(found) < count:
            for word in maker.sentences(1, 20)[0].split():
                if word not in STOP_WORDS and len(word) >= shortest and len(found) < count:
                    found[word] = None
        return list(found)

    def query(kind: str) -> str:
        if kind == "phrase":
            return f'"{" ".join(words(2))}"'
        if kind == "-word":
            return "{} {} -{}".format(*words(3))
        if kind == "prefix":
            return words(1, 5)[0][: chance.randint(4, 5)] + "*"
        if kind == "fuzzy":
            return words(1, 5)[0] + "~"
        if kind == "date":
            return f"{' '.join(words(2))} taken:{chance.randint(2010, 2020)}"
        return " ".join(words(int(kind[0])))

    return {kind: [query(kind) for _ in range(each)] for kind in KINDS}


def peak_megabytes() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def make_words(folder: Path, count: int) -> dict[str, Any]:
    started = time.process_time()
    for _ in Maker().documents(count):
        pass
    inventing = time.process_time() - started
    started = time.process_time()
    with FullText.open(folder / "fulltext") as index:
        index.rebuild(Maker().documents(count))
    seconds = time.process_time() - started - inventing
    return {"seconds": seconds, "bytes": folder_bytes(folder / "fulltext"), "memory": peak_megabytes()}


def make_terms(folder: Path, count: int, kept: int) -> dict[str, Any]:
    """The matrix of a catalogue that has these vectors, as far as a search can tell."""
    database = open_database(folder / "catalogue.sqlite3")
    with database.write() as connection:
        connection.execute(update(catalogue).values(vector_revision=count))
        state = vector_state(connection)
    database.close()
    words = TermVocabulary(tuple(Maker().terms), 0.01)
    started = time.process_time()
    for _ in Maker().vectors(count, kept):
        pass
    inventing = time.process_time() - started
    started = time.process_time()
    stamp = Stamp(state.identity, state.revision)
    publish_vectors(stamp, {1: words}, lambda _: Maker().vectors(count, kept), folder / "terms")
    seconds = time.process_time() - started - inventing
    return {"seconds": seconds, "bytes": folder_bytes(folder / "terms"), "memory": peak_megabytes()}


def ask(folder: Path, each: int, *, with_terms: bool) -> dict[str, Any]:
    """Milliseconds of the first query in the process, and megabytes after it and after one of each."""
    database = open_database(folder / "catalogue.sqlite3")
    source = TermIndex(database, folder / "terms") if with_terms else None
    with FullText.open(folder / "fulltext") as index:
        asked = [query for kind in queries(each).values() for query in kind]
        started = time.process_time()
        for number, query in enumerate(asked):
            index.search(query, 20, Ranking(), source)
            if not number:
                first, memory = time.process_time() - started, peak_megabytes()
    database.close()
    return {"first": first * 1e3, "memory of the first": memory, "memory": peak_megabytes()}


def compare(folder: Path, each: int, repeats: int) -> dict[str, list[tuple[float, float]]]:
    """Milliseconds a query of each kind, without terms and with them, one right after the other, once all is warm."""
    database = open_database(folder / "catalogue.sqlite3")
    source = TermIndex(database, folder / "terms")
    times: dict[str, list[tuple[float, float]]] = {}
    with FullText.open(folder / "fulltext") as index:

        def first(query: str, terms: TermIndex | None) -> None:
            index.search(query, 20, Ranking(), terms)

        def found(query: str, terms: TermIndex | None) -> None:
            index.answer(query, partial(rank, explained=20), Ranking(), terms)

        def once(ask: Ask, query: str, terms: TermIndex | None) -> float:
            started = time.process_time()
            ask(query, terms)
            return (time.process_time() - started) * 1e3

        asked = queries(each)
        steps: dict[str, tuple[Ask, list[str]]] = {kind: (first, some) for kind, some in asked.items()}
        steps["3 words, all"] = found, asked["3 words"]
        for kind, (ask, some) in steps.items():
            for query in some:
                once(ask, query, source)
            times[kind] = [(once(ask, query, None), once(ask, query, source)) for query in some * repeats]
    database.close()
    return times


def add(folder: Path, count: int) -> dict[str, Any]:
    """Seconds, by the clock, to write some more photos, and until an open reader has found them. They are taken out
    again."""
    number = count + 1
    some = [Document(number + n, "an unheardof word", names=f"img {number + n}") for n in range(ADDED)]
    with FullText.open(folder / "fulltext") as reader, FullText.open(folder / "fulltext") as writer:
        reader.search("unheardof", 20, Ranking(), None)
        before = time.perf_counter()
        writer.update(some)
        written = time.perf_counter() - before
        found = len(reader.search("unheardof", 20, Ranking(), None))
        seconds = time.perf_counter() - before
        writer.update([], [document.photo_id for document in some])
    return {"written": written, "found": seconds, "hits": found}


def plain_queries(each: int) -> dict[str, list[str]]:
    """The queries of plain words; "'s" is an error elsewhere."""
    asked = queries(each)
    return {kind: [" ".join(filter(str.isalnum, query.split())) for query in asked[kind]] for kind in PLAIN_KINDS}


def measured_elsewhere(
    home: Path,
    count: int,
    asked: dict[str, list[Any]],
    repeats: int,
    write: Callable[[Iterator[Document]], Callable[[Any], object]],
    clock: Callable[[], float],
) -> dict[str, Any]:
    """Seconds, bytes, and milliseconds of queries in another index, once all is warm. ``write`` makes it of documents
    and returns what asks it."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    started = time.process_time()
    for _ in Maker().documents(count):
        pass
    inventing = time.process_time() - started
    started = time.process_time()
    search = write(Maker().documents(count))
    seconds = time.process_time() - started - inventing
    times: dict[str, list[float]] = {}
    for kind, some in asked.items():
        for query in some:
            search(query)
        times[kind] = []
        for query in some * repeats:
            before = clock()
            search(query)
            times[kind].append((clock() - before) * 1e3)
    return {"seconds": seconds, "bytes": folder_bytes(home), "times": times}


def tantivy_of(folder: Path, count: int, each: int, repeats: int) -> dict[str, Any]:
    """The same words in tantivy, which is not installed with photoindex."""
    import tantivy

    home = folder / "tantivy"
    builder = tantivy.SchemaBuilder()
    for name in OTHER_FIELDS:
        builder.add_text_field(name, stored=False, tokenizer_name="en_stem")
    schema = builder.build()
    opened: list[Any] = []

    def write(documents: Iterator[Document]) -> Callable[[Any], object]:
        index = tantivy.Index(schema, path=str(home))
        writer = index.writer(256_000_000, 1)
        for document in documents:
            writer.add_document(tantivy.Document(**{name: [getattr(document, name)] for name in OTHER_FIELDS}))
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        searcher = index.searcher()
        opened.append(index)
        return lambda query: searcher.search(index.parse_query(query, list(OTHER_FIELDS)), 20, count=False)

    return measured_elsewhere(home, count, plain_queries(each), repeats, write, time.process_time)


def lucene_of(folder: Path, count: int, each: int, repeats: int, jars: str) -> dict[str, Any]:
    """The same words in Lucene, asked in Java's virtual machine by pyjnius."""
    import jnius_config

    jnius_config.set_classpath(*jars.split(os.pathsep))
    jnius_config.add_options("-Xmx2g", "--add-modules=jdk.incubator.vector")
    from jnius import autoclass

    lucene = "org.apache.lucene."
    home = folder / "lucene"
    analyzer = autoclass(lucene + "analysis.en.EnglishAnalyzer")()
    store = autoclass(lucene + "store.MMapDirectory")(autoclass("java.nio.file.Paths").get(str(home)))
    parser = autoclass(lucene + "queryparser.classic.MultiFieldQueryParser")(list(OTHER_FIELDS), analyzer)
    document_class, text_field = (autoclass(lucene + f"document.{name}") for name in ("Document", "TextField"))
    unstored = autoclass(lucene + "document.Field$Store").NO

    def write(documents: Iterator[Document]) -> Callable[[Any], object]:
        configuration = autoclass(lucene + "index.IndexWriterConfig")(analyzer)
        configuration.setRAMBufferSizeMB(256.0)
        writer = autoclass(lucene + "index.IndexWriter")(store, configuration)
        for document in documents:
            row = document_class()
            for name in OTHER_FIELDS:
                row.add(text_field(name, getattr(document, name), unstored))
            writer.addDocument(row)
        writer.forceMerge(1)
        writer.close()
        reader = autoclass(lucene + "index.DirectoryReader").open(store)
        searcher: Any = autoclass(lucene + "search.IndexSearcher")(reader.getContext())
        search: Callable[[str], Any] = lambda query: searcher.search(parser.parse(query), 20)  # noqa: E731
        for query in [query for some in plain_queries(each).values() for query in some] * 5:
            search(query)  # Java compiles what was run often
        return search

    return measured_elsewhere(home, count, plain_queries(each), repeats, write, time.thread_time)


def in_a_process(step: str, folder: Path, count: int, kept: int, *more: str) -> dict[str, Any]:
    options = ["--step", step, "--folder", str(folder), "--terms-a-photo", str(kept), *more]
    command = [sys.executable, __file__, *options, str(count)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def made(folder: Path, count: int, kept: int) -> dict[str, Any]:
    """What making the library took; of one that lies there whole and can be asked, what it took then."""
    note = folder / "made.json"
    if note.exists():
        with FullText.open(folder / "fulltext") as index:
            usable = not index.needs_rebuild
        if not usable:  # of another version
            shutil.rmtree(folder)
    if not note.exists():
        folder.mkdir(parents=True, exist_ok=True)
        steps = {step: in_a_process(step, folder, count, kept) for step in ("words", "terms")}
        note.write_text(json.dumps(steps), encoding="utf-8")
    found: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
    return found


def installed_others(asked: Sequence[str]) -> list[str]:
    """Which other indexes can be asked here."""
    found = ["tantivy"] if importlib.util.find_spec("tantivy") else []
    return [*found, "lucene"] if "--lucene" in asked and importlib.util.find_spec("jnius") else found


def report(count: int, kept: int, keep: Path | None, asked: Sequence[str]) -> dict[str, float]:
    """Print one table; returns the median milliseconds of each kind of query, with terms."""
    with tempfile.TemporaryDirectory() as name:
        folder = keep / f"{count}-{kept}" if keep else Path(name)
        words, terms = made(folder, count, kept).values()
        off, on, times, added = (
            in_a_process(step, folder, count, kept, *asked) for step in ("off", "on", "compare", "add")
        )
        others = {name: in_a_process(name, folder, count, kept, *asked) for name in installed_others(asked)}
    print(f"\n{count:,} photos, {kept} terms each")
    for what, part in (("words index", words), ("impact matrix", terms)):
        print(
            f"  {what:<15}{part['bytes'] / 1e6:8.1f} MB, {part['bytes'] / count / 10:6.1f} MB per 100,000 photos;"
            f" built in {part['seconds']:.1f} s with {part['memory']:.0f} MB"
        )
    print(f"  {'vectors':<15}{count * kept * 3 / 1e6:8.1f} MB of the catalogue")
    print(f"  {'ms p50/p95':<15}{'words':>15}{'with terms':>15}{'terms add':>12}")
    for kind, pairs in times.items():
        words_alone, with_terms = zip(*pairs, strict=True)
        cells = "".join(f"{statistics.median(each):8.1f}/{p95(each):6.1f}" for each in (words_alone, with_terms))
        print(f"  {kind:<15}{cells}{statistics.median(two - one for one, two in pairs):+12.2f}")
    print(f"  {'first query':<15}{off['first']:15.1f}{on['first']:15.1f}{on['first'] - off['first']:+12.2f}")
    print(
        f"  {'peak MB':<15}{off['memory']:15.0f}{on['memory']:15.0f}{on['memory'] - off['memory']:+12.0f}", flush=True
    )
    print(
        f"  {ADDED} photos added: written after {added['written']:.2f} s, found by an open reader after"
        f" {added['found']:.2f} s ({added['hits']} of the first 20)"
    )
    medians = {kind: statistics.median(with_terms for _, with_terms in pairs) for kind, pairs in times.items()}
    for name, other in others.items():
        print(f"  {name}: {other['bytes'] / 1e6:.1f} MB, built in {other['seconds']:.1f} s; words alone:", flush=True)
        for kind, values in other["times"].items():
            print(f"  {kind:<15}{statistics.median(values):8.1f}/{p95(values):6.1f}", flush=True)
            medians[f"{name}, {kind}"] = statistics.median(values)
    return medians


def plot(medians: dict[int, dict[str, float]], file: Path) -> None:
    """Both axes are logarithmic: what grows like the library is parallel to the dashed line."""
    from matplotlib import pyplot

    counts = sorted(medians)
    figure, axes = pyplot.subplots(figsize=(7, 4.5))
    for kind in KINDS:
        axes.plot(counts, [medians[count][kind] for count in counts], marker="o", label=kind)
    for name in [name for name in medians[counts[0]] if name.endswith(PLAIN_KINDS[-1]) and name not in KINDS]:
        axes.plot(counts, [medians[count][name] for count in counts], marker="x", linestyle=":", label=name)
    first = min(medians[counts[0]][kind] for kind in KINDS)
    axes.plot(counts, [first * count / counts[0] for count in counts], "k--", label="linear growth")
    axes.set(xscale="log", yscale="log", xlabel="photos", ylabel="ms of processor time a query, median")
    axes.grid(which="both", alpha=0.3)
    axes.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
    figure.savefig(file, bbox_inches="tight")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", nargs="*", type=int, default=[10_000, 100_000], metavar="COUNT")
    parser.add_argument(
        "--terms-a-photo", type=int, default=terms_kept(), metavar="N", help="[default: as many as the shipped model's]"
    )
    parser.add_argument("--queries", type=int, default=QUERIES, metavar="N", help="of each kind [default: %(default)s]")
    parser.add_argument("--repeats", type=int, default=REPEATS, metavar="N", help="of each [default: %(default)s]")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the libraries here, and ask those already made")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the growth of the medians: SVG, PNG")
    parser.add_argument("--lucene", metavar="JARS", help="the class path of Lucene's jars")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    count, kept = options.counts[0], options.terms_a_photo
    if options.step == "words":
        json.dump(make_words(options.folder, count), sys.stdout)
    elif options.step == "terms":
        json.dump(make_terms(options.folder, count, kept), sys.stdout)
    elif options.step == "tantivy":
        json.dump(tantivy_of(options.folder, count, options.queries, options.repeats), sys.stdout)
    elif options.step == "lucene":
        json.dump(lucene_of(options.folder, count, options.queries, options.repeats, options.lucene), sys.stdout)
    elif options.step == "add":
        json.dump(add(options.folder, count), sys.stdout)
    elif options.step == "compare":
        json.dump(compare(options.folder, options.queries, options.repeats), sys.stdout)
    elif options.step:
        json.dump(ask(options.folder, options.queries, with_terms=options.step == "on"), sys.stdout)
    else:
        asked = ["--queries", str(options.queries), "--repeats", str(options.repeats)]
        if options.lucene:
            asked += ["--lucene", options.lucene]
        medians = {each: report(each, kept, options.keep, asked) for each in options.counts}
        print(f"\non {platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
        if options.plot:
            plot(medians, options.plot)


if __name__ == "__main__":
    main()
