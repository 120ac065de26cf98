"""``photoindex train`` and ``photoindex evaluate``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from photoindex.cli.context import Context, device_option, human_seconds, json_option, threads_option, write_json
from photoindex.cli.progress import ProgressDisplay
from photoindex.types import Progress

if TYPE_CHECKING:
    from photoindex.training.datasets import CaptionedPhoto
    from photoindex.training.train import TrainingProgress

data_option = click.option(
    "--data", "data", multiple=True, required=True, type=click.Path(path_type=Path), metavar="PATH",
    help="A captions file, or the folder that holds one: COCO captions_*.json, Flickr8k.token.txt, Flickr30k "
         "results*.token or results.csv, captions.txt (image,caption), or a TSV with image, split and caption. "
         "May be given several times; a data set named twice is trained on twice as often.",
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

    The photos whose split is `val` choose the best epoch. A run that is stopped or killed loses at most five minutes:
    start it again with --resume. Needs the extra: pip install 'photoindex[train]'.
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
    photos = _load(data, images)
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


@click.group()
def evaluate() -> None:
    """Measure how good captions are."""


@evaluate.command("captions")
@data_option
@images_option
@click.option("--split", default="val", show_default=True, help="Which photos to caption.")
@click.option("--model", "models", multiple=True, metavar="NAME",
              help="A shipped model or a model folder; several are compared. [default: the shipped one]")  # fmt: skip
@click.option(
    "--beam-width", "beams", multiple=True, type=click.IntRange(1, 20), help="May be given several times. [default: 3]"
)
@click.option("--captions-to", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write the captions too: TSV of model, beam width, image, caption.")  # fmt: skip
@device_option
@threads_option
@json_option
@click.pass_obj
def evaluate_captions(
    context: Context,
    /,
    data: tuple[Path, ...],
    images: Path | None,
    split: str,
    models: tuple[str, ...],
    beams: tuple[int, ...],
    captions_to: Path | None,
    device: str | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """BLEU-1 to 4, ROUGE-L and CIDEr of models on photos with captions by people.

    Each data set is scored by itself. Scores are pycocoevalcap's, in percent; the extra `train` has it.
    """
    import torch

    from photoindex.captioner import model_folder
    from photoindex.captioner.checkpoint import load_checkpoint
    from photoindex.captioner.device import choose_device
    from photoindex.training.evaluate import caption_photos, score_captions

    if threads:
        torch.set_num_threads(threads)
    chosen = choose_device(device or "auto")
    rows: list[dict[str, Any]] = []
    written: list[str] = []
    for path in data:
        photos = [photo for photo in _load((path,), images) if photo.split == split]
        if not photos:
            raise click.UsageError(f"{path} has no photos of the split {split!r}")
        for model in models or ("default",):
            checkpoint = load_checkpoint(model_folder(model))
            widths = beams or (3,)
            with ProgressDisplay(context.quiet) as display:
                by_width = caption_photos(
                    checkpoint,
                    photos,
                    widths,
                    chosen,
                    progress=lambda done, total: display(Progress("captioning", done, total)),
                )
            for width, captions in zip(widths, by_width, strict=True):
                scores = dataclasses.asdict(score_captions(captions, [photo.captions for photo in photos]))
                rows.append(
                    {"data": path.name, "split": split, "model": checkpoint.name, "beam_width": width, **scores}
                )
                written += [
                    f"{checkpoint.name}\t{width}\t{photo.path.name}\t{caption}"
                    for photo, caption in zip(photos, captions, strict=True)
                ]
    if captions_to is not None:
        captions_to.write_text("\n".join(["model\tbeam_width\timage\tcaption", *written]) + "\n", encoding="utf-8")
    if as_json:
        write_json(rows)
        return
    heads = ("data", "model", "beam", "photos", "BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr")
    table = [heads] + [
        (
            row["data"], row["model"], str(row["beam_width"]), str(row["photos"]),
            *(f"{row[key]:.1f}" for key in ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider")),
        )
        for row in rows
    ]  # fmt: skip
    widest = [max(len(line[column]) for line in table) for column in range(len(heads))]
    for line in table:
        cells = [
            cell.ljust(w) if n < 2 else cell.rjust(w) for n, (cell, w) in enumerate(zip(line, widest, strict=True))
        ]
        click.echo("  ".join(cells))


def _load(data: tuple[Path, ...], images: Path | None) -> list[CaptionedPhoto]:
    from photoindex.training.datasets import load_dataset

    return [photo for path in data for photo in load_dataset(path, images)]
