"""Macro ROC-AUC as BirdCLEF scores it, and how sure a difference is."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

from birdclef.common.arrays import Matrix


def roc_auc_per_species(targets: Matrix, scores: Matrix, masks: Matrix | None = None) -> Matrix:
    """ROC-AUC of each species by the rank-sum formula, ties counted half.

    Args:
        targets: (row, species), 0 or 1.
        scores: (row, species), any monotone function of probability.
        masks: (row, species), 0 where the truth is unknown and the row is left out; None: none is.

    Returns:
        (species,), NaN where a species has no positive or no negative row.
    """
    known = np.ones(targets.shape, bool) if masks is None else masks > 0
    scores = np.where(known, scores, -np.inf)  # ranked lowest, then their ranks taken off
    ranks = rankdata(scores, axis=0) - (~known).sum(axis=0)
    positive = (targets > 0) & known
    n_positive, n_negative = positive.sum(axis=0), (~positive & known).sum(axis=0)
    rank_sum = np.where(positive, ranks, 0).sum(axis=0)
    pairs = n_positive * n_negative
    above = rank_sum - n_positive * (n_positive + 1) / 2
    return np.divide(above, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def macro_roc_auc(targets: Matrix, scores: Matrix, masks: Matrix | None = None) -> float:
    """Mean ROC-AUC over the species that have positive and negative rows; NaN if none has."""
    per_species = roc_auc_per_species(targets, scores, masks)
    scored = per_species[~np.isnan(per_species)]
    return float(scored.mean()) if len(scored) else float("nan")


def bootstrap_difference(
    targets: Matrix,
    before: Sequence[Matrix],
    after: Sequence[Matrix],
    groups: Sequence[str],
    n_resamples: int,
    seed: int,
) -> tuple[float, float]:
    """95 % interval of macro ROC-AUC after minus before, whole groups resampled.

    Windows of one soundscape are alike, so soundscapes are the units that are drawn.

    Args:
        targets: (row, species).
        before, after: the same, once a seed; differences are averaged over seeds.
        groups: (row,), the soundscape of each row.
        n_resamples: draws of as many groups as there are, with replacement.
        seed: of the draws.

    Returns:
        Lower and upper bound, the 2.5 and 97.5 percentiles.
    """
    names, group_of = np.unique(np.asarray(groups), return_inverse=True)
    rows_of = [np.flatnonzero(group_of == i) for i in range(len(names))]
    rng = np.random.default_rng(seed)
    differences = []
    for _ in range(n_resamples):
        drawn = rng.integers(0, len(names), len(names))
        rows = np.concatenate([rows_of[i] for i in drawn])
        scores = [
            np.mean([macro_roc_auc(targets[rows], of_seed[rows]) for of_seed in level])
            for level in (before, after)
        ]
        differences.append(scores[1] - scores[0])
    low, high = np.nanpercentile(differences, [2.5, 97.5])
    return float(low), float(high)
