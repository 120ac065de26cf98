r"""What a query takes for quotes and parentheses, what stands between two quotes, and how a value with some is written.

``tag:"say \"hi\""`` asks for the tag ``say "hi"``. A backslash means itself, as in ``path:"C:\photos"``, unless it
stands before a quote: then ``\"`` is a quote, and ``\\"`` a backslash at the end of the value.
"""

from __future__ import annotations

import re
from typing import Final

_CURLED: Final = "\u201c\u201d\u201e\u201f\u00ab\u00bb\uff02"  # quotes as programs write them for "
OPERATORS: Final = "AND", "OR", "NOT"  # words that join what is asked for, unless they stand in quotes
QUOTES: Final = f'"{_CURLED}'  # all that a query takes for quotes
# All that it takes for parentheses: what NFKC, which a query is read in, makes one of.
OPENING: Final = "(\u207d\u208d\ufe35\ufe59\uff08"
CLOSING: Final = ")\u207e\u208e\ufe36\ufe5a\uff09"
_ESCAPED: Final = r"(?<!\\)(?:\\\\)*\\"  # before a quote that is one of the value
_LEVELLED: Final = rf'(?s)({_ESCAPED}[{_CURLED}](?=.*["{_CURLED}]))|[{_CURLED}]'
# A path of Windows ends with a backslash, and holds no quotes: path:"C:\photos\" "brown dog".
_OF_PATHS: Final = "|".join(rf'(?<=(?i:{name}):")' for name in ("path", "folder", "file", "name"))
_PATH: Final = r'(?:[^"]*\\[^"]*[^"\\]|[A-Za-z]:)\\(?="(?:[\s)]|$))'
# Between two quotes. Where an escaped quote is the last one, it ends the value after all: "C:\photos\".
_BETWEEN: Final = rf'(?:(?:{_OF_PATHS}){_PATH}|(?:[^"\\]|{_ESCAPED}["{_CURLED}]|\\)*)'


def between_quotes(text: str) -> str:
    """Return the pattern of what may stand between two quotes in ``text``; where nothing is escaped, one that is soon
    compiled."""
    return _BETWEEN if "\\" in text else '[^"]*'


def levelled(text: str) -> str:
    """Return a query with ``"`` for quotes of every other kind, but for those that are escaped."""
    return text if text.isascii() else re.sub(_LEVELLED, lambda match: match[1] or '"', text)


def unquoted(between: str) -> str:
    """Return the value that is meant by what stands between two quotes."""
    if "\\" not in between:
        return between
    return re.sub(
        rf'(\\+)(["{_CURLED}]|$)',
        lambda match: "\\" * ((len(match[1]) + (not match[2])) // 2) + match[2],
        between,
    )


def quoted(value: str) -> str:
    """Return ``value`` in quotes, as a query asks for it: put it behind a field's name and a colon."""
    return '"' + re.sub(rf'(\\*)(["{_CURLED}])', r"\1\1\\\2", _at_end_twice(value)) + '"'


def _at_end_twice(value: str) -> str:
    return value + "\\" * (len(value) - len(value.rstrip("\\")))
