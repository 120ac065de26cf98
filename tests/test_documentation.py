"""What the documents say of files, tests and the program is so."""

from __future__ import annotations

import builtins
import re
import sys
from pathlib import Path
from typing import Any, get_args

import click
import pytest

import photoindex
from photoindex import errors
from photoindex.catalogue import schema
from photoindex.catalogue.batches import BatchKind, BatchState
from photoindex.cli.main import main
from photoindex.types import CaptionSource, CorrectionKind, TakenSource
from tests.support import REPOSITORY
from tests.test_imports import ALLOWED, BASE

TESTS = REPOSITORY / "tests" / "media" / "decode" / "test_formats.py"


def test_every_format_s_test_that_is_named_exists_and_each_is_named() -> None:
    named = set(re.findall(r"`(test_\w+)`", (REPOSITORY / "docs" / "formats.md").read_text(encoding="utf-8")))
    made = set(re.findall(r"def (test_\w+)", TESTS.read_text(encoding="utf-8")))
    assert named <= made
    # Not of a format, but of what goes wrong with one.
    assert made - named <= {
        "test_jpeg_xl_damaged_or_too_large_is_told_apart",
        "test_limits",
        "test_damage",
        "test_another_kind_of_file_under_a_raw_name",
        "test_a_raw_photo_names_the_extra_that_reads_it",
        "test_a_large_photo_is_shrunk_first",
        "test_swapped_colours_are_swapped_back",
        "test_a_profile_of_other_colours_is_ignored",
    }


def test_every_metadata_test_that_is_named_exists() -> None:
    document = (REPOSITORY / "docs" / "metadata.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:[\w/]+/)?test_\w+\.py)(?:::(\w+))?`", document)
    assert len(named) > 15
    for path, name in named:
        folder = REPOSITORY if path.startswith("tests/") else REPOSITORY / "tests" / "media" / "metadata"
        assert name_in(folder / path, name), f"{path}::{name}"


SOURCES = {
    ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__"): path.read_text("utf-8")
    for path in sorted((REPOSITORY / "photoindex").rglob("*.py"))
}


def is_there(reference: str) -> bool:
    """Whether a module, or a name of one, of a class or of the package exists, as docstrings refer to them."""
    whole = reference.lstrip(".")
    if whole.partition(".")[0] in sys.stdlib_module_names | {"click"} or hasattr(builtins, whole):
        return True
    place, _, name = whole.rpartition(".")
    modules = {module for module in SOURCES for wanted in (whole, place) if f".{module}".endswith(f".{wanted}")}
    if any(f".{module}".endswith(f".{whole}") for module in modules):
        return True
    modules |= {below for below in SOURCES for module in modules if below.startswith(f"{module}.")}  # what it exports
    defined = re.compile(rf"^ *(?:(?:def|class) {name}\b|{name}\b.*=|{name}: )", re.MULTILINE)
    if place and not modules:  # of a class
        of_class = re.compile(rf"^class {place.rpartition('.')[2]}\b", re.MULTILINE)
        modules = {module for module, source in SOURCES.items() if of_class.search(source)}
    return any(defined.search(SOURCES[module]) for module in (modules if place else SOURCES))


def test_every_module_and_name_that_a_source_refers_to_exists() -> None:
    """As in :func:`.term_encoding.pack_vector`, :class:`Mounts` and indexing/watch_status.py."""
    files = [f"/{path.relative_to(REPOSITORY)}" for path in REPOSITORY.rglob("*.py")]
    wrong = []
    for module, source in SOURCES.items():
        references = re.findall(r":(?:mod|func|class|meth|data|attr):`([\w.]+)`", source)
        wrong += [f"{module}: {each}" for each in references if not is_there(each)]
        named = re.findall(r"(?<![\w/])((?:\w+/)*[a-z]\w+\.py)\b", source)
        wrong += [f"{module}: {each}" for each in named if not any(file.endswith(f"/{each}") for file in files)]
    assert wrong == []


def test_every_kind_of_failure_is_documented() -> None:
    def below(kind: type[errors.PhotoError]) -> set[str]:
        return {kind.kind}.union(*map(below, kind.__subclasses__()))

    kinds = below(errors.PhotoError) - {errors.PhotoError.kind} | {"interrupted"}  # the last is of no exception
    row = re.search(r"^\| `kind` \| (`unreadable`.*) \|$", (REPOSITORY / "docs/output.md").read_text("utf-8"), re.M)
    assert row is not None
    assert set(re.findall(r"`([\w-]+)`", row[1])) == kinds
    section = (REPOSITORY / "docs/formats.md").read_text("utf-8").partition("| kind | when |")[2].partition("\n\n")[0]
    assert {
        kind for line in re.findall(r"^\| (.*?) \|", section, re.M) for kind in re.findall(r"`([\w-]+)`", line)
    } == kinds


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    def below(kind: type[Exception], depth: int = 0) -> list[tuple[int, str]]:
        children = [child for child in classes if child.__bases__[0] is kind]
        return [(depth, kind.__name__), *(line for child in children for line in below(child, depth + 1))]

    classes = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, Exception)]
    drawn = re.findall(r"^    ((?:[│├└ ][ ─]{3})*)(\w+)", errors.__doc__ or "", re.MULTILINE)
    assert [(len(lines) // 4, name) for lines, name in drawn] == below(errors.PhotoindexError)


DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_test_that_is_named_exists(document: Path) -> None:
    made = "".join(path.read_text(encoding="utf-8") for path in sorted((REPOSITORY / "tests").rglob("test_*.py")))
    named = set(re.findall(r"\b(test_\w+|Test[A-Z]\w+)\b(?!\.py|/)", document.read_text(encoding="utf-8")))
    missing = {name for name in named if not re.search(rf"\b(?:def|class) {name}\b", made)}
    assert {name for name in missing if "NAME" not in name} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_file_of_tests_and_benchmarks_that_is_named_exists(document: Path) -> None:
    named = re.findall(r"\b(?:tests|benchmarks|docs)/[\w/-]*\w(?:\.\w+)?", document.read_text(encoding="utf-8"))
    assert [name for name in named if "NAME" not in name and not (REPOSITORY / name).exists()] == []


PLACES = (REPOSITORY, REPOSITORY / "photoindex")


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_every_file_of_the_program_that_is_named_exists(name: str) -> None:
    document = (REPOSITORY / name).read_text(encoding="utf-8")
    named = re.findall(r"`([\w/]+(?:\.py|/))`", document)
    assert len(named) > 20
    # Of a placeholder such as `photoindex/cli/NAME.py` the folder.
    paths = {path.rpartition("/")[0] if "NAME" in path else path for path in named}
    assert {path for path in paths if not any((place / path).exists() for place in PLACES)} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_name_that_is_given_with_its_file_is_in_it(document: Path) -> None:
    """As in `media/decode/drafts.py: DRAFT_GAP`."""
    for file, names in re.findall(r"`(\w+/[\w/]+\.py|\w+\.py): ([^`]+)`", document.read_text(encoding="utf-8")):
        sources = [(place / file).read_text(encoding="utf-8") for place in PLACES if (place / file).exists()]
        assert len(sources) == 1, file
        missing = {name for name in re.findall(r"\w+", names) if not re.search(rf"\b{name}\b", sources[0])}
        assert missing == set(), file


def options_below(command: click.Command) -> set[str]:
    names = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            part = command.get_command(context, name)
            assert part is not None
            names |= options_below(part)
    return names


# Of benchmarks and tests, of no command, and what is wrong usage.
OTHER_OPTIONS = {"--plot", "--small", "--seed", "--word", "--cat", "--limt"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_option_that_is_named_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = set(re.findall(r"`(--[a-z][a-z0-9-]*)", text))
    for line in re.findall(r"photoindex [a-z-]+[^`\n|]*", text):
        named |= set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", line))
    assert named <= options_below(main) | OTHER_OPTIONS | {"--help", "--version"}


def test_the_guide_lists_every_package() -> None:
    guide = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `photoindex/(\w+)/`", guide, re.MULTILINE))
    assert listed == {path.parent.name for path in (REPOSITORY / "photoindex").glob("*/__init__.py")}


def test_the_guide_answers_where_things_are() -> None:
    guide = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    answers = dict(re.findall(r"^\| (Where[^|]*\?|What[^|]*\?) \| (.*) \|$", guide, re.MULTILINE))
    for question, file, content in (
        ("Where is EXIF read?", "photoindex/media/metadata/exif.py", "exif"),
        ("What decides the order of hits?", "photoindex/search/ranking/matcher.py", "BM25F"),
        ("Where does a job get its lease?", "photoindex/catalogue/jobs.py", "def claim"),
        ("Where would a new command go?", "photoindex/cli/main.py", "COMMANDS"),
        ("Where is the network?", "photoindex/captioner/network.py", "LSTM"),
    ):
        assert f"`{file}`" in answers[question]
        assert content in (REPOSITORY / file).read_text(encoding="utf-8")


def test_the_table_of_allowed_imports_is_the_one_that_is_tested() -> None:
    document = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = document.partition("### Allowed imports")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*)\|$", section, re.MULTILINE)
    written: dict[str, set[str]] = {}
    for package, cell in rows:
        names = set(re.findall(r"`(\w+)`", cell))
        written[package] = set(written) if "every package above" in cell else names
    packages = {path.parent.name for path in (REPOSITORY / "photoindex").glob("*/__init__.py")}
    assert written.keys() == packages - BASE
    assert written == {name: ALLOWED[name] - BASE for name in written}


def test_every_table_of_the_catalogue_is_named() -> None:
    document = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    listed = document.partition("\nTables: ")[2].partition("; see")[0]
    assert set(re.findall(r"`(\w+)`", listed)) == schema.metadata.tables.keys()


def test_the_changelog_has_this_version_and_what_came_after_it() -> None:
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(.+?)\]", changelog, re.MULTILINE)
    assert versions[0] == "Unreleased"
    assert photoindex.__version__ in versions
    kinds = set(re.findall(r"^### (.+)$", changelog, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_hooks_run_checks_of_the_continuous_integration() -> None:
    hooks = (REPOSITORY / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    script = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
    entries = re.findall(r"^ +entry: (.+)$", hooks, re.MULTILINE)
    assert len(entries) == 3
    for entry in entries:
        assert re.search(rf"^{re.escape(entry.partition(' --force')[0])}( |$)", script, re.MULTILINE), entry
    assert re.findall(r"repo: (.+)", hooks) == ["local"]  # nothing is downloaded


def name_in(path: Path, name: str) -> bool:
    """Whether a test file is there and has a test or a class of this name."""
    return path.is_file() and (not name or bool(re.search(rf"\b(?:def|class) {name}\b", path.read_text("utf-8"))))


WORDS: dict[tuple[str, str], Any] = {  # the heading above a field, and the field
    ("search", "caption_source"): CaptionSource,
    ("search", "taken_source"): TakenSource,
    ("caption", "source"): CaptionSource,
    ("corrections", "kind"): CorrectionKind,
    ("jobs list --json", "kind"): BatchKind,
    ("jobs list --json", "state"): BatchState,
}


@pytest.mark.parametrize(("heading", "field"), WORDS)
def test_each_word_that_a_field_may_be_is_named(heading: str, field: str) -> None:
    page = (REPOSITORY / "docs" / "output.md").read_text(encoding="utf-8")
    [part] = re.findall(rf"(?ms)^##+ {re.escape(heading)}\n(.*?)(?=^#)", page)
    [row] = re.findall(rf"(?m)^\| `{field}` \| (.*) \|$", part)
    assert set(get_args(WORDS[heading, field])) <= set(re.findall(r"`([a-z]+)`", row))
