"""``photoindex benchmark``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from photoindex.cli.context import (
    Context,
    batch_option,
    device_option,
    engine_option,
    json_option,
    model_option,
    threads_option,
    write_json,
)
from photoindex.cli.terminal import print_line
from photoindex.system.units import counted, human_seconds

if TYPE_CHECKING:
    from photoindex.library.benchmark import Rates

ASSUMED_LIBRARY = 10_000  # photos, where the user named none


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH…]")
@click.option("--photos", "count", type=click.IntRange(1), default=64, show_default=True,
              help="Measure on at most this many.")  # fmt: skip
@click.option("--beam-width", "beam_widths", multiple=True, type=click.IntRange(1, 20),
              help="Captions considered at each word; may be given several times. [default: 3]")  # fmt: skip
@device_option
@engine_option
@model_option
@batch_option
@threads_option
@json_option
@click.pass_obj
def benchmark(
    context: Context, /, paths: tuple[Path, ...], count: int, beam_widths: tuple[int, ...], as_json: bool, **flags: Any
) -> None:
    """Measure how fast this machine captions: your photos in PATHs, or photos made for it.

    Nothing is written to your library: what is measured goes to a temporary folder. The time for your photos is of the
    whole way, from file to search index.
    """
    from photoindex.library.benchmark import measure

    rates = measure(paths, context.settings(**flags), count=count, beam_widths=beam_widths, say=context.say)
    library = ASSUMED_LIBRARY if rates.found is None else rates.found
    if as_json:
        write_json({**dataclasses.asdict(rates), "library": library, "library_seconds": rates.seconds_for(library)})
        return
    for label, value in _lines(rates, library):
        print_line(f"{label:<26}{value}")


def _lines(rates: Rates, library: int) -> list[tuple[str, str]]:
    unread = f", {rates.failed} of which cannot be read" if rates.failed else ""
    lines = [
        ("measured on", f"{counted(rates.photos, 'photo')} of {rates.megapixels:.1f} megapixels on average{unread}"),
        ("model", f"{rates.model} on {rates.device}, loaded in {rates.load_seconds:.1f} s"),
        ("decode", _rate(rates.decode)),
        ("store and index", _rate(rates.store)),
    ]
    for each in rates.captions:
        lines.append((f"caption, beam width {each.beam_width}", _rate(each.caption)))
        lines.append((f"the whole, beam width {each.beam_width}", _rate(each.whole)))
    lines.append((f"{library:,} photos take", f"{human_seconds(rates.seconds_for(library))}, beam width "
                  f"{rates.captions[0].beam_width}"))  # fmt: skip
    return lines


def _rate(value: float) -> str:
    return f"{value:,.1f} photos a second"
