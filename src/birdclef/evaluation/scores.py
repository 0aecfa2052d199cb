"""Predictions with their truth, and the tables of scores."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from birdclef.common.arrays import Matrix
from birdclef.common.names import Fold
from birdclef.dataset.metrics import macro_roc_auc, roc_auc_per_species
from birdclef.evaluation.halves import tuning_rows
from birdclef.evaluation.interval import difference_interval
from birdclef.params import PseudoLabelParams


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


Sections = Mapping[str, Mapping[str, Scored]]  # section of evaluate.json -> level -> predictions


def students_saw_held_out(params: PseudoLabelParams, folds: Sequence[Fold]) -> bool:
    """Whether students learn about the recordings of their held-out fold through their teachers.

    The teacher of fold f does not train on fold f; the teachers of other folds do. So the score of
    a student on fold f is honest only if the teacher of fold f alone made its pseudo labels. This
    holds in every round, because the students of one round are the teachers of the next.

    Args:
        params: section pseudo_label.
        folds: models.folds; the teacher of a single fold is alone in any case.
    """
    return len(folds) > 1 and (params.teacher == "mean" or params.transform == "max_over_models")


def by_section(
    held_out: Mapping[str, Scored],
    soundscapes: Mapping[str, Scored],
    pseudo_label: PseudoLabelParams,
    folds: Sequence[Fold],
) -> Sections:
    """Sort the predictions of each level into the sections of evaluate.json.

    Args:
        held_out: each level's predictions of the recordings that its models held out.
        soundscapes: each level's predictions of the labelled soundscapes.
        pseudo_label, folds: as in `students_saw_held_out`.

    Returns:
        `out_of_fold`, `seen_through_teachers` and `soundscapes`; each may be empty.
    """
    saw = students_saw_held_out(pseudo_label, folds)
    seen = {level: scored for level, scored in held_out.items() if saw and level != "l1"}
    clean = {level: scored for level, scored in held_out.items() if level not in seen}
    return {"out_of_fold": clean, "seen_through_teachers": seen, "soundscapes": soundscapes}


def _mean_and_spread(scores: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Mean over seeds and, if there are several seeds, the sample standard deviation."""
    values = {name: float(np.mean(per_seed)) for name, per_seed in scores.items()}
    if len(next(iter(scores.values()))) > 1:
        values |= {f"{name}_sd": float(np.std(s, ddof=1)) for name, s in scores.items()}
    return values


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 5) for name, value in values.items()}


def summary(sections: Sections, soundscape_ids: Sequence[str]) -> dict[str, dict[str, float]]:
    """Macro ROC-AUC of every level: mean over seeds and, if there are several seeds, the spread.

    `difference` is the score of the last level minus that of the first, on the labelled
    soundscapes; `low` and `high` are the ends of its 95 % interval (see `interval`).

    Args:
        sections: as `by_section` returns.
        soundscape_ids: soundscape of each row of section `soundscapes`.

    Returns:
        The sections. A level is left out if no species has both positive and negative rows, a
        section if it has no level, and the interval if there is none.
    """
    metrics = {}
    for section, by_level in sections.items():
        scores = {level: s.macro_roc_auc() for level, s in by_level.items() if s.has_score()}
        bounds: dict[str, float] = {}
        if section == "soundscapes" and len(scores) > 1:  # levels share targets: all or none
            first, *_, last = scores
            pairs = zip(scores[last], scores[first], strict=True)
            before, after = by_level[first], by_level[last]
            scores["difference"] = [b - a for b, a in pairs]
            low, high = difference_interval(
                before.targets, before.probabilities, after.probabilities, soundscape_ids
            )
            bounds = {} if np.isnan(low) else {"low": low, "high": high}
        if scores:
            metrics[section] = _rounded(_mean_and_spread(scores) | bounds)
    return metrics


def _by_level(
    keys: Mapping[str, Sequence[object]],
    score: Callable[[Scored], Matrix | list[float]],
    columns: Sections,
) -> pd.DataFrame:
    """One row per level and key, one column per section; a missing score is an empty cell."""
    levels = sorted({level for scored in columns.values() for level in scored})
    tables = []
    for level in levels:
        table = pd.DataFrame({"level": level, **keys})
        for column, scored in columns.items():
            table[column] = score(scored[level]) if level in scored else np.nan
        tables.append(table)
    names = ["level", *keys, *columns]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=names)


def levels_table(seeds: Sequence[int], sections: Sections, groups: Sequence[str]) -> pd.DataFrame:
    """Macro ROC-AUC of each level and seed.

    To choose params by their score on labelled soundscapes, use `tuning_soundscapes`, and report
    `test_soundscapes`.

    Args:
        seeds: models.seeds.
        sections: as `by_section` returns.
        groups: group of each row of section `soundscapes` (see `halves`).

    Returns:
        Columns level, seed, the sections, tuning_soundscapes, test_soundscapes.
    """
    tuning = tuning_rows(groups)
    halves = {
        half: {level: s.select(rows) for level, s in sections["soundscapes"].items()}
        for half, rows in (("tuning_soundscapes", tuning), ("test_soundscapes", ~tuning))
    }
    return _by_level({"seed": seeds}, Scored.macro_roc_auc, {**sections, **halves})


def species_table(species: Sequence[str], sections: Sections) -> pd.DataFrame:
    """ROC-AUC per level and species: columns level, species and the sections."""
    return _by_level({"species": species}, Scored.roc_auc_per_species, sections)
