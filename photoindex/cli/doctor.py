"""``photoindex doctor`` and ``formats``."""

from __future__ import annotations

import dataclasses
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
from photoindex.cli.output import visible
from photoindex.config import Settings, default_data_dir
from photoindex.errors import ConfigError
from photoindex.system.paths import absolute, printable
from photoindex.types import Finding

EXIT_PROBLEM = 1


@click.command()
@click.option("--deep", is_flag=True, help="Load the model, too, and caption a photo made for it; takes some seconds.")
@click.option("--restore-backup", is_flag=True,
              help="Put the newest backup in the place of a damaged catalogue, which is kept beside it.")  # fmt: skip
@device_option
@engine_option
@model_option
@json_option
@click.pass_obj
def doctor(context: Context, /, deep: bool, restore_backup: bool, as_json: bool, **flags: Any) -> None:
    """Check the installation and the library, and say what to do about what is wrong.

    One line a check: ok, warning or problem, what was found, and what to do. Nothing is changed unless
    --restore-backup says so. Exit status: 0 when nothing is a problem, 1 otherwise.
    """
    if restore_backup:
        _restore(context)
        return
    findings = []
    for finding in _examine(context, deep, flags):
        findings.append(finding)
        if not as_json:
            click.echo(_line(finding))
    levels = Counter(finding.level for finding in findings)
    if as_json:
        write_json({"healthy": not levels["problem"], "findings": [dataclasses.asdict(each) for each in findings]})
    context.say(f"{levels['problem']} problem(s), {levels['warning']} warning(s)")
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
    from photoindex.media.decode.readers import list_readers

    found = list_readers()
    if as_json:
        write_json([
            {
                "format": reader.format.name,
                "reads": reader.works,
                "library": reader.format.package,
                "version": reader.version,
                "suffixes": sorted(reader.format.suffixes),
                "install": None if reader.works else reader.install,
            }
            for reader in found
        ])  # fmt: skip
        return
    width = max(len(reader.format.name) for reader in found)
    for reader in found:
        how = f"{reader.format.package} {reader.version}" if reader.works else f"not read here: {reader.install}"
        suffixes = " ".join(sorted(reader.format.suffixes))
        click.echo(f"{'yes' if reader.works else 'no':<5}{reader.format.name:<{width}}  {how}")
        click.echo(f"{'':{width + 7}}{suffixes}")
    if not all(reader.works for reader in found):
        click.echo("Photos that failed for want of a plugin are tried again by: photoindex failures retry")


def _restore(context: Context) -> None:
    from photoindex.library.doctor import restore

    restored = restore(context.settings())
    if restored.moved_to is not None:
        context.say(f"the damaged catalogue is kept as {printable(restored.moved_to)}")
    context.say(
        f"restored {printable(restored.backup)}; now run photoindex index on your folders: what changed since is "
        "captioned anew"
    )


def _line(finding: Finding) -> str:
    advice = f" -> {finding.advice}" if finding.advice else ""
    text = f"{finding.level:<8} {finding.name}: {finding.message}{advice}"
    return visible(os.fsencode(text).decode("utf-8", "replace"))
