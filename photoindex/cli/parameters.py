"""Kinds of options and arguments that click has not: one of several flags, and what may be a name or a path."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_Command = Callable[..., Any]


def flag_of(parameter: str, *names: str, value: str, help: str) -> Callable[[_Command], _Command]:
    """Return an option without a value that gives ``parameter`` this ``value``. Of several options of one parameter
    only one may be given: click takes the last, and the others would be dropped without a word."""

    def put(context: click.Context, option: click.Parameter, is_given: bool) -> None:
        typed = context.meta.setdefault(f"{__name__}.{parameter}", {})
        context.params.setdefault(parameter, None)
        if not is_given:
            return
        typed[value] = max(option.opts, key=len)
        if len(typed) > 1:
            raise click.UsageError(f"{' and '.join(typed.values())}: one of them, not both", context)
        context.params[parameter] = value

    return click.option(*names, is_flag=True, expose_value=False, callback=put, help=help)


class NameOrPath(click.ParamType):  # type: ignore[type-arg]
    """A text that is a known name, as ``known`` lists them, or else a path; in a shell both are completed."""

    name = "text"

    def __init__(self, kind: Literal["dir", "file"], known: Callable[[], list[str]] = list) -> None:
        self._kind = kind
        self._known = known

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        names = [CompletionItem(name) for name in self._known() if name.startswith(incomplete)]
        return [CompletionItem(incomplete, type=self._kind), *names]  # bash forgets what comes before a path


def _shipped() -> list[str]:
    from photoindex.library import DEFAULT_MODEL, shipped_models

    return [DEFAULT_MODEL, *shipped_models()]


MODEL = NameOrPath("dir", _shipped)
CATALOGUE = NameOrPath("file")
