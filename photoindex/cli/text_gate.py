"""``photoindex evaluate text-gate``."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from photoindex.cli.context import Context, device_option, json_option, threads_option, write_json
from photoindex.cli.parameters import MODEL
from photoindex.cli.progress import ProgressDisplay
from photoindex.cli.terminal import print_line
from photoindex.cli.train import data_option, drawn_photos, hold_out_option, images_option, load_photos
from photoindex.types import Progress


@click.command("text-gate")
@data_option
@images_option
@hold_out_option
@click.option("--model", type=MODEL, metavar="NAME", default="default", help="A shipped model or a model folder.")
@click.option("--readings", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE",
              help="Where what is read in the photos is kept (JSON lines): reading takes most of the time, and a run "
                   "that was stopped goes on.")  # fmt: skip
@click.option("--fit", is_flag=True,
              help="Fit the gate on photos of the split `train` and write it into the model's folder.")  # fmt: skip
@click.option("--fit-photos", type=click.IntRange(1), default=500, show_default=True, metavar="N",
              help="Of each data set, so many training photos, at random.")  # fmt: skip
@click.option("--photos", "most", type=click.IntRange(1), default=200, show_default=True, metavar="N",
              help="Of each data set, so many `val` photos, at random, to measure by.")  # fmt: skip
@device_option
@threads_option
@json_option
@click.pass_obj
def evaluate_text_gate(
    context: Context,
    /,
    data: tuple[Path, ...],
    images: Path | None,
    hold_out: int,
    model: str,
    readings: Path,
    fit: bool,
    fit_photos: int,
    most: int,
    device: str | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """How well a model's terms tell photos with text from others, before anybody looks for it.

    A photo holds text when the reader, at full size, surely reads a line of two letters or digits. Three rows for each
    data set: the gate alone, by the terms that captioning has stored; the glance at a small picture alone; and both,
    one after the other, as photos are read. Precision is the share of the photos let through that hold text, recall
    the share of those with text that are let through. Needs the extra: pip install 'photoindex[text]'.
    """
    from photoindex.library import choose_device, load_checkpoint, model_folder
    from photoindex.training import text_gate

    settings, folder = context.settings(device=device, threads=threads), model_folder(model)
    chosen = choose_device(settings.device, settings.threads)
    checkpoint = load_checkpoint(folder)
    sets = {path.name: load_photos((path,), images, hold_out) for path in data}
    rows = []
    with ProgressDisplay(context.quiet) as display:

        def report(stage: str, done: int, total: int) -> None:
            display(Progress(stage, done, total))

        if fit:
            training = [path for photos in sets.values() for path in drawn_photos(photos, "train", fit_photos)]
            text_gate.fit_model(folder, checkpoint, training, readings, chosen, report)
            context.say(f"wrote the gate of {checkpoint.name} into {folder}")
        for name, photos in sets.items():
            if drawn := drawn_photos(photos, "val", most):
                found = text_gate.measure(folder, checkpoint, drawn, readings, chosen, report)
                for way in found:
                    rows.append(
                        {"data": name, "model": checkpoint.name, "way": way.name, "milliseconds": way.milliseconds,
                         **dataclasses.asdict(way.scores)}
                    )  # fmt: skip
    if as_json:
        write_json(rows)
        return
    for row in rows:
        print_line(
            f"{row['data']:<12}{row['way']:<8}{row['passed']:>5} of {row['photos']} pass, {row['with_text']} hold "
            f"text: precision {row['precision']:.0%}, recall {row['recall']:.0%}, ranking {row['ranking']:.2f}, "
            f"{row['milliseconds']:.2f} ms a photo"
        )
