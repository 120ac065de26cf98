"""``photoindex completion``."""

from __future__ import annotations

from typing import Literal

import click
from click.shell_completion import get_completion_class

from photoindex.cli.terminal import print_bytes

PROGRAM = "photoindex"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, /, shell: Literal["bash", "zsh", "fish"]) -> None:
    """Print the script that completes commands, options and files in a shell.

    \b
      bash   photoindex completion bash > ~/.local/share/bash-completion/completions/photoindex
      zsh    photoindex completion zsh > ~/.zfunc/_photoindex     (with ~/.zfunc in fpath, before compinit)
      fish   photoindex completion fish > ~/.config/fish/completions/photoindex.fish
    """
    completer = get_completion_class(shell)
    assert completer is not None
    root = ctx.find_root().command
    script = completer(root, {}, PROGRAM, f"_{PROGRAM.upper()}_COMPLETE")
    # Not source(), which starts a bash to ask for its version.
    print_bytes((script.source_template % script.source_vars()).strip().encode() + b"\n")
