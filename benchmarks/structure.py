"""Counts how the source is arranged, for the working tree and, side by side, for an earlier revision.

    python benchmarks/structure.py            # the working tree
    python benchmarks/structure.py v0.1.0     # that revision, and the working tree

Imports are counted wherever they stand in a file, but for those that only a type checker sees. A chain of imports is
counted with each circle taken as one file. The table of allowed imports is that of the working tree's
tests/test_imports.py; in a revision with other packages, an import from or into a package that the table lacks is not
allowed.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = "photoindex"
LONGEST_FILE = 450  # lines
LONGEST_FUNCTION = 50
REPEATED_LINES = 6
VAGUE = {"found", "said", "told"}
Graph = dict[str, set[str]]


class Source:
    """The Python files of one tree."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / PACKAGE
        self.text = {
            str(path.relative_to(self.folder)): path.read_text(encoding="utf-8")
            for path in sorted(self.folder.rglob("*.py"))
        }
        self.trees = {name: ast.parse(text) for name, text in self.text.items()}

    def top_names(self) -> list[str]:
        """Return the modules and packages directly below the package."""
        names = {Path(name).parts[0].removesuffix(".py") for name in self.text}
        return sorted(names - {"__init__", "__main__"})

    @cached_property
    def imports(self) -> Graph:
        """For each file the files that it imports."""
        return {name: {file for file in map(self._file, self._imported(name)) if file} - {name} for name in self.trees}

    def package_imports(self) -> Counter[tuple[str, str]]:
        """Count imports from one name at the top into another."""
        counts: Counter[tuple[str, str]] = Counter()
        for name, imported in self.imports.items():
            for other in imported:
                pair = part(name), part(other)
                if pair[0] != pair[1]:
                    counts[pair] += 1
        return counts

    def _imported(self, name: str) -> Iterator[str]:
        waiting: list[ast.AST] = [self.trees[name]]
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
                waiting.extend(node.orelse)
                continue
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            waiting.extend(ast.iter_child_nodes(node))

    def _file(self, imported: str) -> str | None:
        """Return the file of ``package.module`` or ``package.module.name``."""
        parts = imported.split(".")
        if parts[0] != PACKAGE:
            return None
        for length in (len(parts), len(parts) - 1):
            inside = "/".join(parts[1:length])
            for name in (f"{inside}.py", f"{inside}/__init__.py".lstrip("/")):
                if name in self.text:
                    return name
        return None

    def functions(self) -> list[int]:
        """Return the length in lines of every function."""
        return [
            (node.end_lineno or node.lineno) - node.lineno + 1
            for tree in self.trees.values()
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]

    def documented(self) -> float:
        """Return the share of public modules, classes and functions that have a docstring."""
        public = [
            node
            for tree in self.trees.values()
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_")
        ]
        return sum(ast.get_docstring(node) is not None for node in public) / len(public)

    def vague_names(self) -> int:
        """Count the places that give a variable, argument, function or class one of the vague names."""
        count = 0
        for tree in self.trees.values():
            for node in ast.walk(tree):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    name = node.id
                elif isinstance(node, ast.arg):
                    name = node.arg
                elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    name = node.name
                else:
                    continue
                count += not VAGUE.isdisjoint(re.split(r"_+|(?<=[a-z])(?=[A-Z])", name.lower()))
        return count

    def repeated_classes(self) -> int:
        """Count the class names that are defined in more than one file."""
        names = Counter(
            node.name for tree in self.trees.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
        )
        return sum(count > 1 for count in names.values())

    def repeated_blocks(self) -> int:
        """Count the runs of at least six lines of code that occur a second time, without imports and comments."""
        seen: set[tuple[str, ...]] = set()
        blocks = 0
        for text in self.text.values():
            lines = [line.strip() for line in text.splitlines()]
            lines = [line for line in lines if len(line) > 1 and not line.startswith(("#", "import ", "from "))]
            inside = False
            for start in range(len(lines) - REPEATED_LINES + 1):
                window = tuple(lines[start : start + REPEATED_LINES])
                repeated = window in seen
                blocks += repeated and not inside
                inside = repeated
                seen.add(window)
        return blocks


def part(name: str) -> str:
    """Return the name at the top that a file belongs to; ``""`` is the package's own ``__init__.py``."""
    return Path(name).parts[0].removesuffix(".py").replace("__init__", "")


def circles(graph: Graph) -> list[set[str]]:
    """Return the strongly connected components, dependencies first (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    components: list[set[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            component: set[str] = set()
            while node not in component:
                component.add(stack.pop())
            components.append(component)

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return components


def floors(graph: Graph) -> int:
    """Return the number of files on the longest chain of imports, each circle counted as one file."""
    height: dict[str, int] = {}
    for component in circles(graph):  # dependencies first
        below = {height[other] for node in component for other in graph[node] - component}
        for node in component:
            height[node] = 1 + max(below, default=0)
    return max(height.values(), default=0)


def counts(source: Source, allowed: dict[str, set[str]]) -> dict[str, str]:
    """Return the rows of the table for one tree."""
    lines = {name: text.count("\n") for name, text in source.text.items()}
    largest = max(lines, key=lambda name: lines[name])
    functions = source.functions()
    between = source.package_imports()
    packages: Graph = defaultdict(set)
    for one, other in between:
        packages[one].add(other)
        packages[other] |= set()
    forbidden = sum(count for (one, other), count in between.items() if other and other not in allowed.get(one, set()))
    return {
        "names at the top": str(len(source.top_names())),
        "files": str(len(lines)),
        "lines": f"{sum(lines.values()):,}",
        "largest file": f"{lines[largest]} ({largest})",
        f"files over {LONGEST_FILE} lines": str(sum(count > LONGEST_FILE for count in lines.values())),
        f"functions over {LONGEST_FUNCTION} lines": str(sum(count > LONGEST_FUNCTION for count in functions)),
        "median function, lines": f"{statistics.median(functions):.0f}",
        "imports between files": str(sum(map(len, source.imports.values()))),
        "floors (files on the longest chain)": str(floors(source.imports)),
        "circles between files": str(sum(len(each) > 1 for each in circles(source.imports))),
        "imports between packages": str(sum(between.values())),
        "not allowed by the table": str(forbidden),
        "circles between packages": str(sum(len(each) > 1 for each in circles(packages))),
        "identifiers found, said, told": str(source.vague_names()),
        "class names defined twice": str(source.repeated_classes()),
        f"repeated blocks of {REPEATED_LINES} lines": str(source.repeated_blocks()),
        "public names with a docstring": f"{source.documented():.0%}",
    }


def checkout(revision: str, folder: Path) -> None:
    """Write the package of a revision into a folder."""
    command = ["git", "-C", str(REPOSITORY), "archive", revision, PACKAGE]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.decode(errors="replace").strip())
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        for member in archive.getmembers():
            if member.isfile() and member.name.endswith(".py"):
                extracted = archive.extractfile(member)
                assert extracted is not None
                path = folder / member.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(extracted.read())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("revision", nargs="?", help="a commit or tag to compare with")
    arguments = parser.parse_args()
    sys.path.insert(0, str(REPOSITORY))
    from tests.test_imports import ALLOWED

    columns = {}
    with tempfile.TemporaryDirectory() as folder:
        if arguments.revision:
            checkout(arguments.revision, Path(folder))
            columns[arguments.revision] = counts(Source(Path(folder)), ALLOWED)
        columns["working tree"] = counts(Source(REPOSITORY), ALLOWED)
    rows = list(next(iter(columns.values())))
    widths = [max(map(len, rows)), *(max(map(len, [title, *each.values()])) for title, each in columns.items())]
    for cells in (["", *columns], *([row, *(each[row] for each in columns.values())] for row in rows)):
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())


if __name__ == "__main__":
    main()
