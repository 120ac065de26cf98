"""``photoindex evaluate eight-bits``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from photoindex.cli.context import Context, device_option, json_option, threads_option, write_json
from photoindex.cli.parameters import MODEL
from photoindex.cli.progress import ProgressDisplay
from photoindex.cli.terminal import print_line
from photoindex.cli.train import data_option, drawn_photos, hold_out_option, images_option, load_photos
from photoindex.errors import CheckpointError
from photoindex.types import Progress

if TYPE_CHECKING:
    from torch import Tensor

UNITS = {"rounding": "block", "learning": "step"}  # what is counted then


@click.command("eight-bits")
@data_option
@images_option
@hold_out_option
@click.option("--model", type=MODEL, metavar="NAME", default="default", help="A shipped model or a model folder.")
@click.option("--learn", is_flag=True,
              help="Learn to see in 8 bits from photos of the split `train`, and write that into the model's "
                   "folder.")  # fmt: skip
@click.option("--steps", type=click.IntRange(0), default=0, show_default=True, metavar="N",
              help="How many batches to learn from after its weights were fitted; for a GPU.")  # fmt: skip
@click.option("--batch", type=click.IntRange(1), default=32, show_default=True, metavar="N", help="Photos in a batch.")
@click.option("--photos", "most", type=click.IntRange(1), default=200, show_default=True, metavar="N",
              help="Of each data set, so many `val` photos, at random, to measure by.")  # fmt: skip
@device_option
@threads_option
@json_option
@click.pass_obj
def evaluate_eight_bits(
    context: Context,
    /,
    data: tuple[Path, ...],
    images: Path | None,
    hold_out: int,
    model: str,
    learn: bool,
    steps: int,
    batch: int,
    most: int,
    device: str | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """How far what a model sees in 8 bits, as processors do, is from what it sees in 32.

    A row for each data set: how far the features are, and the term head's logits, as shares of what they are. What
    captions and searches lose by it say `photoindex evaluate captions` and `evaluate search` with --engine float and
    without.
    """
    from photoindex.library import choose_device, load_checkpoint, model_folder
    from photoindex.training import eight_bits

    settings, folder = context.settings(device=device, threads=threads), model_folder(model)
    chosen = choose_device(settings.device, settings.threads)
    checkpoint = load_checkpoint(folder)
    sets = {path.name: load_photos((path,), images, hold_out) for path in data}

    rows = []
    with ProgressDisplay(context.quiet) as display:

        def report(stage: str, done: int, total: int) -> None:
            display(Progress(stage, done, total, unit=UNITS.get(stage, "")))

        def decoded(paths: Sequence[Path]) -> Tensor:
            return eight_bits.decoded(paths, settings, report)

        weights = checkpoint.eight_bits
        if learn:
            every = [photo for photos in sets.values() for photo in photos]
            training = drawn_photos(every, "train", eight_bits.photos_for(steps, batch))
            pixels = decoded(training)
            weights = eight_bits.learn(checkpoint, pixels, chosen, steps, batch, report, folder=folder)
            context.say(f"wrote the encoder of {checkpoint.name} in 8 bits into {folder}")
        if weights is None:
            raise CheckpointError(f"{folder} has no encoder in 8 bits: make one with --learn")
        for name, photos in sets.items():
            if not (drawn := drawn_photos(photos, "val", most)):
                continue
            found = eight_bits.compare(checkpoint, weights, decoded(drawn), chosen)
            rows.append({"data": name, "model": checkpoint.name, "photos": len(drawn), **dataclasses.asdict(found)})
    if as_json:
        write_json(rows)
        return
    for row in rows:
        print_line(
            f"{row['data']:<12}{row['photos']:>5} photos: features {row['features']:.1%} off, "
            f"logits {row['logits']:.1%}"
        )
