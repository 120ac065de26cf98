"""``photoindex train``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import click

from photoindex.cli.context import Context, device_option, model_option, threads_option
from photoindex.cli.parameters import MODEL
from photoindex.cli.progress import ProgressDisplay
from photoindex.system.terminal import shell_quoted
from photoindex.system.units import counted, human_seconds
from photoindex.types import Progress

if TYPE_CHECKING:
    import torch

    from photoindex.training.datasets import CaptionedPhoto
    from photoindex.training.loop import TrainingProgress
    from photoindex.training.recipes import Recipe

data_option = click.option(
    "--data", "data", multiple=True, required=True, type=click.Path(path_type=Path), metavar="PATH",
    help="A captions file, or the folder that holds one: COCO captions_*.json, Flickr8k.token.txt, Flickr30k "
         "results*.token or results.csv, captions.txt (image,caption), or a TSV with image, split and caption. "
         "May be given several times.",
)  # fmt: skip
optional_data_option = click.option(
    "--data", "data", multiple=True, type=click.Path(path_type=Path), metavar="PATH",
    help="A captions file, or the folder that holds one, as `photoindex evaluate captions` takes it. May be given "
         "several times.",
)  # fmt: skip
images_option = click.option(
    "--images", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="The folder of the photos. [default: images/ beside the captions]",
)  # fmt: skip
hold_out_option = click.option(
    "--hold-out", type=click.IntRange(0), default=0, show_default=True, metavar="N",
    help="Of a data set without photos of the split `val`, this many training photos (those whose names have the "
         "smallest SHA-256) are `val`.",
)  # fmt: skip
SEED = 7  # of drawn photos
FIXED_BY_START = {"encoder", "word_epochs", "language_epochs", "hidden_size"}


@click.command()
@click.option("--from-catalogue", is_flag=True,
              help="Learn from your own captions in the library: fine-tunes the model in use.")  # fmt: skip
@optional_data_option
@images_option
@click.option("--noisy", multiple=True, type=click.Path(path_type=Path), metavar="PATH",
              help="More photos, with captions by machines or found beside them. Those that are plain sentences teach "
                   "captions too.")  # fmt: skip
@click.option("--labelled", multiple=True, type=click.Path(path_type=Path), metavar="PATH",
              help="More photos, of single things, with a label each (labels.tsv: image, split, label).")  # fmt: skip
@click.option("--start", type=MODEL, metavar="MODEL",
              help="Go on from this shipped model or model folder: its encoder and terms stay, its decoder learns "
                   "on.")  # fmt: skip
@hold_out_option
@click.option("--texts", multiple=True, type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Captions without photos, a line each (.txt, .gz): they teach which words are akin.")  # fmt: skip
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR",
              help="Where the model and the run's checkpoints are written.")  # fmt: skip
@click.option("--encoder", type=click.Choice(["efficientnet_lite2", "resnet50", "resnet152"]),
              help="The CNN. [default: efficientnet_lite2]")  # fmt: skip
@click.option("--encoder-weights", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Its released ImageNet weights. [default: found in the installed packages]")  # fmt: skip
@click.option("--recipe", "--decoder", "recipe", type=click.Choice(["attention", "pooled", "joint"]),
              default="attention", show_default=True,
              help="attention: a decoder that looks at regions, and an encoder tuned in its last blocks, for a CPU. "
                   "joint: the same decoder, and the whole encoder learns from the pixels on, for a GPU. pooled: the "
                   "classic tutorial's decoder and recipe.")  # fmt: skip
@click.option("--word-epochs", type=click.IntRange(0),
              help="Stage 1, people's words; 0 leaves the encoder as released. [default: 5; pooled: 0; joint: "
                   "33]")  # fmt: skip
@click.option("--language-epochs", type=click.IntRange(0),
              help="Stage 2, language, from --texts; 0 leaves it out. [default: 0; joint: 2]")  # fmt: skip
@click.option("--epochs", type=click.IntRange(1), help="Stage 3, captions. [default: 8; joint: 9; --start: 1]")
@click.option("--runs", type=click.IntRange(1),
              help="Of stage 3, each with its own seed; the mean of their weights is kept. [default: 1; --start: "
                   "2]")  # fmt: skip
@click.option("--reward-epochs", type=click.IntRange(0),
              help="Stage 4, self-critical training; 0 leaves it out. [default: 0; joint: 6]")  # fmt: skip
@click.option(
    "--views",
    type=click.IntRange(1),
    help="Of each photo, varied by cropping and light. [default: 4; pooled: 1; joint: 6]",
)
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    help="Of stage 3. [default: 0.001; joint: 0.0008; --start: 0.0005]",
)
@click.option("--hidden-size", type=click.IntRange(1), help="Width of the LSTMs. [default: 512]")
@click.option("--threshold", type=click.IntRange(1), help="Words seen less often are unknown. [default: 4]")
@click.option("--batch-photos", type=click.IntRange(1),
              help="Photos a step of stages 3 and 4, each with its captions. [default: 24; pooled: 26; joint: "
                   "128; --start: 64]")  # fmt: skip
@click.option("--seed", type=int, help="The random seed of all stages. [default: each recipe's own]")
@click.option("--cache", "cache_folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Where computed features are kept (0.16 MB a view). [default: features/ in the output]")  # fmt: skip
@click.option("--resume", is_flag=True, help="Go on with the run in the output folder; epochs may change.")
@device_option
@model_option
@threads_option
@click.pass_obj
def train(
    context: Context,
    /,
    from_catalogue: bool,
    data: tuple[Path, ...],
    images: Path | None,
    noisy: tuple[Path, ...],
    labelled: tuple[Path, ...],
    start: str | None,
    hold_out: int,
    texts: tuple[Path, ...],
    output: Path,
    recipe: str,
    encoder_weights: Path | None,
    cache_folder: Path | None,
    resume: bool,
    device: str | None,
    threads: int | None,
    **changes: Any,
) -> None:
    """Train a captioning model on photos with captions.

    The encoder learns the words that people use; then the decoder learns to speak, to say what people say of photos,
    and, if asked to, to agree with them as a whole. docs/training.md describes the stages, the recipes and the data.
    The photos whose split is `val` choose the best epochs; a data set named twice is trained on twice as often. A run
    that is stopped or killed loses at most five minutes: start it again with --resume. The validation photos also teach
    the model how likely its captions are right: see `photoindex evaluate confidence`. Needs the extra: pip install
    'photoindex[train]'.

    With --from-catalogue, the captions that you wrote (at least 20) are learned from instead, and the model is held to
    what it knew. One in five is not learned from: the figures before and after are measured by those. Use the model
    that comes out by --model DIR.
    """
    changes = {name: value for name, value in changes.items() if value is not None}
    if from_catalogue:
        if (
            data
            or images
            or noisy
            or labelled
            or start
            or hold_out
            or texts
            or recipe != "attention"
            or encoder_weights
            or cache_folder
        ):
            raise click.UsageError("--from-catalogue learns from the library alone, and goes on from the model in use")
        learn_from_catalogue(context, output, resume, device, threads, changes)
        return
    if not data:
        raise click.UsageError("say what to learn from: --data PATH or --from-catalogue")
    if changes.pop("model", None):
        raise click.UsageError("--model goes with --from-catalogue")
    if start and (recipe != "attention" or encoder_weights or changes.keys() & FIXED_BY_START):
        raise click.UsageError("--start keeps the model's encoder, terms and sizes: leave out what would change them")
    from photoindex.library import choose_device, describe, load_checkpoint, model_folder
    from photoindex.training.train import train as run_training

    settings = context.settings(device=device, threads=threads)
    chosen = choose_device(settings.device, settings.threads)
    photos = load_photos(data, images, hold_out)
    learned = sum(photo.split == "train" for photo in photos)
    judged = sum(photo.split == "val" for photo in photos)
    shown = f"{counted(learned, 'photo')}, and choosing by {counted(judged, 'other')}"
    context.say(f"training on {shown} ({describe(chosen)})")
    with ProgressDisplay(context.quiet, unit="step") as display:
        record = run_training(
            photos,
            _recipe("further" if start else recipe, changes),
            output,
            name=output.name,
            device=chosen,
            cache_folder=cache_folder,
            encoder_weights=encoder_weights,
            resume=resume,
            noisy=load_photos(noisy, None, hold_out),
            labelled=load_photos(labelled, None),
            texts=texts,
            start=load_checkpoint(model_folder(start)) if start else None,
            sources=[path.name for path in (*data, *noisy, *labelled, *texts)],
            progress=lambda progress: _report(context, display, progress),
        )
    _fit_confidence(context, output, {path.name: load_photos((path,), images, hold_out) for path in data}, chosen)
    best = ", ".join(f"{stage} {stage_record['best_epoch']}" for stage, stage_record in record["stages"].items())
    context.say(f"wrote the model to {output} (best epochs: {best})")


def _fit_confidence(
    context: Context, folder: Path, data: dict[str, list[CaptionedPhoto]], device: torch.device
) -> None:
    """Have the trained model know how likely its captions are right, if there are validation photos to tell it from."""
    from photoindex.errors import TrainingError
    from photoindex.library import load_checkpoint
    from photoindex.training import confidence

    held_out = {name: kept for name, photos in data.items() if (kept := [p for p in photos if p.split == "val"])}
    if sum(map(len, held_out.values())) < confidence.LEAST_PHOTOS:
        return
    with ProgressDisplay(context.quiet) as display:
        judged = confidence.judge(
            load_checkpoint(folder), held_out, device,
            progress=lambda done, total: display(Progress("fitting the confidence", done, total)),
        )  # fmt: skip
    try:
        confidence.fit_model(folder, judged)
    except TrainingError as error:
        context.say(f"the model has no confidence: {error}")


def learn_from_catalogue(
    context: Context, output: Path, resume: bool, device: str | None, threads: int | None, changes: dict[str, Any]
) -> None:
    """Fine-tune the model in use on the library's corrections, and say what came of it."""
    from photoindex.library import choose_device, describe, model_folder, open_catalogue
    from photoindex.training.fine_tuning import PersonalRecipe, train_personal

    settings = context.settings(device=device, threads=threads, model=changes.pop("model", None))
    known = {"epochs", "learning_rate", "batch_photos", "seed"}
    if changes.keys() - known:
        wrong = ", ".join("--" + name.replace("_", "-") for name in sorted(changes.keys() - known))
        raise click.UsageError(f"with --from-catalogue there is no {wrong}")
    chosen = choose_device(settings.device, settings.threads)
    database = open_catalogue(settings)
    try:
        with ProgressDisplay(context.quiet, unit="step") as display:
            context.say(f"fine-tuning {model_folder(settings.model).name} ({describe(chosen)})")
            record = train_personal(
                database, model_folder(settings.model), output, PersonalRecipe(**changes), device=chosen,
                max_pixels=settings.max_pixels, resume=resume, notice=context.say,
                progress=lambda progress: _report(context, display, progress),
            )  # fmt: skip
    finally:
        database.close()
    counts = record["captions"]
    context.say(f"learned from {counts['learned']} captions of yours; on {counts['held_out']} others, and on photos "
                "without one (known):")  # fmt: skip
    for name, value in record["before"].items():
        context.say(f"  {name:<18} {value:>8} -> {record['after'].get(name, float('nan')):>8}")
    base = model_folder(settings.model).name
    if record["worse"]:
        context.say(
            f"it is not better than {base} by these figures ({', '.join(record['worse'])}), so go on with that one: "
            "more captions of yours, or other --epochs, may help"
        )
        context.say(f"wrote the model to {output} all the same")
        return
    context.say(f"it is better than {base} on captions of yours that it did not learn from")
    context.say(f"wrote the model to {output}: use it with --model {shell_quoted(output)}")


def _recipe(name: str, changes: dict[str, Any]) -> Recipe:
    """A recipe by its name, with what the options change of it."""
    from photoindex.training.recipes import RECIPES

    recipe = RECIPES[name]
    seed = {"seed": changes.pop("seed")} if "seed" in changes else {}
    batch = {"batch_photos": changes.pop("batch_photos")} if "batch_photos" in changes else {}
    whole = {name: changes.pop(name) for name in ("encoder", "views") if name in changes}
    first = {"epochs": changes.pop("word_epochs")} if "word_epochs" in changes else {}
    words, joint = ({}, first) if name == "joint" else (first, {})
    language = {"epochs": changes.pop("language_epochs")} if "language_epochs" in changes else {}
    reward = {"epochs": changes.pop("reward_epochs")} if "reward_epochs" in changes else {}
    return dataclasses.replace(
        recipe,
        words=dataclasses.replace(recipe.words, **words, **seed),
        joint=dataclasses.replace(recipe.joint, **joint, **seed),
        language=dataclasses.replace(recipe.language, **language, **seed),
        captions=dataclasses.replace(recipe.captions, **changes, **batch, **seed),
        reward=dataclasses.replace(recipe.reward, **reward, **batch, **seed),
        **whole,
    )


def _report(context: Context, display: ProgressDisplay, progress: TrainingProgress) -> None:
    if progress.scores or progress.stage == "epoch":
        scores = ", ".join(f"{key} {value:.1f}" for key, value in progress.scores.items())
        context.say(
            f"epoch {progress.epoch} of {progress.epochs}: loss {progress.loss:.3f}" + (f", {scores}" if scores else "")
        )
        return
    detail = {} if progress.loss is None else {"loss": f"{progress.loss:.3f}"}
    if progress.remaining is not None:
        detail["stage:"] = f"{human_seconds(progress.remaining)} left"
    stage = f"{progress.stage} {progress.epoch}/{progress.epochs}" if progress.epochs else progress.stage
    display(Progress(stage, progress.done, progress.total, detail=detail))


def drawn_photos(photos: Sequence[CaptionedPhoto], split: str, count: int | None = None) -> list[Path]:
    """Return so many photos of a split, at random; the same ones each time, and fewer are the first of more."""
    paths = sorted({photo.path for photo in photos if photo.split == split})
    Random(SEED).shuffle(paths)
    return paths[:count]


def load_photos(data: Iterable[Path], images: Path | None, held_out: int = 0) -> list[CaptionedPhoto]:
    """Return the photos of these data sets, one set after the other; see :func:`.datasets.hold_out`."""
    from photoindex.training.datasets import hold_out, load_dataset

    return [photo for path in data for photo in hold_out(load_dataset(path, images), held_out)]
