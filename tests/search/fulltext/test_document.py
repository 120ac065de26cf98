"""How much of a long caption counts for more than a model's words."""

from __future__ import annotations

from pathlib import Path

import pytest

from photoindex.library import Library
from photoindex.search.fulltext.document import LONG_CAPTION
from tests.media.metadata.samples import described
from tests.support import make_photo

AGENCY = " ".join(f"word{number}" for number in range(LONG_CAPTION)) + " and far behind them a lighthouse, ten boats"


@pytest.mark.parametrize("times", [1, 6])
def test_a_word_deep_in_a_long_caption_comes_below_a_short_captions(library: Library, album: Path, times: int) -> None:
    for number, caption in enumerate((f"{AGENCY} {'lighthouse ' * times}", "A lighthouse", "Boats"), 1):
        path = make_photo(album / f"{number}.jpg", colour=("red", "blue", "green")[number - 1])
        path.with_suffix(".xmp").write_bytes(described(caption))
    library.index(album)

    assert [hit.path.name for hit in library.search("lighthouse")] == ["2.jpg", "1.jpg"]
    assert [hit.path.name for hit in library.search('"far behind them"')] == ["1.jpg"]  # all of it is searched
    assert [hit.path.name for hit in library.search("word3")] == ["1.jpg"]
