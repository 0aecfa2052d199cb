"""Predictions with their truth, and the tables of scores."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from birdclef.common.arrays import Matrix
from birdclef.dataset.metrics import bootstrap_difference, macro_roc_auc, roc_auc_per_species


class Scored(NamedTuple):
    """Predictions of one level, once per seed, and the truth."""

    targets: Matrix  # (row, species)
    probabilities: list[Matrix]  # one (row, species) per seed
    masks: Matrix | None = None  # 0 where the truth is unknown; None: it is known everywhere
    folds: npt.NDArray[np.integer] | None = None  # (row,), which fold held it out; None: no fold

    def select(self, rows: npt.NDArray[np.bool_]) -> "Scored":
        """Select some of the rows; folds are dropped."""
        masks = None if self.masks is None else self.masks[rows]
        return Scored(self.targets[rows], [p[rows] for p in self.probabilities], masks)

    def has_score(self) -> bool:
        """Whether a species has both positive and negative rows; otherwise there is no ROC-AUC."""
        known = np.ones_like(self.targets) if self.masks is None else self.masks
        positive, negative = ((self.targets == value) & (known > 0) for value in (1, 0))
        return bool((positive.any(axis=0) & negative.any(axis=0)).any())

    def macro_roc_auc(self) -> list[float]:
        """Macro ROC-AUC of each seed."""
        return [macro_roc_auc(self.targets, p, self.masks) for p in self.probabilities]

    def roc_auc_per_species(self) -> Matrix:
        """ROC-AUC per species, (species,): mean over seeds; NaN without positives or negatives."""
        scores = [roc_auc_per_species(self.targets, p, self.masks) for p in self.probabilities]
        return np.mean(scores, axis=0)


def _mean_and_spread(scores: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Mean over seeds and, if there are several seeds, the sample standard deviation."""
    values = {name: float(np.mean(per_seed)) for name, per_seed in scores.items()}
    if len(next(iter(scores.values()))) > 1:
        values |= {f"{name}_sd": float(np.std(s, ddof=1)) for name, s in scores.items()}
    return values


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 5) for name, value in values.items()}


def summary(
    out_of_fold: Mapping[str, Scored],
    soundscapes: Mapping[str, Scored],
    soundscape_ids: Sequence[str],
    bootstraps: int,
    seed: int,
) -> dict[str, dict[str, float]]:
    """Macro ROC-AUC of every level: mean over seeds and, if there are several seeds, the spread.

    `difference` is the score of the last level minus that of the first, on the labelled
    soundscapes; `low` and `high` are the ends of its 95 % interval over soundscapes.

    Args:
        out_of_fold: predictions by level; empty if nothing was held out.
        soundscapes: predictions by level; empty if no soundscape is labelled.
        soundscape_ids: soundscape of each row of `soundscapes`.
        bootstraps, seed: number of resamples for the interval, and their seed.

    Returns:
        `out_of_fold` and `soundscapes`; either is left out if no species has both positive and
        negative rows.
    """
    metrics = {}
    if out_of_fold and out_of_fold["l1"].has_score():
        scores = {level: scored.macro_roc_auc() for level, scored in out_of_fold.items()}
        metrics["out_of_fold"] = _rounded(_mean_and_spread(scores))
    if soundscapes and soundscapes["l1"].has_score():
        scores = {level: scored.macro_roc_auc() for level, scored in soundscapes.items()}
        levels = list(scores)
        before, after = soundscapes[levels[0]], soundscapes[levels[-1]]
        pairs = zip(scores[levels[-1]], scores[levels[0]], strict=True)
        scores["difference"] = [last - first for last, first in pairs]
        low, high = bootstrap_difference(
            before.targets,
            before.probabilities,
            after.probabilities,
            soundscape_ids,
            bootstraps,
            seed,
        )
        values = _mean_and_spread(scores) | {"low": low, "high": high}
        metrics["soundscapes"] = _rounded(values)
    return metrics


def _by_level(
    keys: Mapping[str, Sequence[object]],
    score: Callable[[Scored], Matrix | list[float]],
    out_of_fold: Mapping[str, Scored],
    soundscapes: Mapping[str, Scored],
) -> pd.DataFrame:
    """One row per level and key; a missing score is an empty cell."""
    tables = []
    for level in dict.fromkeys([*out_of_fold, *soundscapes]):
        table = pd.DataFrame({"level": level, **keys})
        for column, scored in (("out_of_fold", out_of_fold), ("soundscapes", soundscapes)):
            table[column] = score(scored[level]) if level in scored else np.nan
        tables.append(table)
    columns = ["level", *keys, "out_of_fold", "soundscapes"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def levels_table(
    seeds: Sequence[int],
    out_of_fold: Mapping[str, Scored],
    soundscapes: Mapping[str, Scored],
    soundscape_ids: Sequence[str],
) -> pd.DataFrame:
    """Macro ROC-AUC of each level and seed.

    To choose params by their score on labelled soundscapes, use the even soundscapes (the first,
    third, ... by name), and report the score on the odd ones.

    Returns:
        Columns level, seed, out_of_fold, soundscapes, even_soundscapes, odd_soundscapes.
    """
    table = _by_level({"seed": seeds}, Scored.macro_roc_auc, out_of_fold, soundscapes)
    _, number = np.unique(np.asarray(soundscape_ids, dtype=np.str_), return_inverse=True)
    for column, half in (
        ("even_soundscapes", number % 2 == 0),
        ("odd_soundscapes", number % 2 == 1),
    ):
        by_level = {name: each.select(half).macro_roc_auc() for name, each in soundscapes.items()}
        scores = [by_level.get(level, [np.nan] * len(seeds)) for level in table["level"].unique()]
        table[column] = np.concatenate(scores) if scores else []
    return table


def species_table(
    species: Sequence[str], out_of_fold: Mapping[str, Scored], soundscapes: Mapping[str, Scored]
) -> pd.DataFrame:
    """ROC-AUC per level and species: columns level, species, out_of_fold, soundscapes."""
    score = Scored.roc_auc_per_species
    return _by_level({"species": species}, score, out_of_fold, soundscapes)
