"""The completion scripts, run by the shells they are for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
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


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["photoindex", "se"], {"search", "service"}),
        (["photoindex", "jobs", "pa"], {"pause"}),
        (["photoindex", "search", "--js"], {"--json", "--jsonl"}),
        (["photoindex", "index", "--device", "c"], {"cpu", "cuda"}),
    ],
)
def test_bash_completes_commands_options_and_values(program: Path, words: list[str], found: set[str]) -> None:
    typed = " ".join(words)
    done = subprocess.run(
        ["bash", "--norc", "-c",
         f'{script("bash")}\nCOMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; _photoindex_completion photoindex\n'
         'printf "%s\\n" "${COMPREPLY[@]}"'],
        env={"PATH": f"{program}:/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert set(done.stdout.split()) == found


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_script_is_one_its_shell_can_read(shell: str) -> None:
    text = script(shell)
    assert "_PHOTOINDEX_COMPLETE=" in text
    assert "photoindex" in text.splitlines()[0]
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=text, text=True, check=True, capture_output=True)


def test_another_shell_is_wrong_usage() -> None:
    assert CliRunner().invoke(main, ["completion", "tcsh"]).exit_code == 2
