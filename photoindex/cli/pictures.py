"""Pictures on terminals that can show them: kitty's graphics protocol and iTerm2's inline images.

https://sw.kovidgoyal.net/kitty/graphics-protocol/ and https://iterm2.com/documentation-images.html. Which a terminal
understands is told by the variables that it sets; asking it would mean reading its answer from the keyboard.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Literal

Protocol = Literal["kitty", "iterm2"]
ROWS = 8  # lines of text that a picture takes
CHUNK = 4096  # bytes that kitty takes at once

_ITERM2 = frozenset({"iTerm.app", "WezTerm", "mintty", "vscode", "Tabby", "rio"})
_KITTY = frozenset({"ghostty", "kitty"})


def protocol_of(environment: Mapping[str, str]) -> Protocol | None:
    """What the terminal understands; ``None``: nothing that is known here, or a multiplexer that lets none through."""
    program, terminal = environment.get("TERM_PROGRAM", ""), environment.get("TERM", "")
    if environment.get("TMUX") or terminal.startswith("screen"):
        return None
    if environment.get("KITTY_WINDOW_ID") or program in _KITTY or terminal in ("xterm-kitty", "xterm-ghostty"):
        return "kitty"
    if program in _ITERM2 or environment.get("LC_TERMINAL") == "iTerm2":
        return "iterm2"
    return None


def sequence(picture: bytes, protocol: Protocol) -> bytes:
    """What to write so that the terminal shows a JPEG where the cursor is."""
    if protocol == "iterm2":
        settings = f"inline=1;size={len(picture)};height={ROWS};preserveAspectRatio=1"
        return b"\x1b]1337;File=" + settings.encode() + b":" + base64.b64encode(picture) + b"\a"
    coded = base64.b64encode(_as_png(picture))  # the one compressed format that kitty takes
    pieces = [coded[start : start + CHUNK] for start in range(0, len(coded), CHUNK)]
    written = []
    for number, piece in enumerate(pieces):
        # q=2: it must not answer, for nobody reads that.
        keys = f"a=T,f=100,q=2,r={ROWS}," if number == 0 else ""
        written.append(f"\x1b_G{keys}m={int(number < len(pieces) - 1)};".encode() + piece + b"\x1b\\")
    return b"".join(written)


def _as_png(picture: bytes) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(io.BytesIO(picture)) as image:
        image.save(buffer, "PNG")
    return buffer.getvalue()
