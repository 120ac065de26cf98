"""Features for captions without photos: the mean of photos with such captions, and the rest from a real photo."""

import random

import torch

from photoindex.captioner.network import PhotoFeatures
from photoindex.training.text_only import FeatureRegression

DOG, SNOW, BEACH = range(3)
# Forty photos: a dog shows in the first channel, snow in the second, a beach in the third; the summary repeats it.
CONTENTS = [[DOG, SNOW], [DOG, BEACH], [SNOW], [BEACH]] * 10
SHOWN = torch.stack([torch.eye(3)[contents].sum(0) for contents in CONTENTS])


def regression(noise: float = 0.0) -> FeatureRegression:
    torch.manual_seed(0)
    regions = (SHOWN + noise * torch.rand(SHOWN.shape)).unsqueeze(1)
    return FeatureRegression(list(enumerate(CONTENTS)), PhotoFeatures(regions, 2 * SHOWN), terms=3)


def test_what_is_expected_grows_with_what_is_told() -> None:
    plain, dog, both = regression().expected([[], [DOG], [DOG, SNOW]])
    assert plain.tolist() == torch.cat((SHOWN.mean(0), 2 * SHOWN.mean(0))).tolist()
    assert dog[0] > plain[0]
    assert both[0] > plain[0]
    assert both[1] > dog[1] + 0.3
    assert both[4] > dog[4] + 0.6  # the summary of snow


def test_a_sampled_photo_has_one_region_and_is_like_real_ones() -> None:
    features = regression(noise=1.0).sample([[DOG]] * 200, random.Random(1))
    assert features.regions.shape == (200, 1, 3)
    assert features.summary.shape == (200, 3)
    assert float(features.regions.min()) >= 0  # as the encoder's are
    # No two alike, for each has its residual of a real photo, and they spread as real ones do.
    assert float(features.regions[:, 0, 0].std()) > 0.1


def test_the_same_chance_samples_the_same() -> None:
    regressed = regression(noise=1.0)
    once, again = (regressed.sample([[DOG], [SNOW]], random.Random(3)) for _ in range(2))
    assert torch.equal(once.regions, again.regions)
    assert torch.equal(once.summary, again.summary)
