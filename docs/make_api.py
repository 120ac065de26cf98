"""Write docs/api.md from the docstrings of what ``photoindex.__all__`` exports.

python docs/make_api.py            writes the page
python docs/make_api.py --check    only says whether it is up to date
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import photoindex
from photoindex import errors

PAGE = Path(__file__).with_name("api.md")
FIRST = ("open", "Library", "Settings", "Editor", "Edit", "Albums", "Exchange", "Batches")  # what a program begins with

HEAD = """# The Python API

Made from the docstrings by `python docs/make_api.py`; a test holds the two equal. What is on this page keeps its name
and its meaning; new names and fields may come.

```python
import photoindex

with photoindex.open() as library:  # the data folder of the command line
    library.index("/home/anna/Pictures")
    for hit in library.search("giraffes in grass", limit=5):
        print(hit.path, hit.caption)
```

Everything is imported from `photoindex`. Several processes may have a library open, and several threads may use one. A
process that is forked from another opens its own; PyTorch, where it was used already, hangs in a fork, so let
`multiprocessing` start processes that caption by `spawn` or `forkserver`. Searching never imports torch.
"""


def page() -> str:
    """Return the whole page."""
    names = [*FIRST, *(name for name in photoindex.__all__ if name not in FIRST and name != "PhotoindexError")]
    parts = [HEAD, *(f"## {name}\n\n{described(name, getattr(photoindex, name))}" for name in names)]
    return "\n".join([*parts, "## Errors\n", plain(inspect.getdoc(errors) or ""), ""])


def described(name: str, thing: Any) -> str:
    if not inspect.isclass(thing):
        return f"{call(name, thing)}\n\n{plain(inspect.getdoc(thing) or '')}\n"
    parts = [plain(inspect.getdoc(thing) or "")]
    if dataclasses.is_dataclass(thing):
        rows = [f"| `{field.name}` | `{field.type}` |" for field in dataclasses.fields(thing)]
        parts.append("\n".join(["| field | type |", "|---|---|", *rows]).replace(" | None", " or None"))
    elif hasattr(thing, "_fields"):
        kinds = thing.__annotations__
        rows = [
            f"| `{field}` | `{getattr(kinds[field], '__forward_arg__', kinds[field])}` |" for field in thing._fields
        ]
        parts.append("\n".join(["| field | type |", "|---|---|", *rows]))
    parts += [f"### {name}.{method}\n\n{text}" for method, text in members(thing)]
    return "\n\n".join(parts) + "\n"


def members(thing: type) -> Iterator[tuple[str, str]]:
    """Yield the public methods and properties of a class, in their order."""
    inherited = {name: each for base in reversed(thing.__mro__[:-1]) for name, each in vars(base).items()
                 if base.__module__.startswith("photoindex.")}  # fmt: skip
    for name, member in inherited.items():
        if name.startswith("_") or isinstance(member, staticmethod | classmethod):
            continue
        if isinstance(member, property):
            if member.__doc__ and member.fget is not None:
                returns = member.fget.__annotations__.get("return", "")
                yield name, f"`{name}: {returns}`\n\n{plain(inspect.getdoc(member) or '')}"
        elif inspect.isfunction(member):
            yield name, f"{call(name, member)}\n\n{plain(inspect.getdoc(member) or '')}"


def call(name: str, function: Any) -> str:
    """Return a signature as code, without ``self``."""
    signature = inspect.signature(function)
    parameters = [
        each.replace(annotation=Bare(each.annotation), default=_default(each.default))
        for each in signature.parameters.values()
        if each.name != "self"
    ]
    signature = inspect.Signature(parameters, return_annotation=Bare(signature.return_annotation))
    return f"```python\n{name}{signature}\n```"


def _default(value: Any) -> Any:
    return Bare("…") if inspect.isfunction(value) else value


class Bare(str):
    """A text that is written without quotes."""

    __repr__ = str.__str__


def plain(text: str) -> str:
    """Return a docstring as Markdown: roles and double backquotes as code."""
    text = re.sub(r":\w+:`~?\.*([\w.]+)`", lambda match: f"`{match[1].removeprefix('photoindex.')}`", text)
    lines = text.replace("``", "`").split("\n")
    if not any(line.startswith("    ") for line in lines):
        return "\n".join(lines)
    # An indented block is code.
    return re.sub(r"(?m)((?:^(?: {4}.*)?\n)*^ {4}.*$)", lambda match: f"\n```\n{match[1].strip(chr(10))}\n```\n", text)


def main() -> None:
    text = page()
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
            sys.exit(f"{PAGE} is not up to date: python docs/make_api.py")
        return
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
