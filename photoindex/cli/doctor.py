"""``photoindex doctor`` and ``formats``."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from photoindex.cli.context import (
    Context,
    device_option,
    engine_option,
    json_option,
    model_option,
    write_json,
)
from photoindex.cli.terminal import print_line
from photoindex.config import Settings, default_data_dir
from photoindex.errors import ConfigError
from photoindex.library.json_forms import findings_json, format_json
from photoindex.system.paths import absolute
from photoindex.system.units import counted
from photoindex.types import Finding

EXIT_PROBLEM = 1


@click.command()
@click.option(
    "--deep",
    is_flag=True,
    help="Also run what reads text, load the model and caption a test photo; takes some seconds.",
)
@click.option("--restore-backup", is_flag=True,
              help="Replace a damaged catalogue by the newest backup; the damaged one is kept beside it.")  # fmt: skip
@device_option
@engine_option
@model_option
@json_option
@click.pass_obj
def doctor(context: Context, /, deep: bool, restore_backup: bool, as_json: bool, **flags: Any) -> None:
    """Check the installation and the library, with advice for whatever is wrong.

    One line for each check: ok, warning or problem, the facts, and what to do. Nothing is changed without
    --restore-backup. Exit status: 0 when nothing is a problem, 1 otherwise.
    """
    if restore_backup:
        _restore(context)
        return
    findings = []
    for finding in _examine(context, deep, flags):
        findings.append(finding)
        if not as_json:
            print_line(_line(finding))
    levels = Counter(finding.level for finding in findings)
    if as_json:
        write_json(findings_json(findings))
    context.say(f"{counted(levels['problem'], 'problem')}, {counted(levels['warning'], 'warning')}")
    if levels["problem"]:
        raise SystemExit(EXIT_PROBLEM)


def _examine(context: Context, deep: bool, flags: dict[str, Any]) -> Iterator[Finding]:
    # Imported here: the other commands need little of what it examines.
    from photoindex.library.doctor import examine

    try:
        settings = context.settings(**flags)
    except ConfigError as error:
        yield Finding("settings", "problem", str(error), "correct it; until then the rest is checked with the defaults")
        data_dir = context.data_dir or os.environ.get("PHOTOINDEX_DATA_DIR") or default_data_dir()
        settings = Settings(absolute(Path(data_dir)))
    yield from examine(settings, deep=deep)


@click.command()
@json_option
def formats(as_json: bool) -> None:
    """List the photo formats: which this installation reads, by what, and what to install for the rest."""
    from photoindex.library import list_readers

    readers = list_readers()
    if as_json:
        write_json([format_json(reader) for reader in readers])
        return
    width = max(len(reader.format.name) for reader in readers)
    for reader in readers:
        how = f"{reader.format.package} {reader.version}" if reader.works else f"not read here: {reader.install}"
        suffixes = " ".join(sorted(reader.format.suffixes))
        print_line(f"{'yes' if reader.works else 'no':<5}{reader.format.name:<{width}}  {how}")
        print_line(f"{'':{width + 7}}{suffixes}")
    if not all(reader.works for reader in readers):
        print_line("Photos that failed because a plugin was missing are tried again by: photoindex failures retry")


def _restore(context: Context) -> None:
    from photoindex.library.doctor import restore

    restored = restore(context.settings())
    if restored.moved_to is not None:
        context.say(f"the damaged catalogue is kept as {restored.moved_to}")
    context.say(
        f"restored {restored.backup}; now run photoindex index on your folders: what changed since is captioned again"
    )


def _line(finding: Finding) -> str:
    advice = f" -> {finding.advice}" if finding.advice else ""
    return f"{finding.level:<8} {finding.name}: {finding.message}{advice}"
