"""Whatever a line holds, it is a record or one clear error."""

from __future__ import annotations

import json
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from photoindex.errors import ExchangeError
from photoindex.exchange.export import FACTS, fact
from photoindex.exchange.record_facts import facts_of_record
from photoindex.exchange.records import (
    CaptionRecord,
    CorrectionRecord,
    FileRecord,
    LibraryRecord,
    ModelRecord,
    PhotoRecord,
    Record,
    TermRecord,
    VectorRecord,
    from_line,
    to_line,
)

WHEN = datetime(2024, 5, 1, 12, 30, 15, 123456, timezone.utc)
PHOTO = PhotoRecord(
    sha256="0f" * 32,
    bytes=1234,
    added_at=WHEN,
    facts={"format": "JPEG", "width": 4000, "taken_at": "2019-07-04T12:00:00", "latitude": -33.5, "camera": None},
    files=(FileRecord("/home/anna/caf\udce9", "2019/\u96ea.jpg", 1234, 1_700_000_000_123_456_789, WHEN),),
    captions=(
        CaptionRecord("Minka \U0001f408", "user", 0, True, True, None, None, None, WHEN),
        CaptionRecord("a cat", "model", 0, True, False, "lite2-01", -3.25, "beam 3", WHEN),
    ),
    tags=("Minka", "Caf\u00e9"),
    terms=(TermRecord("tabby", 0.1 + 0.2, "label"),),
    vector=VectorRecord("lite2-01", b"\0\1\2\3\4\5"),
    corrections=(CorrectionRecord("ab" * 16, "tags", None, '["Minka"]', WHEN, WHEN),),
)
RECORDS: tuple[Record, ...] = (
    LibraryRecord(("/home/anna/caf\udce9",), 3),
    ModelRecord("lite2-01", "lite2", "efficientnet_lite2", WHEN, ("dog", "black dog"), 0.04),
    ModelRecord("old-01", "old", "resnet50", WHEN, None, None),
    PHOTO,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value inside a JSON value."""
    found = [path] if path else []
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        found += places(inner, (*path, key))
    return found


def test_records_survive_their_line() -> None:
    for record in RECORDS:
        line = to_line(record)
        assert from_line(line) == record
        assert to_line(from_line(line)) == line
        assert line.count(b"\n") == 1


@given(data=st.data())
def test_a_line_with_anything_in_any_place_is_a_record_or_an_error(data: st.DataObject) -> None:
    value = deepcopy(json.loads(to_line(data.draw(st.sampled_from(RECORDS)))))
    *way, last = data.draw(st.sampled_from(places(value)))
    inner = value
    for key in way:
        inner = inner[key]
    inner[last] = data.draw(JSON)
    with suppress(ExchangeError):
        from_line(to_line(from_line(json.dumps(value).encode())))


@given(st.binary())
def test_bytes_are_a_record_or_an_error(line: bytes) -> None:
    with suppress(ExchangeError):
        from_line(line)


def test_every_fact_that_the_catalogue_has_a_column_for_can_be_brought_back() -> None:
    """Whatever column ``photo`` gets, an export carries it."""
    samples = {int: 4, float: 0.5, str: "x", bool: True, bytes: b"\0x", datetime: WHEN.replace(tzinfo=None)}
    facts = {column.name: samples[column.type.python_type] for column in FACTS}
    values = json.loads(to_line(replace(PHOTO, facts={name: fact(value) for name, value in facts.items()})))["facts"]
    assert facts_of_record(replace(PHOTO, facts=values)) == facts
