"""``photoindex models``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from photoindex.cli.config import write_setting
from photoindex.cli.context import Context, json_option, write_json
from photoindex.cli.parameters import MODEL
from photoindex.cli.terminal import print_line
from photoindex.errors import ModelError
from photoindex.library import DEFAULT_MODEL, inspect_folder, model_folder, shipped_models
from photoindex.system.regular_files import is_there
from photoindex.system.units import counted, human_size

CARD = "MODEL_CARD.md"
_NUMBERS = re.compile(r"-[0-9a-f]{12}(-\d+)?$")  # what follows the name in a model's identity


@click.group()
def models() -> None:
    """List the models there are, describe one, or choose the one to caption with."""


@models.command("list")
@json_option
@click.pass_obj
def list_models(context: Context, /, as_json: bool) -> None:
    """List the shipped models, the one in use, and those that captioned photos of the library, with how many."""
    captioned = _captioned(context)
    default, setting = model_folder(DEFAULT_MODEL).name, context.settings().model
    in_use = _shipped_name(setting)
    names = shipped_models() + ([] if in_use in shipped_models() else [in_use])
    described = [_described(name, captioned, default=default, in_use=in_use) for name in names]
    elsewhere = _elsewhere(captioned, described)
    for model in described:
        _recognise(model, elsewhere)
    described += [
        {"name": None, "identity": identity, "default": False, "in_use": False, "bytes": None, "photos": photos,
         "problem": None}
        for identity, photos in _elsewhere(captioned, described).items()
    ]  # fmt: skip
    if as_json:
        write_json(described)
        return
    for model in described:
        size = "not here" if model["bytes"] is None else human_size(model["bytes"])
        if model["problem"] is not None and model["bytes"] is not None:
            size = f"{size}, cannot be used: {model['problem']}"
        notes = [note for note in ("in_use", "default") if model[note]]
        marks = f"  ({', '.join(notes)})".replace("_", " ") if notes else ""
        photos = f"  captioned {counted(model['photos'], 'photo')}" if model["photos"] else ""
        print_line(f"{model['name'] or model['identity']}  {size}{marks}{photos}")


@models.command("info")
@click.argument("name", default=DEFAULT_MODEL, type=MODEL)
@click.pass_obj
def info(context: Context, /, name: str) -> None:
    """Print a model's card: its data, figures, weaknesses and licences. NAME is a shipped model or a folder."""
    folder = model_folder(name)
    card = folder / CARD
    if card.is_file():
        for line in card.read_text(encoding="utf-8").splitlines():
            print_line(line)
    else:
        context.say(f"{folder} has no model card")
    inspect_folder(folder)  # a card says nothing of files that are missing, damaged or of another version


@models.command("use")
@click.argument("name", type=MODEL, metavar="NAME|DIR")
@click.pass_obj
def use(context: Context, /, name: str) -> None:
    """Caption with this model from now on: a shipped one, or the folder of one that you trained.

    The model is loaded once to check that it works. Then it becomes the setting `model` in the config file. Captions by
    other models stay, and are searched, until `photoindex reindex --stale` replaces them.
    """
    folder = model_folder(name)
    model = inspect_folder(folder)
    from photoindex.library import load_checkpoint  # imports torch

    load_checkpoint(folder)
    shipped = name == DEFAULT_MODEL or folder == model_folder(DEFAULT_MODEL).parent / name
    write_setting(context, "model", name if shipped else str(folder.absolute()))
    context.say(f"captions are made by {model.identity} from now on")
    if not (folder / CARD).is_file():
        context.say(f"it has no {CARD}: what it learned from, and what it is bad at, is not known")
    others = {identity: photos for identity, photos in _captioned(context).items() if identity != model.identity}
    for identity, photos in others.items():
        context.say(f"{counted(photos, 'photo was', 'photos were')} captioned by {identity}")
    if others:
        context.say("they keep those captions until you run: photoindex reindex --stale")


def _captioned(context: Context) -> dict[str, int]:
    """How many photos of the library each model captioned, by identity; of a library that is not there none."""
    settings = context.settings()
    if not settings.catalogue and not is_there(settings.catalogue_path):
        return {}
    with context.open() as library:
        return library.captioned_by()


def _shipped_name(setting: str) -> str:
    """The name of the shipped model that a setting means, or the setting itself."""
    return model_folder(DEFAULT_MODEL).name if setting == DEFAULT_MODEL else setting


def _described(name: str, captioned: dict[str, int], *, default: str, in_use: str) -> dict[str, Any]:
    identity = size = problem = None
    try:
        folder = model_folder(name)
        size = _size(folder) if folder.is_dir() else None
        identity = inspect_folder(folder).identity
    except (ModelError, OSError) as error:  # the setting names one that is gone, or is broken
        problem = str(error)
    return {
        "name": name,
        "identity": identity,
        "default": name == default,
        "in_use": name == in_use,
        "bytes": size,
        "photos": captioned.get(identity or "", 0),
        "problem": problem,
    }


def _elsewhere(captioned: dict[str, int], described: list[dict[str, Any]]) -> dict[str, int]:
    """How many photos each model captioned that is not among those described."""
    known = {model["identity"] for model in described}
    return {identity: photos for identity, photos in captioned.items() if identity not in known}


def _recognise(model: dict[str, Any], elsewhere: dict[str, int]) -> None:
    """Say of a model that is gone or broken which one it was, where one alone of those that captioned photos has the
    name of its folder, as `train` gives it."""
    if model["identity"] is not None:
        return
    name = Path(model["name"]).name
    of_that_name = [identity for identity in elsewhere if _NUMBERS.sub("", identity) == name]
    if len(of_that_name) == 1:
        model["identity"], model["photos"] = of_that_name[0], elsewhere[of_that_name[0]]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
