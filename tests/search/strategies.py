"""Hostile text for the query language: anything, and heaps of its own syntax."""

from __future__ import annotations

from hypothesis import strategies as st

SYNTAX = (
    *("dog", "the", "AND", "OR", "NOT", "and", "br*", "do*", "dgo~", "horse~2", "gi", "girafe", "dgo", "x" * 70),
    *("(", ")", '"', "-", "--", "*", "~", ":", "..", "'", "\\", "%", "\u201c", "\u2019"),
    *("taken:", "taken:2023", "taken:2023..", "taken:last", "taken:last 99", "week", "months", "taken:last-week"),
    *(
        "taken:today..",
        "..yesterday",
        "taken:this year",
        "TAKEN:last 9999 years",
        "has:",
        "has:gps",
        "HAS:date",
        "has:x",
    ),
    *(
        "rating:>=4",
        "rating:",
        "rating:..",
        "rating:>=",
        "stars:5..1",
        "mp:1e9",
        "width:-",
        "height:..9999999999",
        "mp:\u22652",
    ),
    *(
        "place:lisbon",
        "place:",
        "person:*",
        "tag:a~",
        'title:"x',
        "format:",
        "format:jpg",
        "path:",
        "path:/",
        "path:~",
        "path:\\",
    ),
    *("near:", "near:1,2", "near:lisbon,", "near:,,", "near:1,2,1e9", "bbox:", "bbox:1,2,3,4", "bbox:9,,"),
    *("camera:", "caption:dog", 'label:"', "foo:bar", "x:"),
    *("\x00", "\x1b[31m", "\ud800", "\ufdfa", "İ", "क्षि", "狗", "\u0301", "２０２３", " ", "\n"),
)

PIECES = st.lists(st.sampled_from(SYNTAX), max_size=30)
QUERIES = st.one_of(st.text(max_size=200), PIECES.map(" ".join), PIECES.map("".join))
