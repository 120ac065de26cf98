"""``photoindex caption``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from photoindex.cli.context import (
    EXIT_SOME_FAILED,
    Context,
    beam_option,
    device_option,
    engine_option,
    json_option,
    model_option,
    threads_option,
    write_json,
)
from photoindex.cli.terminal import print_error, print_line
from photoindex.errors import PhotoError
from photoindex.library.json_forms import photo_error_json, prediction_json


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE…")
@device_option
@engine_option
@model_option
@beam_option
@threads_option
@json_option
@click.pass_obj
def caption(context: Context, /, files: tuple[Path, ...], as_json: bool, **flags: Any) -> None:
    """Caption photos without storing anything, in the order given.

    With --json: all candidates with their natural-log probabilities, the object labels and their kinds.
    """
    from photoindex.library import caption_files

    failed = False
    answers = []
    for path, answer in caption_files(context.settings(**flags), files):
        if isinstance(answer, PhotoError):
            failed = True
            print_error(f"photoindex: {answer}")
            answers.append(photo_error_json(path, answer))
            continue
        answers.append(prediction_json(path, answer))
        if not as_json:
            print_line(f"{path}: {answer.caption}" if len(files) > 1 else answer.caption)
    if as_json:
        write_json(answers)
    if failed:
        raise SystemExit(EXIT_SOME_FAILED)
