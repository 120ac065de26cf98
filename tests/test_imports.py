"""Which package may import which, which packages alone know a library, and that names of classes are not shared."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from photoindex.library import Library
from tests.support import REPOSITORY, make_photo

PACKAGE = REPOSITORY / "photoindex"

BASE = {"system", "types", "config", "errors"}  # every package may import these
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "system": {"errors"},
    "types": {"errors", "system"},
    "config": {"errors", "system", "types"},
    "language": BASE,
    "media": BASE,
    "folders": BASE | {"media"},
    "captioner": BASE | {"language"},
    "catalogue": BASE | {"language", "media"},
    "exchange": BASE | {"catalogue", "media"},
    "search": BASE | {"language", "catalogue"},
    "indexing": BASE | {"language", "media", "folders", "captioner", "catalogue", "exchange", "search"},
    "training": BASE | {"language", "media", "captioner", "catalogue", "search"},
}
ALLOWED["library"] = set().union(*ALLOWED.values()) | {"indexing", "training"}
ALLOWED["web"] = BASE | {"library"}
ALLOWED["cli"] = BASE | {"library", "training", "web"}
ALLOWED[""] = BASE | {"library"}  # the face of the whole
ALLOWED["__main__"] = {"cli"}
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
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    yield whole if _file_of(whole) else node.module, node.lineno
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "lazily")):
            yield from ((str(name.value), node.lineno) for name in node.args if isinstance(name, ast.Constant))
        waiting.extend(ast.iter_child_nodes(node))


def _file_of(name: str) -> str | None:
    """The file of a module of photoindex by its name: ``catalogue/files.py`` of ``photoindex.catalogue.files``."""
    place = PACKAGE.joinpath(*name.split(".")[1:])
    for path in (place / "__init__.py", place.with_suffix(".py")):
        if name.startswith("photoindex.") and path.is_file():
            return str(path.relative_to(PACKAGE))
    return None


def part(module: str) -> str:
    """The package that a file belongs to: ``catalogue/files.py`` to ``catalogue``, ``__init__.py`` to ``""``."""
    first = Path(module).parts[0]
    return first.removesuffix(".py").replace("__init__", "")


def who_imports(packages: set[str], *, top_level_only: bool = False) -> set[str]:
    return {
        module
        for module in modules()
        for name, _ in imports(module, top_level_only=top_level_only)
        if name.split(".")[0] in packages
    }


def test_every_package_is_in_the_table() -> None:
    assert {part(module) for module in modules()} == set(ALLOWED)


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_imports_only_what_the_table_allows(package: str) -> None:
    assert [
        f"{module}:{line} imports {name}"
        for module in modules()
        if part(module) == package
        for name, line in imports(module)
        if name.startswith("photoindex.")
        and name != "photoindex.__version__"
        and name.split(".")[1] not in ALLOWED[package] | {package}
    ] == []


def test_the_table_allows_no_circle() -> None:
    left = dict(ALLOWED)
    while free := {package for package, uses in left.items() if not uses & left.keys() - {package}}:
        left = {package: uses for package, uses in left.items() if package not in free}
    assert left == {}


def test_modules_import_one_another_in_no_circle() -> None:
    left = {
        module: {file for name, _ in imports(module) if (file := _file_of(name)) is not None} - {module}
        for module in modules()
    }
    while free := {module for module, uses in left.items() if not uses & left.keys()}:
        left = {module: uses for module, uses in left.items() if module not in free}
    assert left == {}


def test_only_the_captioner_and_the_training_know_torch() -> None:
    assert {
        part(module)
        for module in who_imports(TORCH)
        - {"cli/train.py", "cli/evaluate.py", "cli/confidence.py", "cli/eight_bits.py", "cli/text_gate.py"}
    } <= {
        "captioner",
        "training",
    }


def test_the_command_line_imports_torch_only_inside_functions() -> None:
    assert {module for module in who_imports(TORCH, top_level_only=True) if part(module) == "cli"} == set()


def test_only_the_command_line_knows_click_and_rich() -> None:
    assert {part(module) for module in who_imports({"click", "rich"})} == {"cli"}


def test_only_the_web_pages_know_their_framework() -> None:
    assert {part(module) for module in who_imports({"starlette", "uvicorn", "jinja2"})} == {"web"}


def test_only_the_database_module_imports_alembic_and_only_when_it_upgrades() -> None:
    assert who_imports({"alembic"}) == {"catalogue/migration.py"}
    assert who_imports({"alembic"}, top_level_only=True) == set()


def test_only_one_module_knows_ray() -> None:
    assert who_imports({"ray"}) == {"library/ray_cluster.py"}
    assert who_imports({"ray"}, top_level_only=True) == set()


def test_only_the_metrics_know_the_client_of_prometheus() -> None:
    assert who_imports({"prometheus_client"}) == {"library/metrics.py"}
    assert who_imports({"prometheus_client"}, top_level_only=True) == set()


def test_only_one_module_knows_fsspec() -> None:
    assert who_imports({"fsspec", "s3fs"}) == {"system/url_storage.py"}
    assert who_imports({"fsspec", "s3fs"}, top_level_only=True) == set()
    loads = {module for module in modules() if "photoindex.system.url_storage" in {name for name, _ in imports(module)}}
    assert loads == {"system/storage.py"}


def test_nothing_imports_pickle() -> None:
    assert who_imports({"pickle", "cPickle", "dill", "shelve", "marshal"}) == set()


def test_a_class_name_occurs_once() -> None:
    names = Counter(
        node.name
        for module in modules()
        for node in ast.walk(ast.parse((PACKAGE / module).read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in names.items() if count > 1] == []


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
