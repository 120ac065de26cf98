"""A captioner that remembers asks the model once for each photo."""

from __future__ import annotations

import numpy as np

from photoindex.captioner.cached import RememberingCaptioner
from photoindex.types import Prediction
from tests.support import COLOURS, FakeCaptioner


def test_pixels_that_were_captioned_are_not_captioned_again() -> None:
    red, blue = (np.full((16, 16, 3), COLOURS[name], np.uint8) for name in ("red", "blue"))
    memory: dict[bytes, Prediction] = {}
    first, second = FakeCaptioner(), FakeCaptioner()
    said = RememberingCaptioner(first, memory).caption([red, red])
    again = RememberingCaptioner(second, memory)
    assert [each.caption for each in again.caption([blue, red])] == ["a blue square", "a red square"]
    assert again.caption([red]) == said[:1] == said[1:]
    assert (first.captions, second.captions) == (["a red square"], ["a blue square"])
    assert again.info == second.info
    again.close()
    assert second.closed.is_set()
