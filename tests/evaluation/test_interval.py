"""The interval of a difference agrees with values worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t, ttest_1samp

from birdclef.dataset.metrics import macro_roc_auc
from birdclef.evaluation.interval import difference_interval, leave_one_out, t_interval

# Two species in soundscapes a, b and c; the second one sings in a alone.
TARGETS = np.array([[1, 1], [0, 0], [1, 0], [0, 0], [1, 0], [0, 0]], np.float32)
IDS = ["a", "a", "b", "b", "c", "c"]
PERFECT = TARGETS.copy()
NO_SKILL = np.zeros_like(TARGETS)


def test_each_soundscape_is_left_out_whole_with_the_species_that_only_it_holds() -> None:
    # before: species 1 scores 1/2 everywhere and species 2 scores 1; after: the other way round
    before, after = NO_SKILL.copy(), NO_SKILL.copy()
    before[:, 1], after[:, 0] = TARGETS[:, 1], TARGETS[:, 0]
    found = leave_one_out(TARGETS, before, after, IDS)
    # without a, only species 1 is scored: 1 - 1/2; otherwise both: (1 + 1/2)/2 - (1/2 + 1)/2
    assert found.tolist() == [0.5, 0.0, 0.0]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=3, max_size=20).filter(lambda v: np.ptp(v) > 1e-3))
def test_of_a_mean_it_is_the_usual_t_interval(values: list[float]) -> None:
    x = np.array(values)
    left_out = (x.sum() - x) / (len(x) - 1)  # the mean without each value
    expected = ttest_1samp(x, 0).confidence_interval(0.95)
    assert t_interval(np.array([x.mean()]), left_out[None]) == pytest.approx(tuple(expected))


def test_of_seeds_alone_it_is_their_t_interval() -> None:
    differences = np.array([0.01, 0.03, 0.08])
    left_out = np.repeat(differences[:, None], 5, axis=1)  # soundscapes do not vary
    expected = ttest_1samp(differences, 0).confidence_interval(0.95)
    assert t_interval(differences, left_out) == pytest.approx(tuple(expected))


@pytest.mark.parametrize(
    ("differences", "left_out", "of_soundscapes", "of_seeds"),
    [
        # mean over seeds .1 .2 .3: (3 - 1) / 3 * .02; seeds: .02 / 2, and nothing to subtract
        ([0.1, 0.3], [[0.0, 0.1, 0.2], [0.2, 0.3, 0.4]], 0.04 / 3, 0.01),
        # mean over seeds .05 .2 .2: (3 - 1) / 3 * .015; what is left of each value is 0, -.05, .05
        # and 0, .05, -.05: shared (3 - 1) / 3 * .01; seeds: (.045 - .02 / 3) / 2
        ([0.1, 0.4], [[0.0, 0.1, 0.2], [0.1, 0.3, 0.2]], 0.01, (0.045 - 0.02 / 3) / 2),
        # as before, but seeds differ by .005, less than the shared part
        ([0.1, 0.2], [[0.0, 0.1, 0.2], [0.1, 0.3, 0.2]], 0.01, 0.0),
    ],
)
def test_the_variance_of_seeds_is_added_without_what_soundscapes_hold_already(
    differences: list[float], left_out: list[list[float]], of_soundscapes: float, of_seeds: float
) -> None:
    low, high = t_interval(np.array(differences), np.array(left_out))
    variance = of_soundscapes + of_seeds
    degrees = variance**2 / (of_soundscapes**2 / 2 + of_seeds**2 / 1)
    assert (low + high) / 2 == pytest.approx(np.mean(differences))
    assert (high - low) / 2 == pytest.approx(t.ppf(0.975, degrees) * variance**0.5)


def test_without_two_soundscapes_or_a_species_to_score_there_is_no_interval() -> None:
    one = difference_interval(TARGETS[:2], [NO_SKILL[:2]], [PERFECT[:2]], IDS[:2])
    assert np.isnan(one).all()
    targets = TARGETS[:, 1:]  # the only species is lost without a
    lost = difference_interval(targets, [NO_SKILL[:, 1:]], [PERFECT[:, 1:]], IDS)
    assert np.isnan(lost).all()


def test_equal_levels_differ_by_exactly_nothing() -> None:
    assert difference_interval(TARGETS, [PERFECT] * 2, [PERFECT] * 2, IDS) == (0.0, 0.0)


def test_it_surrounds_the_difference_and_seeds_belong_together() -> None:
    rng = np.random.default_rng(0)
    targets = (rng.random((120, 3)) < 0.4).astype(np.float32)
    ids = [str(i // 6) for i in range(120)]
    before, after = (
        [targets + sd * rng.standard_normal(targets.shape) for _ in range(2)] for sd in (3, 1)
    )
    gain = np.mean([macro_roc_auc(targets, b) for b in after]) - np.mean(
        [macro_roc_auc(targets, b) for b in before]
    )
    low, high = difference_interval(targets, before, after, ids)
    assert 0 < low < high
    assert (low + high) / 2 == pytest.approx(gain)
    with pytest.raises(ValueError, match="shorter"):
        difference_interval(targets, before, after[:1], ids)
