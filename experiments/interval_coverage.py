"""Simulate how often 95 % intervals contain the true difference in macro ROC-AUC of two levels.

Each data set has 15 or 20 soundscapes of 12 windows, 12 species from rare to common, and two
levels that score them. Windows of one soundscape are alike, and so are the two levels: both hear
the same song and the same noise. With several seeds, each level is trained again: its sensitivity
to each species changes. The true difference comes from a very large sample of soundscapes and
seeds. The table shows the share of data sets whose interval contains it (it should be .95) and,
after the comma, the mean half width.

    python experiments/interval_coverage.py            # under a minute on one core
"""

import argparse
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri
from scipy.stats import t

from birdclef.dataset.metrics import macro_roc_auc
from birdclef.evaluation.interval import leave_one_out, t_interval

Array = npt.NDArray[np.float64]
Interval = tuple[float, float]

SPECIES, WINDOWS = 12, 12
PRESENCE = np.geomspace(0.1, 0.5, SPECIES)  # share of the soundscapes in which a species sings
SENSITIVITY = (1.4, 1.8)  # mean shift of a level's score by song: ROC-AUC of about .82 and .87
RESAMPLES = 1000
CASES = [(15, 1), (20, 1), (15, 3), (20, 3)]  # soundscapes, seeds


class Sample(NamedTuple):
    """One simulated set of labelled soundscapes, and the scores of both levels."""

    targets: npt.NDArray[np.bool_]  # (species, soundscape, window)
    scores: Array  # (level, seed, species, soundscape, window)


def simulate(soundscapes: int, seeds: int, vary: bool, rng: np.random.Generator) -> Sample:
    """Draw one set of soundscapes.

    A species sings in a soundscape with the probability PRESENCE, and then in a share of its
    windows that is Beta(2, 3). The score of a window is the level's sensitivity, times how loud
    the song is in this soundscape, plus noise of the soundscape and noise of the window. Two
    thirds of the variance of either noise are common to both levels and all seeds.

    Args:
        soundscapes, seeds: how many to draw.
        vary: whether training with another seed changes the sensitivity.
        rng: source of all draws but the species' sensitivities, which are always the same.
    """
    shape = (SPECIES, soundscapes, WINDOWS)
    present = rng.random(shape[:2]) < PRESENCE[:, None]
    song = present[..., None] & (rng.random(shape) < rng.beta(2, 3, shape[:2])[..., None])
    loudness = 1 + 0.4 * rng.standard_normal(shape[:2])
    fixed = np.random.default_rng(0)
    species = 0.4 * fixed.standard_normal(SPECIES) + 0.25 * fixed.standard_normal((2, 1, SPECIES))
    sensitivity = np.array(SENSITIVITY)[:, None, None] + species
    if vary:
        sensitivity = sensitivity + 0.04 * rng.standard_normal((2, seeds, 1))
        sensitivity = sensitivity + 0.12 * rng.standard_normal((2, seeds, SPECIES))
    scores = sensitivity[..., None, None] * loudness[..., None] * song
    for size in (1, WINDOWS):
        common = rng.standard_normal((SPECIES, soundscapes, size))
        own = rng.standard_normal((2, seeds, SPECIES, soundscapes, size))
        scores = scores + 0.7 * (np.sqrt(2 / 3) * common + np.sqrt(1 / 3) * own)
    return Sample(song, scores)


class Pairs(NamedTuple):
    """What a difference of ROC-AUC needs: pairs of windows, counted by their two soundscapes."""

    gained: Array  # (seed, species, soundscape, soundscape): ordered rightly, after - before
    positives: Array  # (species, soundscape), number of windows
    negatives: Array  # (species, soundscape)

    @classmethod
    def of(cls, sample: Sample) -> "Pairs":
        """Count the pairs; there are no ties."""
        song, scores = sample
        _, seeds, _, count, _ = scores.shape
        gained = np.empty((seeds, SPECIES, count, count))
        for species, sung in enumerate(song.reshape(SPECIES, -1)):
            score = scores[:, :, species].reshape(2, seeds, -1)
            positive = np.flatnonzero(sung)
            above = (score[..., positive, None] > score[..., None, :]) & ~sung
            by_negative = above.reshape(*above.shape[:-1], count, WINDOWS).sum(axis=-1)
            before, after = np.eye(count)[positive // WINDOWS].T @ by_negative
            gained[:, species] = after - before
        return cls(gained, song.sum(axis=-1).astype(float), (~song).sum(axis=-1).astype(float))

    def per_species(self, weights: Array) -> Array:
        """Difference in ROC-AUC if soundscapes count as often as weights say.

        Args:
            weights: (row, soundscape).

        Returns:
            (seed, row, species); NaN without positives or negatives.
        """
        pairs = (weights @ self.positives.T) * (weights @ self.negatives.T)  # (row, species)
        gained = ((weights @ self.gained) * weights).sum(axis=-1)  # (seed, species, row)
        with np.errstate(invalid="ignore"):
            difference: Array = gained.transpose(0, 2, 1) / pairs
        return difference


class Drawn(NamedTuple):
    """What every kind of interval is computed from."""

    differences: Array  # (seed,)
    left_out: Array  # (seed, soundscape): a species without positives is left out
    left_out_kept: Array  # (seed, soundscape): it keeps the difference that it has on all of them
    resampled: Array  # (resample,), mean over seeds


def draw(sample: Sample, rng: np.random.Generator) -> Drawn:
    """Differences on all soundscapes, without each of them, and on resampled ones."""
    pairs, count = Pairs.of(sample), sample.targets.shape[1]
    whole = pairs.per_species(np.ones((1, count)))
    without = pairs.per_species(1 - np.eye(count))
    resamples = rng.multinomial(count, np.full(count, 1 / count), RESAMPLES).astype(float)
    mean_of_seeds = pairs._replace(gained=pairs.gained.mean(axis=0, keepdims=True))
    return Drawn(
        np.nanmean(whole[:, 0], axis=-1),
        np.nanmean(without, axis=-1),
        np.nanmean(np.where(np.isnan(without), whole, without), axis=-1),
        np.nanmean(mean_of_seeds.per_species(resamples)[0], axis=-1),
    )


def percentile(drawn: Drawn) -> Interval:
    """2.5th and 97.5th percentile of the resamples (Efron 1979)."""
    low, high = np.percentile(drawn.resampled, [2.5, 97.5])
    return low, high


def expanded_percentile(drawn: Drawn) -> Interval:
    """Percentiles moved outwards for the small number of soundscapes (Hesterberg 2015)."""
    count = drawn.left_out.shape[1]
    tail = ndtr(np.sqrt(count / (count - 1)) * t.ppf(0.025, count - 1))
    low, high = np.percentile(drawn.resampled, [100 * tail, 100 - 100 * tail])
    return low, high


def bca(drawn: Drawn) -> Interval:
    """Percentiles corrected for bias and acceleration (Efron 1987)."""
    deviation = drawn.left_out.mean(axis=0).mean() - drawn.left_out.mean(axis=0)
    acceleration = (deviation**3).sum() / (6 * (deviation**2).sum() ** 1.5)
    below = (drawn.resampled < drawn.differences.mean()).mean()
    bias = ndtri(np.clip(below, 1 / RESAMPLES, 1 - 1 / RESAMPLES))
    z = bias + ndtri(np.array([0.025, 0.975]))
    low, high = np.percentile(drawn.resampled, 100 * ndtr(bias + z / (1 - acceleration * z)))
    return low, high


def t_bootstrap(drawn: Drawn) -> Interval:
    """Student's t with the variance of the resamples."""
    count = drawn.left_out.shape[1]
    half = t.ppf(0.975, count - 1) * np.std(drawn.resampled, ddof=1)
    return drawn.differences.mean() - half, drawn.differences.mean() + half


def _mean(values: Array) -> Array:
    """The mean over seeds as the only seed, so that their spread is not in the interval."""
    return values.mean(axis=0, keepdims=True)


def t_all_of_seeds(drawn: Drawn) -> Interval:
    """Student's t, with the whole variance over seeds added to that of the jackknife."""
    seeds, count = drawn.left_out.shape
    by_soundscape = (count - 1) * np.var(drawn.left_out.mean(axis=0))
    by_seed = np.var(drawn.differences, ddof=1) / seeds if seeds > 1 else 0.0
    squares = by_soundscape**2 / (count - 1) + by_seed**2 / max(1, seeds - 1)
    variance = by_soundscape + by_seed
    half = t.ppf(0.975, variance**2 / squares) * np.sqrt(variance)
    return drawn.differences.mean() - half, drawn.differences.mean() + half


METHODS: dict[str, Callable[[Drawn], Interval]] = {
    "percentile bootstrap": percentile,
    "expanded percentile bootstrap": expanded_percentile,
    "BCa bootstrap": bca,
    "t, variance of the bootstrap": t_bootstrap,
    "t, jackknife; a lost species keeps its score": lambda d: t_interval(
        _mean(d.differences), _mean(d.left_out_kept)
    ),
    "t, jackknife": lambda d: t_interval(_mean(d.differences), _mean(d.left_out)),
    "t, jackknife + all of the variance over seeds": t_all_of_seeds,
    "t, jackknife + seeds: `evaluation/interval.py`": lambda d: t_interval(
        d.differences, d.left_out
    ),
}


def rows(values: npt.NDArray[Any]) -> Array:
    """(species, soundscape, window) as (row, species), the form in which levels are scored."""
    return values.reshape(SPECIES, -1).T.astype(float)


@cache
def true_difference(vary: bool) -> float:
    """Mean difference over 80,000 soundscapes and, if they vary, 400 seeds."""
    rng, found = np.random.default_rng(1), []
    for _ in range(400):
        targets, scores = simulate(200, 1, vary, rng)
        before, after = (macro_roc_auc(rows(targets), rows(level[0])) for level in scores)
        found.append(after - before)
    return float(np.mean(found))


def check(sample: Sample, drawn: Drawn) -> None:
    """Stop if the fast sums differ from what the stage `evaluate` computes."""
    ids = np.repeat([f"{i:03}" for i in range(sample.targets.shape[1])], WINDOWS)
    for seed, left_out in enumerate(drawn.left_out):
        before, after = (rows(level[seed]) for level in sample.scores)
        by_package = leave_one_out(rows(sample.targets), before, after, ids.tolist())
        np.testing.assert_allclose(left_out, by_package, atol=1e-6)


def cover(soundscapes: int, seeds: int, sets: int) -> tuple[Array, Array]:
    """Share of the data sets whose interval has the true difference, and mean half width.

    Returns:
        Two arrays, (method,).
    """
    vary = seeds > 1
    truth = true_difference(vary)
    rng = np.random.default_rng(1000 * soundscapes + seeds)
    bounds = []
    for number in range(sets):
        sample = simulate(soundscapes, seeds, vary, rng)
        drawn = draw(sample, rng)
        if number == 0:
            check(sample, drawn)
        bounds.append([method(drawn) for method in METHODS.values()])
    low, high = np.moveaxis(np.array(bounds), -1, 0)
    return ((low <= truth) & (truth <= high)).mean(axis=0), (high - low).mean(axis=0) / 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=500, help="simulated data sets per case")
    sets = parser.parse_args().sets
    results = [cover(soundscapes, seeds, sets) for soundscapes, seeds in CASES]
    titles = [f"{n} soundscapes, {s} seed{'s' * (s > 1)}" for n, s in CASES]
    print(f"| 95 % interval | {' | '.join(titles)} |\n|---{'|---' * len(CASES)}|")
    for i, name in enumerate(METHODS):
        cells = [f"{shares[i]:.3f}, {widths[i]:.3f}" for shares, widths in results]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
