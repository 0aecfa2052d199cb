"""The tables of calibration, and the scores of calibration and thresholds.

`evaluate` writes them; `export_onnx` puts the table of curves and thresholds in the model file.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from birdclef.common.arrays import Matrix
from birdclef.common.probabilities import Calibration, Curves
from birdclef.common.tables import read_own
from birdclef.evaluation.calibration import (
    Reliability,
    calibrate_held_out,
    calibration_error,
    fit_calibration,
    reliability,
)
from birdclef.evaluation.scores import Scored
from birdclef.evaluation.thresholds import (
    precision_and_recall,
    thresholds_at_precision,
    thresholds_held_out,
)
from birdclef.params import EvaluateParams

COLUMNS = ("species", "positives", "slope", "offset", "threshold")
RAW, CALIBRATED = "raw", "calibrated"  # values of the column `probabilities` of reliability_table


def _cells(scored: Scored) -> tuple[Matrix, Matrix, Matrix]:
    """Targets, probabilities of the first seed, which is the exported one, and masks."""
    masks = np.ones_like(scored.targets) if scored.masks is None else scored.masks
    return scored.targets, scored.probabilities[0], masks


def _folds(scored: Scored | None) -> npt.NDArray[np.integer] | None:
    """The fold of each row; None unless at least two were held out, to fit one on the others."""
    folds = None if scored is None else scored.folds
    return None if folds is None or len(np.unique(folds)) < 2 else folds


def reliability_table(out_of_fold: Scored | None, min_positives: int) -> pd.DataFrame:
    """Reliability diagrams of the out-of-fold probabilities, raw and calibrated.

    Each fold is calibrated with curves of the other folds.

    Args:
        out_of_fold: predictions of the exported level; None if nothing was held out.
        min_positives: as in `fit_calibration`.

    Returns:
        Columns probabilities (RAW or CALIBRATED), probability, frequency, cells, one row per bin;
        no rows if fewer than two folds were held out.
    """
    folds = _folds(out_of_fold)
    if out_of_fold is None or folds is None:
        return pd.DataFrame(columns=["probabilities", *Reliability._fields])
    targets, raw, masks = _cells(out_of_fold)
    calibrated = calibrate_held_out(targets, raw, masks, folds, min_positives)
    tables = [
        pd.DataFrame({"probabilities": name, **reliability(targets, p, masks)._asdict()})
        for name, p in ((RAW, raw), (CALIBRATED, calibrated))
    ]
    return pd.concat(tables, ignore_index=True)


def calibration_scores(diagrams: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Calibration error before and after each fold is calibrated with curves of the other folds.

    Args:
        diagrams: from `reliability_table`.

    Returns:
        `calibration` with `before` and `after`, 0..1; empty if the table has no rows.
    """
    errors = {}
    for name, probabilities in (("before", RAW), ("after", CALIBRATED)):
        bins = diagrams[diagrams["probabilities"] == probabilities]
        curve = Reliability(*(bins[column].to_numpy() for column in Reliability._fields))
        errors[name] = round(calibration_error(curve), 5)
    return {"calibration": errors} if len(diagrams) else {}


def calibration_table(
    species: Sequence[str], out_of_fold: Scored | None, min_positives: int, precision: float
) -> pd.DataFrame:
    """Table of COLUMNS, one row per species: positive recordings, curve, threshold.

    The threshold applies to raw probabilities. It is empty if a species has too few recordings, or
    too many errors, to show the precision. The table has no rows if nothing was held out.
    """
    if out_of_fold is None:
        return pd.DataFrame(columns=list(COLUMNS))
    targets, raw, masks = _cells(out_of_fold)
    fitted = fit_calibration(targets, raw, masks, min_positives)
    thresholds = thresholds_at_precision(targets, raw, masks, min_positives, precision)
    columns = (species, ((targets > 0) & (masks > 0)).sum(axis=0), *fitted, thresholds)
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def threshold_scores(
    table: pd.DataFrame,
    out_of_fold: Scored | None,
    soundscapes: Scored | None,
    min_positives: int,
    precision: float,
) -> dict[str, dict[str, Any]]:
    """Precision and recall at each species' own threshold, on data that did not choose it.

    Args:
        table: from `calibration_table`, with the exported thresholds.
        out_of_fold: predictions of the exported level; None if nothing was held out.
        soundscapes: predictions of the labelled windows by the exported ensemble; None if there
            are none.
        min_positives, precision: as in `thresholds_at_precision`.

    Returns:
        `thresholds`, empty if the table has no rows: `species_with` and `species_without` count
        the species with and without an exported threshold; `held_out` scores each fold at
        thresholds of the other folds, and `soundscapes` the ensemble at the exported thresholds.
        Either score is left out if there is no detection or no positive.
    """
    if table.empty:
        return {}
    exported = table["threshold"].to_numpy(dtype=np.float64)
    scores, folds = {}, _folds(out_of_fold)
    if out_of_fold is not None and folds is not None:
        cells = _cells(out_of_fold)
        thresholds = thresholds_held_out(*cells, folds, min_positives, precision)
        scores["held_out"] = precision_and_recall(*cells, thresholds)
    if soundscapes is not None:
        scores["soundscapes"] = precision_and_recall(*_cells(soundscapes), exported)
    without = int(np.isnan(exported).sum())
    counts = {"species_with": len(table) - without, "species_without": without}
    rounded = {
        part: {name: round(value, 5) for name, value in values.items()}
        for part, values in scores.items()
        if values
    }
    return {"thresholds": counts | rounded}


def calibration_outputs(
    species: Sequence[str],
    out_of_fold: Scored | None,
    soundscapes: Scored | None,
    settings: EvaluateParams,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, dict[str, Any]]]:
    """All that `evaluate` writes about the exported level's calibration and thresholds.

    Args:
        species: all species, in the order of the columns of the predictions.
        out_of_fold, soundscapes: predictions of the exported level; None if there are none.
        settings: the section `evaluate`.

    Returns:
        The tables of `calibration_table` and `reliability_table`, and the sections of scores of
        `calibration_scores` and `threshold_scores`.
    """
    rule = settings.min_positives, settings.precision
    table = calibration_table(species, out_of_fold, *rule)
    diagrams = reliability_table(out_of_fold, settings.min_positives)
    thresholds = threshold_scores(table, out_of_fold, soundscapes, *rule)
    return table, diagrams, calibration_scores(diagrams) | thresholds


def read_calibration(path: Path, precision: float) -> Calibration | None:
    """Read a table that `calibration_table` made; None if it has no rows."""
    table = read_own(path, positives=int, slope=float, offset=float, threshold=float)
    if table.empty:
        return None
    curves = Curves(table["slope"].to_numpy(), table["offset"].to_numpy())
    return Calibration(curves, table["threshold"].to_numpy(), precision)
