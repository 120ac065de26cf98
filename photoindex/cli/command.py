"""Commands whose arguments may begin with a dash: words that a search leaves out, values below zero."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import click


class NamedPath(click.ParamType):  # type: ignore[type-arg]
    """A path that has a name: an empty one, such as a shell's variable that is not set, would mean the folder that the
    command is run in."""

    def __init__(self, inner: click.Path) -> None:
        self._inner = inner
        self.name = inner.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("a path cannot be empty; for this folder write .", param, ctx)
        return self._inner.convert(value, param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> Any:
        return self._inner.shell_complete(ctx, param, incomplete)


def refuse_empty_paths(command: click.Command) -> click.Command:
    """Have every path that a command, or one below it, is given be a :class:`NamedPath`. Return the command."""
    for param in command.params:
        if isinstance(param.type, click.Path):
            param.type = NamedPath(param.type)
    if isinstance(command, click.Group):
        for each in command.commands.values():
            refuse_empty_paths(each)
    return command


_PROTECTED = "\0"  # no argument of a program holds one


class DashWords(click.Command):
    """A command that takes ``-word`` as an argument, where it is no option, and refuses an unknown ``--word``.

    An argument with one dash is an option when it is spelt as one: a known letter, with its value if it takes a number
    (``-n5``), or several known letters (``-0h``). A single unknown letter is a mistyped option. Behind ``--``
    everything is an argument.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, list(self._protected(ctx, args)))
        except click.UsageError as error:
            raise click.UsageError(_as_typed(error.format_message()), error.ctx) from error

    def invoke(self, ctx: click.Context) -> Any:
        ctx.params = {name: _as_typed(value) for name, value in ctx.params.items()}
        return super().invoke(ctx)

    def _protected(self, ctx: click.Context, args: list[str]) -> Iterator[str]:
        """The arguments, those that are no options marked."""
        takes_value = {
            name: not option.is_flag
            for option in self.get_params(ctx)
            if isinstance(option, click.Option) and not option.count
            for name in (*option.opts, *option.secondary_opts)
        }
        waiting = iter(args)
        for arg in waiting:
            if arg == "--":
                yield arg
                yield from waiting
                return
            if not arg.startswith("-") or arg == "-" or _is_option(arg, takes_value):
                yield arg
                if takes_value.get(arg):
                    yield from islice(waiting, 1)
            else:
                yield _PROTECTED + arg


def _as_typed(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_as_typed, value))
    return value.replace(_PROTECTED, "") if isinstance(value, str) else value


def _is_option(arg: str, takes_value: dict[str, bool]) -> bool:
    """Whether an argument with a dash is meant as an option, known or not."""
    if arg.startswith("--"):
        return True
    for place, letter in enumerate(arg[1:], start=2):
        if f"-{letter}" not in takes_value:
            return len(arg) == 2 and letter.isascii() and letter.isalpha()
        if takes_value[f"-{letter}"]:
            return re.fullmatch(r"=?\d*", arg[place:]) is not None
    return True
