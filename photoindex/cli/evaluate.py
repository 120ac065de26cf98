"""``photoindex evaluate captions`` and ``photoindex evaluate search``."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from photoindex.cli.confidence import evaluate_confidence
from photoindex.cli.context import (
    Context,
    batch_option,
    beam_option,
    device_option,
    engine_option,
    json_option,
    model_option,
    threads_option,
    write_json,
)
from photoindex.cli.eight_bits import evaluate_eight_bits
from photoindex.cli.output_files import check_replaceable
from photoindex.cli.parameters import MODEL
from photoindex.cli.progress import ProgressDisplay
from photoindex.cli.terminal import print_line
from photoindex.cli.text_gate import evaluate_text_gate
from photoindex.cli.train import data_option, hold_out_option, images_option, load_photos
from photoindex.config import Settings
from photoindex.errors import ConfigError, FolderError
from photoindex.system.paths import printable
from photoindex.types import Prediction, Progress

if TYPE_CHECKING:
    from photoindex.library import Library
    from photoindex.training.datasets import CaptionedPhoto
    from photoindex.training.search_scores import Ranks, Report, RetrievalScores

FAILURES_SHOWN = 10
NAME_WIDTH = 44  # of a row of `evaluate search`

CAPTIONS_HEAD = "model\tbeam_width\timage\tcaption"


@click.group()
def evaluate() -> None:
    """Measure how good captions are, how far they can be trusted, and how well photos are found."""


evaluate.add_command(evaluate_confidence)
evaluate.add_command(evaluate_eight_bits)
evaluate.add_command(evaluate_text_gate)


@evaluate.command("captions")
@data_option
@images_option
@hold_out_option
@click.option("--split", default="val", show_default=True, help="Which photos to caption.")
@click.option("--model", "models", multiple=True, type=MODEL, metavar="NAME",
              help="A shipped model or a model folder; several are compared. [default: the shipped one]")  # fmt: skip
@click.option(
    "--beam-width", "beams", multiple=True, type=click.IntRange(1, 20), help="May be given several times. [default: 3]"
)
@click.option("--captions-to", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write the captions too: TSV of model, beam width, image, caption.")  # fmt: skip
@device_option
@engine_option
@threads_option
@json_option
@click.pass_obj
def evaluate_captions(
    context: Context,
    /,
    data: tuple[Path, ...],
    images: Path | None,
    hold_out: int,
    split: str,
    models: tuple[str, ...],
    beams: tuple[int, ...],
    captions_to: Path | None,
    device: str | None,
    engine: str | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """How good captions are, and how true, on photos with captions by people.

    Each data set is scored by itself. BLEU-1 to 4, ROUGE-L and CIDEr are pycocoevalcap's, in percent; the extra `train`
    has it. CHAIRi is how many of the things that captions name no person named, CHAIRs how many captions name such a
    thing. "invented" is how many of the photos in which people named nobody got a caption that names a person, "missed"
    how many of the photos in which they named somebody got one that names nobody. Less is better. "distinct" is how
    many different captions there are, "commonest" how many percent of the photos got the most frequent one.
    """
    from photoindex.library import choose_device, load_checkpoint, model_folder
    from photoindex.training.caption_scores import caption_photos, score_captions

    settings = context.settings(device=device, engine=engine, threads=threads)
    chosen = choose_device(settings.device, settings.threads)
    if captions_to is not None:
        check_replaceable(captions_to, CAPTIONS_HEAD.encode(), "a list of captions")
    rows: list[dict[str, Any]] = []
    written: list[str] = []
    for path in data:
        photos = _photos_of(path, images, hold_out, split)
        for model in models or ("default",):
            checkpoint = load_checkpoint(model_folder(model))
            widths = beams or (3,)
            with ProgressDisplay(context.quiet) as display:
                by_width = caption_photos(
                    checkpoint,
                    photos,
                    widths,
                    chosen,
                    engine=settings.engine,
                    threads=settings.threads,
                    progress=partial(_show_progress, display, "captioning"),
                )
            for width, captions in zip(widths, by_width, strict=True):
                people = [photo.captions for photo in photos]
                scores = dataclasses.asdict(score_captions(captions, people))
                scores |= _truth(captions, people)
                rows.append(
                    {"data": path.name, "split": split, "model": checkpoint.name, "beam_width": width, **scores}
                )
                written += [
                    f"{checkpoint.name}\t{width}\t{photo.path.name}\t{caption}"
                    for photo, caption in zip(photos, captions, strict=True)
                ]
    if captions_to is not None:
        captions_to.write_text("\n".join([CAPTIONS_HEAD, *written]) + "\n", encoding="utf-8")
    if as_json:
        write_json(rows)
    else:
        _print_table(rows)


def _print_table(rows: Sequence[dict[str, Any]]) -> None:
    """Print the figures of captions, a line for each data set, model and beam width."""
    heads = ("data", "model", "beam", "photos", "BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr",
             "CHAIRi", "CHAIRs", "invented", "missed", "distinct", "commonest")  # fmt: skip
    table = [heads] + [
        (
            row["data"], row["model"], str(row["beam_width"]), str(row["photos"]),
            *(f"{row[key]:.1f}" for key in ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider",
                                            "chair_objects", "chair_captions", "persons_invented",
                                            "persons_missed")),
            str(row["distinct"]), f"{row['commonest_share']:.1f}",
        )
        for row in rows
    ]  # fmt: skip
    widest = [max(len(line[column]) for line in table) for column in range(len(heads))]
    for line in table:
        cells = [
            cell.ljust(w) if n < 2 else cell.rjust(w) for n, (cell, w) in enumerate(zip(line, widest, strict=True))
        ]
        print_line("  ".join(cells))


def _truth(captions: Sequence[str], people: Sequence[Sequence[str]]) -> dict[str, Any]:
    """How true captions are, beside what people said of the photos."""
    from photoindex.training import hallucination

    things = hallucination.score_hallucination(captions, people)
    persons = hallucination.score_persons(captions, people)
    variety = hallucination.score_variety(captions)
    return {
        "chair_objects": things.objects,
        "chair_captions": things.captions,
        "persons_invented": persons.invented,
        "persons_missed": persons.missed,
        "photos_without_persons": persons.without,
        "photos_with_persons": persons.present,
        "distinct": variety.distinct,
        "commonest": variety.commonest,
        "commonest_share": variety.share,
    }


# ---- search --------------------------------------------------------------------------------------


@evaluate.command("search")
@data_option
@images_option
@hold_out_option
@click.option("--split", default="val", show_default=True, help="Which photos to search, by their own captions.")
@click.option("--library", "kept", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Keep the indexed photos here, and use those kept. [default: a folder that is removed]")  # fmt: skip
@click.option("--kinds", "kinds_file", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE",
              help="TSV with the columns image and kind, a row for each kind of a photo: adds a row for each kind, "
                   "of the queries for its photos.")  # fmt: skip
@click.option("--tutorial-model", "tutorial", metavar="NAME",
              help="Compare with the tutorial's way: one greedy caption a photo, by this model.")  # fmt: skip
@model_option
@beam_option
@batch_option
@device_option
@engine_option
@threads_option
@json_option
@click.pass_obj
def evaluate_search(
    context: Context,
    /,
    data: tuple[Path, ...],
    images: Path | None,
    hold_out: int,
    split: str,
    kept: Path | None,
    kinds_file: Path | None,
    tutorial: str | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """How well people's descriptions find their own photos.

    The photos of the split are indexed like any others, in a library of their own, and every caption a person wrote for
    one is asked as plain words. R@10 is the percentage of queries whose photo is among the first ten; a photo that is
    not found counts as one place beyond the last. One row for each layer of the search alone, and with one more layer
    at a time. Names of files and cameras are never searched: those of a data set may give the answer away. Several data
    sets are measured each by itself, then all in one library.

    Below are rows to compare with, each in this search's own index and by textbook BM25 (k1 1.2, b 0.75). "One human
    caption": caption k of every photo is indexed and its others are asked, for k from 1 to 5. "The other four": caption
    k is asked and the others are indexed. "One greedy caption" is what --tutorial-model says, asked like the first
    rows.
    """
    # Imported here: `photoindex --help` describes this command, and needs none of it.
    from photoindex.library import Library, RememberingCaptioner, load_captioner
    from photoindex.training.datasets import load_kinds

    kinds = load_kinds(kinds_file) if kinds_file is not None else {}
    groups = _groups(data, images, hold_out, split)
    settings = context.settings(**flags)
    memory: dict[bytes, Prediction] = {}
    greedy: dict[Path, str] = {}
    rows: list[dict[str, Any]] = []
    with _folder(kept) as folder:
        for name, photos in groups:
            beam = f"-beam{flags['beam_width']}" if flags["beam_width"] else ""
            here = dataclasses.replace(settings, data_dir=folder / f"{name}-{split}{beam}")
            with Library(here, lambda s: RememberingCaptioner(load_captioner(s), memory)) as library:
                ids = _index(context, library, photos)
                if not as_json:
                    _write_heads(name, split, photos)
                for row, scores in _measure(context, library, photos, ids, kinds, tutorial, greedy):
                    rows.append({"data": name, "split": split, "photos": len(photos), "row": row, **_as_dict(scores)})
                    if not as_json:
                        _write_row(row, scores, len(photos))
    if as_json:
        write_json(rows)


def _measure(
    context: Context,
    library: Library,
    photos: Sequence[CaptionedPhoto],
    ids: Sequence[int | None],
    kinds: Mapping[str, Sequence[str]],
    tutorial: str | None,
    greedy: dict[Path, str],
) -> Iterator[tuple[str, RetrievalScores]]:
    """The rows of one library, as each is done."""
    from photoindex.library import DEFAULT_RANKING
    from photoindex.training import search_scores

    captions = [photo.captions for photo in photos]
    asked = [
        search_scores.SearchedDescription(
            text, -1 if photo_id is None else photo_id
        )  # what is not in the library is not found
        for texts, photo_id in zip(captions, ids, strict=True)
        for text in texts
    ]
    rows: list[tuple[str, Callable[[Report], Ranks]]] = [
        (name, partial(search_scores.rank_descriptions, asked, partial(library.match, ranking=ranking), len(photos)))
        for name, ranking in search_scores.layer_rows()
    ]
    compared = {
        "one human caption": search_scores.one_human_caption(captions),
        "the other four human captions": search_scores.other_human_captions(captions),
    }
    if tutorial is not None:
        new = [photo for photo in photos if photo.path not in greedy]
        greedy.update(
            zip((photo.path for photo in new), _greedy(context, new, tutorial, library.settings), strict=True)
        )
        captioned = [greedy[photo.path] for photo in photos]
        compared = {"one greedy caption": [search_scores.one_text(captioned, captions)], **compared}
    for name, trials in compared.items():
        rows.append((name, partial(search_scores.rank_with_index, trials, DEFAULT_RANKING)))
        rows.append((f"{name}, BM25", partial(search_scores.rank_with_bm25, trials)))
    for name, rank in rows:
        with ProgressDisplay(context.quiet, unit="query") as display:
            ranks = rank(partial(_show_progress, display, name))
        if ranks.size:
            yield name, search_scores.score_ranks(ranks, len(photos))
        if name.startswith("all: "):
            of_query = [kinds.get(photo.path.name, ()) for photo in photos for _ in photo.captions]
            for kind, some in search_scores.ranks_by_kind(ranks, of_query):
                yield f"  of {kind}", search_scores.score_ranks(some, len(photos))


def _show_progress(display: ProgressDisplay, stage: str, done: int, total: int) -> None:
    display(Progress(stage, done, total))


def _index(context: Context, library: Library, photos: Sequence[CaptionedPhoto]) -> list[int | None]:
    """Bring ``photos`` and nothing else into ``library``; their ids, None for one that could not be captioned."""
    folder = printable(library.settings.data_dir)
    with ProgressDisplay(context.quiet) as display:
        library.index(*(photo.path for photo in photos), progress=display, notice=context.say)
        if library.outdated():
            library.recaption(progress=display)
    ids = [_photo_id(library, photo.path) for photo in photos]
    strangers = library.status().searchable - len({photo_id for photo_id in ids if photo_id is not None})
    if strangers > 0:
        raise ConfigError(f"{folder} holds {strangers} photos of something else: name another folder with --library")
    if None in ids:
        context.say(f"{ids.count(None)} photos have no caption and count as not found:")
        for failure in library.failures()[:FAILURES_SHOWN]:
            context.say(f"  {failure.message}")
    return ids


def _photo_id(library: Library, path: Path) -> int | None:
    try:
        photo = library.show(path)
    except FolderError:  # not met: no file name of a photo
        return None
    return None if photo is None or photo.caption is None else photo.id


def _greedy(context: Context, photos: Sequence[CaptionedPhoto], model: str, settings: Settings) -> list[str]:
    from photoindex.library import choose_device, load_checkpoint, model_folder
    from photoindex.training.caption_scores import caption_photos

    checkpoint = load_checkpoint(model_folder(model))
    device = choose_device(settings.device, settings.threads)
    with ProgressDisplay(context.quiet) as display:
        report = partial(_show_progress, display, f"captioning by {checkpoint.name}")
        [captions] = caption_photos(checkpoint, photos, (1,), device, progress=report)
    return captions


def _groups(
    data: Sequence[Path], images: Path | None, hold_out: int, split: str
) -> list[tuple[str, list[CaptionedPhoto]]]:
    """Each data set under a name of its own, then all of them together."""
    groups: dict[str, list[CaptionedPhoto]] = {}
    for path in dict.fromkeys(path.absolute() for path in data):
        plain = name = path.name if path.is_dir() else path.parent.name
        while name in groups:
            name = f"{plain}-{len(groups) + 1}"
        groups[name] = _photos_of(path, images, hold_out, split)
    together = {photo.path: photo for photos in groups.values() for photo in photos}
    if len(groups) > 1:
        groups["+".join(groups)] = list(together.values())
    return list(groups.items())


def _photos_of(path: Path, images: Path | None, hold_out: int, split: str) -> list[CaptionedPhoto]:
    photos = [photo for photo in load_photos([path], images, hold_out) if photo.split == split]
    if not photos:
        raise click.UsageError(f"{path} has no photos of the split {split!r}")
    return photos


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="photoindex-evaluate-") as folder:
        yield Path(folder)


def _write_heads(name: str, split: str, photos: Sequence[CaptionedPhoto]) -> None:
    queries = sum(len(photo.captions) for photo in photos)
    print_line(f"{name}, {split}: {len(photos):,} photos, {queries:,} descriptions; file names are not searched")
    heads = ["R@1", "R@5", "R@10", "R@50", "median", "MRR", "queries"]
    print_line(" " * NAME_WIDTH + "".join(head.rjust(8) for head in heads))


def _write_row(row: str, scores: RetrievalScores, photos: int) -> None:
    median = f"{scores.median_rank:.4g}" if scores.median_rank <= photos else f">{photos}"
    cells = [*(f"{share:.1f}" for share in scores.recall.values()), median, f"{scores.reciprocal:.3f}"]
    print_line(row.ljust(NAME_WIDTH) + "".join(cell.rjust(8) for cell in [*cells, f"{scores.queries:,}"]))


def _as_dict(scores: RetrievalScores) -> dict[str, Any]:
    return {
        "queries": scores.queries,
        **{f"recall_{k}": share for k, share in scores.recall.items()},
        "median_rank": scores.median_rank,
        "mean_reciprocal_rank": scores.reciprocal,
    }
