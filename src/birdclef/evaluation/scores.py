"""The truth to score against, and the tables of scores."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from birdclef.common.arrays import Matrix
from birdclef.dataset.metrics import bootstrap_difference, macro_roc_auc, roc_auc_per_species


class Scored(NamedTuple):
    """What one level says, once a seed, and what is true."""

    targets: Matrix  # (row, species)
    probabilities: list[Matrix]  # of each seed
    masks: Matrix | None = None  # 0 where the truth is not known; None: it is known everywhere
    folds: npt.NDArray[np.integer] | None = None  # (row,), that held it out; None: none did

    def of(self, rows: npt.NDArray[np.bool_]) -> "Scored":
        """The same for some of the rows."""
        masks = None if self.masks is None else self.masks[rows]
        return Scored(self.targets[rows], [p[rows] for p in self.probabilities], masks)

    def has_both(self) -> bool:
        """Whether any species is heard in one row and not in another: else there is no score."""
        known = np.ones_like(self.targets) if self.masks is None else self.masks
        heard, silent = ((self.targets == value) & (known > 0) for value in (1, 0))
        return bool((heard.any(axis=0) & silent.any(axis=0)).any())

    def macro_roc_auc(self) -> list[float]:
        """Of each seed."""
        return [macro_roc_auc(self.targets, p, self.masks) for p in self.probabilities]

    def roc_auc_per_species(self) -> Matrix:
        """(species,) mean over seeds; NaN without positives or negatives."""
        scores = [roc_auc_per_species(self.targets, p, self.masks) for p in self.probabilities]
        return np.mean(scores, axis=0)


def _mean_and_spread(scores: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Mean over seeds and, where there are several, the standard deviation of a sample."""
    values = {name: float(np.mean(of_seeds)) for name, of_seeds in scores.items()}
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
    """Macro ROC-AUC of every level, the mean over seeds, with the spread where there are several.

    `difference` is that of the last level from the first, on the labelled soundscapes, `low` and
    `high` its 95 % interval over soundscapes.

    Args:
        out_of_fold: of each level; empty when nothing was held out.
        soundscapes: of each level; empty when no soundscape is labelled.
            Without a species that is heard here and not there, either has no score and is left out.
        soundscape_ids: of each row of `soundscapes`.
        bootstraps, seed: of the interval.
    """
    metrics = {}
    if out_of_fold and out_of_fold["l1"].has_both():
        scores = {level: scored.macro_roc_auc() for level, scored in out_of_fold.items()}
        metrics["out_of_fold"] = _rounded(_mean_and_spread(scores))
    if soundscapes and soundscapes["l1"].has_both():
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
    """A row for each level and key; a score that there is not is an empty cell."""
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
    """Macro ROC-AUC at each level.

    Who chooses params by their score on the labelled soundscapes may do so on the even ones, the
    first, third, ... by name, and report the odd ones.

    Returns:
        Columns level, seed, out_of_fold, soundscapes, even_soundscapes, odd_soundscapes.
    """
    table = _by_level({"seed": seeds}, Scored.macro_roc_auc, out_of_fold, soundscapes)
    _, number = np.unique(np.asarray(soundscape_ids, dtype=np.str_), return_inverse=True)
    for column, half in (
        ("even_soundscapes", number % 2 == 0),
        ("odd_soundscapes", number % 2 == 1),
    ):
        of_half = {level: scored.of(half).macro_roc_auc() for level, scored in soundscapes.items()}
        scores = [of_half.get(level, [np.nan] * len(seeds)) for level in table["level"].unique()]
        table[column] = np.concatenate(scores) if scores else []
    return table


def species_table(
    species: Sequence[str], out_of_fold: Mapping[str, Scored], soundscapes: Mapping[str, Scored]
) -> pd.DataFrame:
    """ROC-AUC of each species at each level: columns level, species, out_of_fold, soundscapes."""
    score = Scored.roc_auc_per_species
    return _by_level({"species": species}, score, out_of_fold, soundscapes)
