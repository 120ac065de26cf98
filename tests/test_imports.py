"""Who may import whom: the borders that keep a search free of torch and each part replaceable."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from photoindex.library import Library
from tests.support import REPOSITORY, make_photo

PACKAGE = REPOSITORY / "photoindex"

# From the bottom to the top; a module may import from its own layer and from those below it.
LAYERS = (
    {"errors", "lazy"},
    {
        "types",
        "found",
        "learned",
        "config",
        "configfile",
        "service",
        "processes",
        "resources",
        "paths",
        "filesystem",
        "units",
    }
    | {"retry", "pace", "atomic", "memory"},
    {"child", "photoformats", "hamming"},
    {"watch", "jobqueue", "decode", "captioner", "metadata", "store", "search"},
    {"companions", "details", "duplicates", "fulltext", "refresh", "termindex", "batches", "thumbnails", "stats"}
    | {"reading", "unchanged"},
    {"training", "status", "installation", "suspension", "finder", "results"},
    {"athand"},
    {"intake"},
    {"pipeline", "watchjournal", "corrections", "exchange"},
    {"indexer", "recaption"},
    {"watcher"},
    {"library"},
    {"doctor", "benchmark"},
    {"", "cli"},
    {"__main__"},
)
TORCH = {"torch", "torchvision", "safetensors"}


def modules() -> list[str]:
    return sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py"))


@cache
def imports(module: str, *, top_level_only: bool = False) -> list[tuple[str, int]]:
    """(name of an imported module, line), without those that only a type checker sees."""
    return list(_imports(module, top_level_only))


def _imports(module: str, top_level_only: bool) -> Iterator[tuple[str, int]]:
    tree = ast.parse((PACKAGE / module).read_text(encoding="utf-8"))
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            waiting.extend(node.orelse)
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and top_level_only:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno} imports relatively"
            assert node.module is not None
            if node.module == "photoindex":
                yield from ((f"photoindex.{alias.name}", node.lineno) for alias in node.names)
            else:
                yield node.module, node.lineno
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "lazily")):
            yield from ((str(name.value), node.lineno) for name in node.args if isinstance(name, ast.Constant))
        waiting.extend(ast.iter_child_nodes(node))


def part(module: str) -> str:
    """The part of the package that a file belongs to: ``catalogue/files.py`` to ``store``, ``__init__.py`` to ``""``."""
    first = Path(module).parts[0]
    return first.removesuffix(".py").replace("__init__", "")


def layer(name: str) -> int:
    return next(number for number, names in enumerate(LAYERS) if name in names)


def who_imports(packages: set[str], *, top_level_only: bool = False) -> set[str]:
    return {
        module
        for module in modules()
        for name, _ in imports(module, top_level_only=top_level_only)
        if name.split(".")[0] in packages
    }


def test_every_module_has_a_layer() -> None:
    assert {part(module) for module in modules()} <= set().union(*LAYERS)


@pytest.mark.parametrize("module", modules())
def test_imports_go_one_way(module: str) -> None:
    upwards = [
        f"{module}:{line} imports {name}"
        for name, line in imports(module)
        if name.startswith("photoindex.") and layer(name.split(".")[1].replace("__version__", "")) > layer(part(module))
    ]
    assert upwards == []


def test_only_the_captioner_and_the_training_know_torch() -> None:
    assert {part(module) for module in who_imports(TORCH) - {"cli/train.py", "cli/evaluate.py"}} <= {
        "captioner",
        "training",
    }


def test_the_command_line_imports_torch_only_inside_functions() -> None:
    assert {module for module in who_imports(TORCH, top_level_only=True) if part(module) == "cli"} == set()


def test_only_one_module_knows_whoosh() -> None:
    assert who_imports({"whoosh"}) == {"search/fulltext/whoosh.py"}


def test_only_the_command_line_knows_click_and_rich() -> None:
    assert {part(module) for module in who_imports({"click", "rich"})} == {"cli"}


def test_only_the_database_module_imports_alembic_and_only_when_it_upgrades() -> None:
    assert who_imports({"alembic"}) == {"catalogue/database.py"}
    assert who_imports({"alembic"}, top_level_only=True) == set()


def test_nothing_imports_pickle() -> None:
    assert who_imports({"pickle", "cPickle", "dill", "shelve"}) == set()


SEARCH = """
import sys

import photoindex

with photoindex.open(sys.argv[1]) as library:
    print(len(library.search("red")), library.status().photos, library.show(sys.argv[2]).caption.text)
unwanted = {"torch", "torchvision", "safetensors", "alembic", "click", "rich", "PIL.ImageShow"}
print(sorted(unwanted & set(sys.modules)))
"""


def test_a_search_imports_neither_torch_nor_the_command_line(library: Library, data_dir: Path, album: Path) -> None:
    make_photo(album / "a.jpg")
    library.index(album)
    done = subprocess.run(
        [sys.executable, "-c", SEARCH, str(data_dir), str(album / "a.jpg")],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "1 1 a red square\n[]\n"
