"""``photoindex train``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from photoindex.cli.context import Context, device_option, human_seconds, threads_option
from photoindex.cli.progress import ProgressDisplay
from photoindex.types import Progress

if TYPE_CHECKING:
    from photoindex.training.datasets import CaptionedPhoto
    from photoindex.training.train import TrainingProgress

data_option = click.option(
    "--data", "data", multiple=True, required=True, type=click.Path(path_type=Path), metavar="PATH",
    help="A captions file, or the folder that holds one: COCO captions_*.json, Flickr8k.token.txt, Flickr30k "
         "results*.token or results.csv, captions.txt (image,caption), or a TSV with image, split and caption. "
         "May be given several times.",
)  # fmt: skip
images_option = click.option(
    "--images", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="The folder of the photos. [default: images/ beside the captions]",
)  # fmt: skip


@click.command()
@data_option
@images_option
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR",
              help="Where the model and the run's checkpoints are written.")  # fmt: skip
@click.option("--encoder", type=click.Choice(["efficientnet_lite2", "resnet50", "resnet152"]),
              help="The CNN. [default: efficientnet_lite2]")  # fmt: skip
@click.option("--encoder-weights", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Its released ImageNet weights. [default: found in the installed packages]")  # fmt: skip
@click.option("--decoder", type=click.Choice(["attention", "pooled"]), default="attention", show_default=True,
              help="attention looks at regions; pooled is the classic tutorial's, with its recipe.")  # fmt: skip
@click.option("--epochs", type=click.IntRange(1),
              help="Passes over the photos; may change with --resume. [default: 6; pooled: 8]")  # fmt: skip
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True), help="Adam's step size. [default: 0.001]")
@click.option("--hidden-size", type=click.IntRange(1), help="Width of the LSTMs. [default: 384; pooled: 512]")
@click.option("--threshold", type=click.IntRange(1), help="Words seen less often are unknown. [default: 4]")
@click.option("--batch-photos", type=click.IntRange(1),
              help="Photos a step, each with all its captions. [default: 24; pooled: 26]")  # fmt: skip
@click.option("--seed", type=int, help="The random seed. [default: 1]")
@click.option("--cache", "cache_folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Where computed features are kept (0.4 MB a photo). [default: features/ in the output]")  # fmt: skip
@click.option("--resume", is_flag=True, help="Go on with the run in the output folder.")
@device_option
@threads_option
@click.pass_obj
def train(
    context: Context,
    /,
    data: tuple[Path, ...],
    images: Path | None,
    output: Path,
    decoder: str,
    encoder_weights: Path | None,
    cache_folder: Path | None,
    resume: bool,
    device: str | None,
    threads: int | None,
    **changes: Any,
) -> None:
    """Train a captioning model on photos with captions.

    The photos whose split is `val` choose the best epoch; a data set named twice is trained on twice as often.
    A run that is stopped or killed loses at most five minutes: start it again with --resume. Needs the extra: pip
    install 'photoindex[train]'.
    """
    import torch

    from photoindex.captioner.device import choose_device, describe
    from photoindex.training.train import RECIPES
    from photoindex.training.train import train as run_training

    if threads:
        torch.set_num_threads(threads)
    chosen = choose_device(device or "auto")
    recipe = dataclasses.replace(
        RECIPES[decoder], **{name: value for name, value in changes.items() if value is not None}
    )
    photos = load_photos(data, images)
    context.say(f"training on {len(photos)} photos ({describe(chosen)})")
    with ProgressDisplay(context.quiet, unit="steps") as display:

        def report(progress: TrainingProgress) -> None:
            if progress.stage == "epoch":
                scores = ", ".join(
                    f"{key} {value:.1f}" for key, value in progress.scores.items() if key not in ("epoch", "loss")
                )
                context.say(
                    f"epoch {progress.epoch} of {progress.epochs}: loss {progress.loss:.3f}"
                    + (f", {scores}" if scores else "")
                )
                return
            detail = {} if progress.loss is None else {"loss": f"{progress.loss:.3f}"}
            if progress.remaining is not None:
                detail["whole run:"] = f"{human_seconds(progress.remaining)} left"
            stage = "computing features" if progress.stage == "features" else f"epoch {progress.epoch}"
            display(Progress(stage, progress.done, progress.total, detail=detail))

        record = run_training(
            photos,
            recipe,
            output,
            name=output.name,
            device=chosen,
            cache_folder=cache_folder,
            encoder_weights=encoder_weights,
            resume=resume,
            sources=[path.name for path in data],
            progress=report,
        )
    context.say(f"wrote the model of epoch {record['best_epoch']} to {output}")


def load_photos(data: Iterable[Path], images: Path | None) -> list[CaptionedPhoto]:
    """The photos of these data sets, one after the other."""
    from photoindex.training.datasets import load_dataset

    return [photo for path in data for photo in load_dataset(path, images)]
