"""The table of calibration: `evaluate` writes it, `export_onnx` puts it in the model file."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from birdclef.common.probabilities import Calibration, Curves
from birdclef.common.tables import read_own
from birdclef.evaluation.calibration import (
    calibrate_held_out,
    calibration_error,
    fit_calibration,
    thresholds_at_precision,
)
from birdclef.evaluation.scores import Scored

COLUMNS = ("species", "positives", "slope", "offset", "threshold")


def _exported_seed(scored: Scored) -> Scored:
    """Select the first seed, which is the exported one, and fill in masks if there are none."""
    masks = np.ones_like(scored.targets) if scored.masks is None else scored.masks
    return scored._replace(probabilities=scored.probabilities[:1], masks=masks)


def calibration_scores(
    out_of_fold: Scored | None, min_positives: int
) -> dict[str, dict[str, float]]:
    """Calibration error before and after each fold is calibrated with curves of the other folds.

    Args:
        out_of_fold: predictions of the exported level; None if nothing was held out.
        min_positives: as in `fit_calibration`.

    Returns:
        `calibration` with `before` and `after`, 0..1; empty if fewer than two folds were held out.
    """
    if out_of_fold is None or out_of_fold.folds is None or len(np.unique(out_of_fold.folds)) < 2:
        return {}
    targets, (raw,), masks, folds = _exported_seed(out_of_fold)
    assert masks is not None  # filled in by _exported_seed
    assert folds is not None  # checked above
    after = calibrate_held_out(targets, raw, masks, folds, min_positives)
    errors = {"before": raw, "after": after}
    return {
        "calibration": {
            name: round(calibration_error(targets, p, masks), 5) for name, p in errors.items()
        }
    }


def calibration_table(
    species: Sequence[str], out_of_fold: Scored | None, min_positives: int, precision: float
) -> pd.DataFrame:
    """Table of COLUMNS, one row per species: positive recordings, curve, threshold.

    The threshold applies to raw probabilities. It is empty if a species has too few recordings or
    never reaches the precision. The table has no rows if nothing was held out.
    """
    if out_of_fold is None:
        return pd.DataFrame(columns=list(COLUMNS))
    targets, (raw,), masks, _ = _exported_seed(out_of_fold)
    assert masks is not None  # filled in by _exported_seed
    fitted = fit_calibration(targets, raw, masks, min_positives)
    thresholds = thresholds_at_precision(targets, raw, masks, precision, min_positives)
    columns = (species, ((targets > 0) & (masks > 0)).sum(axis=0), *fitted, thresholds)
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def read_calibration(path: Path, precision: float) -> Calibration | None:
    """Read a table that `calibration_table` made; None if it has no rows."""
    table = read_own(path, positives=int, slope=float, offset=float, threshold=float)
    if table.empty:
        return None
    curves = Curves(table["slope"].to_numpy(), table["offset"].to_numpy())
    return Calibration(curves, table["threshold"].to_numpy(), precision)
