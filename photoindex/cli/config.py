"""``photoindex config``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from photoindex.cli import config_file
from photoindex.cli.command import DashWords
from photoindex.cli.context import Context, json_option, write_json
from photoindex.cli.terminal import print_line, print_path
from photoindex.config import config_path, read_config, strange_variables
from photoindex.errors import ConfigError
from photoindex.library import check_is_model, model_setting
from photoindex.system.urls import without_password


@click.group()
def config() -> None:
    """Show and change the settings.

    A setting comes from the first of these that has it: a flag (or --set NAME=VALUE before the command), the
    environment (PHOTOINDEX_ and the name in capitals), the config file, its default.
    """


@config.command("show")
@json_option
@click.pass_obj
def show(context: Context, /, as_json: bool) -> None:
    """List every setting, its value, and where it comes from."""
    settings, origins = context.resolve()
    rows = {name: (_shown(name, getattr(settings, name)), origins[name]) for name in origins}
    if as_json:
        write_json({name: {"value": value, "from": kind, "where": where or None}
                    for name, (value, (kind, where)) in rows.items()})  # fmt: skip
    else:
        width = max(map(len, rows))
        for name, (value, (kind, where)) in rows.items():
            shown = str(value) if isinstance(value, Path) else config_file.toml_value(value).strip('"')
            print_line(f"{name:<{width}}  {shown}  ({kind}{': ' + where if where else ''})")
    for variable, meant in strange_variables(os.environ):
        context.say(f"{variable} is no setting and was ignored; did you mean {meant}?")


@config.command("path")
@click.pass_obj
def path(context: Context, /) -> None:
    """Print where the config file is, or would be."""
    print_path(_path(context))


@config.command("get")
@click.argument("name")
@click.pass_obj
def get(context: Context, /, name: str) -> None:
    """Print one setting's value."""
    settings, origins = context.resolve()
    _known(name, origins)
    value = _shown(name, getattr(settings, name))
    if isinstance(value, Path):
        print_path(value)
    else:
        print_line(config_file.toml_value(value).strip('"') if not isinstance(value, str) else value)


# A value may begin with a dash.
@config.command("set", cls=DashWords)
@click.argument("name")
@click.argument("value")
@click.pass_obj
def set_(context: Context, /, name: str, value: str) -> None:
    """Change one setting in the config file, which is created if necessary; its comments stay."""
    if name == "model":
        check_is_model(value)
        value = model_setting(value)
    write_setting(context, name, value)


@config.command("edit")
@click.pass_obj
def edit(context: Context, /) -> None:
    """Open the config file in your editor ($VISUAL, $EDITOR), with every setting explained when it is new."""
    place = _path(context)
    if config_file.read_text(place) is None:
        config_file.write_text(place, config_file.template())
        context.say(f"wrote {place}")
    try:
        click.edit(filename=str(place))
    except click.ClickException as error:
        raise ConfigError(f"{error.format_message()}; set EDITOR, or edit {place} yourself") from error
    read_config(place)
    context.settings()


def write_setting(context: Context, name: str, value: str) -> None:
    """Change one setting in the config file, and say so; also what goes before the file. Raises ConfigError."""
    place = _path(context)
    text = config_file.read_text(place)
    changed = config_file.change(config_file.template() if text is None else text, name, value, place)
    config_file.write_text(place, changed)
    context.say(f"set {name} in {place}")
    _, origins = context.resolve()
    if origins[name].kind != "file":
        context.say(f"{origins[name].where} goes before it")


def _shown(name: str, value: Any) -> Any:
    return without_password(value) if name == "catalogue" else value


def _path(context: Context) -> Path:
    given: dict[str, Any] = context.overrides
    return config_path(context.config, None, context.data_dir or given.get("data_dir"))


def _known(name: str, names: dict[str, Any]) -> None:
    from photoindex.config import near_spelling

    if name not in names:
        raise ConfigError(f"unknown setting {name}{near_spelling(name, names)}")
