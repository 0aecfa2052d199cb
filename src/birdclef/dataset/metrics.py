"""Macro ROC-AUC as BirdCLEF scores it."""

import numpy as np
from scipy.stats import rankdata

from birdclef.common.arrays import Matrix


def roc_auc_per_species(targets: Matrix, scores: Matrix, masks: Matrix | None = None) -> Matrix:
    """ROC-AUC of each species by the rank-sum formula; ties count half.

    Args:
        targets: (row, species), 0 or 1.
        scores: (row, species), any increasing function of probability.
        masks: (row, species), 0 where the truth is unknown: the row is left out for that species.
            None leaves out nothing.

    Returns:
        (species,), NaN where a species has no positive or no negative row.
    """
    known = np.ones(targets.shape, bool) if masks is None else masks > 0
    scores = np.where(known, scores, -np.inf)  # unknown rows rank lowest
    ranks = rankdata(scores, axis=0) - (~known).sum(axis=0)  # ranks among the known rows
    positive = (targets > 0) & known
    n_positive, n_negative = positive.sum(axis=0), (~positive & known).sum(axis=0)
    rank_sum = np.where(positive, ranks, 0).sum(axis=0)
    pairs = n_positive * n_negative
    ordered_pairs = rank_sum - n_positive * (n_positive + 1) / 2  # the positive row scores higher
    return np.divide(ordered_pairs, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def macro_roc_auc(targets: Matrix, scores: Matrix, masks: Matrix | None = None) -> float:
    """Mean ROC-AUC over the species that have positive and negative rows; NaN if there are none."""
    per_species = roc_auc_per_species(targets, scores, masks)
    scored = per_species[~np.isnan(per_species)]
    return float(scored.mean()) if len(scored) else float("nan")
