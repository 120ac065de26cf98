"""Who is in a photo: what captions say, and what a summary tells."""

import pytest
import torch

from photoindex.training.persons import fit_somebody, persons_in


@pytest.mark.parametrize(
    ("captions", "present"),
    [(["a dog", "a man and his dog"], 1.0), (["a dog", "grass"], 0.0), (["a couple of dogs"], None), ([], 0.0)],
)
def test_captions_say_whether_somebody_is_there(captions: list[str], present: float | None) -> None:
    assert persons_in(captions) == present


def test_a_summary_tells_it_and_how_surely() -> None:
    torch.manual_seed(1)
    summaries = torch.randn(400, 8) * 3 + 5
    likely = torch.sigmoid(summaries[:, 2] - 5)
    present = torch.bernoulli(likely)
    line = fit_somebody(summaries, present, torch.ones(400))
    found = torch.sigmoid(line(summaries).squeeze(1))
    assert (found - likely).abs().mean() < 0.1
