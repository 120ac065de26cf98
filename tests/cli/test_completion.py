"""The completion scripts, run by the shells they are for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

from photoindex.cli.main import main
from tests.support import REPOSITORY


def script(shell: str) -> str:
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0
    return result.stdout


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A folder with a program named photoindex, which is this one."""
    folder = tmp_path / "bin"
    folder.mkdir()
    path = folder / "photoindex"
    path.write_text(f"#!{sys.executable}\nfrom photoindex.cli import main\nmain()\n")
    path.chmod(0o755)
    return folder


# How each shell is asked what it would offer: what is typed last is completed.
ASK = {
    "bash": (
        ["bash", "--norc", "-c"],
        "compopt() {{ :; }}\n{script}\nCOMP_WORDS=({typed}); COMP_CWORD={last}; _photoindex_completion photoindex\n"
        'printf "%s\\n" "${{COMPREPLY[@]}}"',
    ),
    # The functions that put offers before the user print them instead; those for paths are the shells' own.
    "zsh": (
        ["zsh", "-f", "-c"],
        "compdef() {{ }}\n_path_files() {{ }}\n_describe() {{ print -l -- ${{completions_with_descriptions%%:*}} }}\n"
        "compadd() {{ print -l -- $completions }}\n"
        "{script}\nwords=({typed}); CURRENT=$(({last} + 1)); _photoindex_completion",
    ),
    "fish": (["fish", "--no-config", "-c"], "{script}\ncomplete -C '{typed}'"),  # with descriptions behind tabs
}


@pytest.mark.parametrize("shell", ASK)
@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["photoindex", "se"], {"search", "serve", "service"}),
        (["photoindex", "jobs", "pa"], {"pause"}),
        (["photoindex", "search", "--js"], {"--json", "--jsonl"}),
        (["photoindex", "index", "--device", "c"], {"cpu", "cuda"}),
        (["photoindex", "index", "--model", "def"], {"default"}),
        (["photoindex", "models", "use", "def"], {"default"}),
    ],
)
def test_commands_options_and_values_are_completed(
    program: Path, tmp_path: Path, shell: str, words: list[str], found: set[str]
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    command, text = ASK[shell]
    done = subprocess.run(
        [*command, text.format(script=script(shell), typed=" ".join(words), last=len(words) - 1)],
        env={"PATH": f"{program}:/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY), "HOME": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ({line.split("\t")[0] for line in done.stdout.splitlines()}, done.stderr) == (found, "")


@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh here")
def test_zsh_finds_the_script_where_the_help_says(tmp_path: Path) -> None:
    (tmp_path / "_photoindex").write_text(script("zsh"))
    asks = "fpath=($1 $fpath); autoload -Uz compinit; compinit -D -u; print $_comps[photoindex]"
    done = subprocess.run(
        ["zsh", "-f", "-c", asks, "zsh", str(tmp_path)],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "_photoindex\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_script_is_one_its_shell_can_read(shell: str) -> None:
    text = script(shell)
    assert "_PHOTOINDEX_COMPLETE=" in text
    assert "photoindex" in text.splitlines()[0]
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=text, text=True, check=True, capture_output=True)


def test_another_shell_is_wrong_usage() -> None:
    assert CliRunner().invoke(main, ["completion", "tcsh"]).exit_code == 2


TAKING_A_PATH = [
    (["index", "--model"], "dir"), (["reindex", "--stale", "--model"], "dir"), (["train", "--start"], "dir"),
    (["models", "use"], "dir"), (["models", "info"], "dir"), (["evaluate", "captions", "--model"], "dir"),
    (["catalogue", "copy"], "file"), (["catalogue", "copy", "one.sqlite3"], "file"),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "kind"), TAKING_A_PATH, ids=[" ".join(typed) for typed, _ in TAKING_A_PATH])
def test_what_may_be_a_folder_or_a_file_is_completed_as_one(typed: list[str], kind: str) -> None:
    completer = BashComplete(main, {}, "photoindex", "_PHOTOINDEX_COMPLETE")
    offered = completer.get_completions(typed, "mod")
    assert [(item.type, item.value) for item in offered] == [(kind, "mod")]
