"""The 95 % interval of the difference in macro ROC-AUC between two levels.

With one training seed, the interval covers other soundscapes of the same kind, scored by the same
models; with several, also models trained again with other seeds. It covers neither other species
nor the choice of settings. `experiments/interval_coverage.py` simulates how often it contains the
true difference; EXPERIMENTS.md has the table.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import t

from birdclef.common.arrays import Matrix
from birdclef.dataset.metrics import macro_roc_auc

CONFIDENCE = 0.95


def leave_one_out(
    targets: Matrix, before: Matrix, after: Matrix, soundscape_ids: Sequence[str]
) -> npt.NDArray[np.float64]:
    """Difference in macro ROC-AUC, `after` minus `before`, without each soundscape in turn.

    Whole soundscapes are left out, because windows of one soundscape are alike. A species whose
    positive windows are all in the soundscape that is left out has no ROC-AUC then, so the mean
    runs over the other species: this is the score if that soundscape had not been recorded.

    Args:
        targets: (window, species), 0 or 1.
        before, after: (window, species), scores of the two levels.
        soundscape_ids: (window,).

    Returns:
        (soundscape,) in the order of sorted ids; NaN where no species is left to score.
    """
    ids = np.asarray(soundscape_ids)
    others = [ids != name for name in np.unique(ids)]
    scores = [[macro_roc_auc(targets[rows], s[rows]) for rows in others] for s in (before, after)]
    return np.subtract(scores[1], scores[0])


def _variance_of_seeds(
    differences: npt.NDArray[np.float64], left_out: npt.NDArray[np.float64]
) -> float:
    """Variance of the mean difference that training adds to the variance of soundscapes.

    Seeds differ partly because each one likes other soundscapes. The jackknife over soundscapes
    holds this part already, so it is subtracted. This is how readers and cases are treated where
    several readers judge the same cases (Dorfman, Berbaum and Metz 1992).

    Args:
        differences, left_out: as in `t_interval`.

    Returns:
        0 or more; 0 with one seed.
    """
    seeds, soundscapes = left_out.shape
    if seeds == 1:
        return 0.0
    over_seeds, over_soundscapes = (left_out.mean(axis=i, keepdims=True) for i in (0, 1))
    together = left_out - over_seeds - over_soundscapes + left_out.mean()
    shared = (soundscapes - 1) / soundscapes * float((together**2).sum()) / (seeds - 1)
    return max(0.0, float(np.var(differences, ddof=1)) - shared) / seeds


def t_interval(
    differences: npt.NDArray[np.float64], left_out: npt.NDArray[np.float64]
) -> tuple[float, float]:
    """Student's t interval around the mean difference over seeds.

    The variance is that of the delete-one jackknife over soundscapes (Efron and Stein 1981) plus
    that of seeds. The degrees of freedom are those of Satterthwaite (1946): the number of
    soundscapes - 1 if seeds add nothing.

    Args:
        differences: (seed,), the difference of each seed on all soundscapes.
        left_out: (seed, soundscape), for each seed as `leave_one_out` returns it.

    Returns:
        Lower and upper bound. Both are NaN if there are fewer than two soundscapes, or if no
        species can be scored without one of them.
    """
    seeds, soundscapes = left_out.shape
    if soundscapes < 2 or np.isnan(left_out).any():
        return np.nan, np.nan
    by_soundscape = (soundscapes - 1) * float(np.var(left_out.mean(axis=0)))
    by_seed = _variance_of_seeds(differences, left_out)
    mean, variance = float(differences.mean()), by_soundscape + by_seed
    if variance == 0:
        return mean, mean
    squares = by_soundscape**2 / (soundscapes - 1) + by_seed**2 / max(1, seeds - 1)
    half = float(t.ppf((1 + CONFIDENCE) / 2, variance**2 / squares)) * variance**0.5
    return mean - half, mean + half


def difference_interval(
    targets: Matrix,
    before: Sequence[Matrix],
    after: Sequence[Matrix],
    soundscape_ids: Sequence[str],
) -> tuple[float, float]:
    """95 % interval of the difference in macro ROC-AUC, `after` minus `before`, over seeds.

    Args:
        targets: (window, species), 0 or 1.
        before, after: scores, one (window, species) matrix per training seed; the two levels of a
            seed belong together.
        soundscape_ids: (window,).

    Returns:
        Lower and upper bound, as `t_interval` returns them.
    """
    pairs = list(zip(before, after, strict=True))
    differences = [macro_roc_auc(targets, a) - macro_roc_auc(targets, b) for b, a in pairs]
    left_out = [leave_one_out(targets, b, a, soundscape_ids) for b, a in pairs]
    return t_interval(np.array(differences), np.array(left_out))
