"""``photoindex evaluate confidence``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from photoindex.cli.context import Context, device_option, engine_option, json_option, threads_option, write_json
from photoindex.cli.parameters import MODEL
from photoindex.cli.progress import ProgressDisplay
from photoindex.cli.terminal import print_line
from photoindex.cli.train import data_option, hold_out_option, images_option, load_photos
from photoindex.errors import ConfigError
from photoindex.types import Progress

if TYPE_CHECKING:
    from photoindex.training.confidence import Reliability
    from photoindex.training.datasets import CaptionedPhoto


@click.command("confidence")
@data_option
@images_option
@hold_out_option
@click.option("--split", default="val", show_default=True, help="Which photos to caption.")
@click.option("--model", type=MODEL, metavar="NAME", default="default", help="A shipped model or a model folder.")
@click.option(
    "--beam-width", type=click.IntRange(1, 20), default=3, show_default=True, help="Captions considered at once."
)
@click.option("--fit", is_flag=True,
              help="Fit the confidence on these photos and write it into the model's config.json. The figures are then "
                   "of cross-fitting: each half of the photos by what was fitted on the other.")  # fmt: skip
@click.option("--diagram", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Draw the table as a reliability diagram, a PNG.")  # fmt: skip
@device_option
@engine_option
@threads_option
@json_option
@click.pass_obj
def evaluate_confidence(
    context: Context,
    /,
    data: tuple[Path, ...],
    images: Path | None,
    hold_out: int,
    split: str,
    model: str,
    beam_width: int,
    fit: bool,
    diagram: Path | None,
    device: str | None,
    engine: str | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """How far the confidence of captions can be trusted, on photos with captions by people.

    A caption is right when it names no person and no thing that none of those who described the photo named, and at
    least two of three of its words are theirs. For each data set, and for all together: how many captions are right,
    their mean confidence, the expected calibration error (ECE), how well confidence puts right captions before wrong
    ones (ranking; 0.5 is chance), and a table of ten bins. Photos that the model learned from would flatter it.
    """
    from photoindex.library import choose_device, load_checkpoint, model_folder
    from photoindex.training import confidence

    settings, folder = context.settings(device=device, engine=engine, threads=threads), model_folder(model)
    chosen = choose_device(settings.device, settings.threads)
    checkpoint = load_checkpoint(folder)
    if checkpoint.calibration is None and not fit:
        raise ConfigError(f"the model {checkpoint.name} has no confidence: fit it with --fit")
    photos = _photos(data, images, hold_out, split)
    with ProgressDisplay(context.quiet) as display:
        judged = confidence.judge(
            checkpoint, photos, chosen, beam_width=beam_width, engine=settings.engine,
            threads=settings.threads,
            progress=lambda done, total: display(Progress(f"captioning by {checkpoint.name}", done, total)),
        )  # fmt: skip
    confidences = judged.confidences
    if fit:
        confidences = confidence.cross_fitted(judged)
        confidence.fit_model(folder, judged)
        context.say(f"wrote the confidence of {checkpoint.name} into {folder / 'config.json'}")
    found = confidence.measure_sets(judged, confidences)
    if diagram is not None:
        confidence.draw_diagram(found, diagram)
    if as_json:
        write_json([{"data": name, "split": split, "model": checkpoint.name, **dataclasses.asdict(each)}
                    for name, each in found.items()])  # fmt: skip
        return
    for name, each in found.items():
        _print(name, each)


def _photos(data: tuple[Path, ...], images: Path | None, hold_out: int, split: str) -> dict[str, list[CaptionedPhoto]]:
    """Return the photos of a split, by the name of their data set."""
    photos = {path.name: [p for p in load_photos((path,), images, hold_out) if p.split == split] for path in data}
    for name, some in photos.items():
        if not some:
            raise ConfigError(f"{name} has no photos of the split {split!r}: see --hold-out")
    return photos


def _print(name: str, found: Reliability) -> None:
    print_line(
        f"{name}: {found.captions} captions, {found.right:.1%} right, mean confidence {found.confidence:.1%}, "
        f"ECE {found.ece:.3f}, ranking {found.ranking:.3f}, Brier {found.brier:.3f}"
    )
    print_line(f"  {'confidence':<12}{'captions':>10}{'mean':>8}{'right':>8}")
    for each in found.bins:
        if each.captions:
            print_line(
                f"  {each.low:.1f} to {each.high:.1f}  {each.captions:>10}{each.confidence:>8.1%}{each.right:>8.1%}"
            )
