"""Text that is safe on a terminal, and paths that can be pasted into a shell.

Names and captions may be anybody's. Written raw, they could move the cursor, change the window's title, paste commands,
or show their letters in another order than they are in (https://trojansource.codes).
"""

from __future__ import annotations

import os
import sys
import unicodedata
from pathlib import Path
from typing import Final

from photoindex.system.url_paths import url_text, with_urls

# Characters that are not drawn although they count as letters, marks or symbols: Unicode's Default_Ignorable_Code_Point
# without the category Cf, and the empty Braille pattern.
_NOT_DRAWN: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_JOINERS: Final = frozenset("\u200c\u200d")
_JOINED: Final = frozenset({"Lo", "Mn", "Mc", "So", "Sk"})  # letters of scripts without case, emoji and their modifiers


def visible(text: str) -> str:
    """``text`` with everything that is not to be seen as an escape: ``\\x1b``, ``\\n``, ``\\u202e``, ``\\xff``.

    Escaped are control characters, line separators, marks of direction, characters without width, and bytes of file
    names that are no text. Joiners stay where scripts and emoji need them, and so do variation selectors. Paths
    that stand for URLs are written as those.
    """
    text = with_urls(text)
    if text.isascii() and text.isprintable():
        return text
    return "".join(letter if _is_seen(text, place, letter) else _escape(letter) for place, letter in enumerate(text))


def shell_quoted(path: Path | str) -> str:
    """A path as one word of a command that can be pasted into this system's shell."""
    text = url_text(path)
    # A name that begins with a dash would be an option.
    return shell_word(os.path.join(".", text) if text.startswith("-") else text)


def shell_word(text: str) -> str:
    """Return a text as one word of a command that can be pasted into this system's shell."""
    # Imported here: every command needs this module, and few suggest a command.
    import shlex
    import subprocess

    if sys.platform == "win32":
        return subprocess.list2cmdline([text])
    if visible(text) == text:
        return shlex.quote(text)
    # ANSI-C quoting, which bash, zsh and ksh know, by bytes: nothing in it can act before it is run.
    return "$'" + "".join(map(_quoted_byte, os.fsencode(text))) + "'"


def _is_seen(text: str, place: int, letter: str) -> bool:
    category = unicodedata.category(letter)
    if letter in _JOINERS:
        around = text[place - 1 : place] if place else "", text[place + 1 : place + 2]
        return all(other and unicodedata.category(other) in _JOINED and other not in _NOT_DRAWN for other in around)
    return category not in ("Cc", "Cf", "Cs", "Zl", "Zp") and letter not in _NOT_DRAWN


def _escape(letter: str) -> str:
    if "\udc80" <= letter <= "\udcff":  # a byte of a file name, as os.fsdecode keeps it
        return f"\\x{ord(letter) - 0xDC00:02x}"
    return letter.encode("unicode_escape", "surrogatepass").decode("ascii")


def _quoted_byte(byte: int) -> str:
    if chr(byte) in "'\\":
        return "\\" + chr(byte)
    return chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}"
