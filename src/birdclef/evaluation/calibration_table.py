"""Calibration between the stages: what `evaluate` finds out, and `export_onnx` puts in the file."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from birdclef.common.probabilities import Calibration, Curves
from birdclef.evaluation.calibration import (
    calibrate_held_out,
    calibration_error,
    fit_calibration,
    thresholds_at_precision,
)
from birdclef.evaluation.scores import Scored

COLUMNS = ("species", "positives", "slope", "offset", "threshold")


def _known(scored: Scored) -> Scored:
    """The first seed, which is the one that is exported, with masks."""
    masks = np.ones_like(scored.targets) if scored.masks is None else scored.masks
    return scored._replace(probabilities=scored.probabilities[:1], masks=masks)


def calibration_scores(
    out_of_fold: Scored | None, min_positives: int
) -> dict[str, dict[str, float]]:
    """Calibration error before and after, each fold calibrated by the others.

    Args:
        out_of_fold: of the level that is exported; None: nothing was held out.
        min_positives: as of fit_calibration.

    Returns:
        `calibration`: `before` and `after`, 0..1; nothing where nothing was held out, or only one
        fold was.
    """
    if out_of_fold is None or out_of_fold.folds is None or len(np.unique(out_of_fold.folds)) < 2:
        return {}
    targets, (raw,), masks, folds = _known(out_of_fold)
    assert masks is not None  # _known has seen to both
    assert folds is not None
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
    """COLUMNS: of each species its recordings, its curve, and its threshold on raw probabilities.

    No row where nothing was held out; an empty threshold where the recordings are too few, or the
    precision is never reached.
    """
    if out_of_fold is None:
        return pd.DataFrame(columns=list(COLUMNS))
    targets, (raw,), masks, _ = _known(out_of_fold)
    assert masks is not None
    fitted = fit_calibration(targets, raw, masks, min_positives)
    thresholds = thresholds_at_precision(targets, raw, masks, precision, min_positives)
    columns = (species, ((targets > 0) & (masks > 0)).sum(axis=0), *fitted, thresholds)
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def read_calibration(path: Path, precision: float) -> Calibration | None:
    """Read what `calibration_table` wrote; None where it has no row."""
    table = pd.read_csv(path)
    if table.empty:
        return None
    curves = Curves(table["slope"].to_numpy(), table["offset"].to_numpy())
    return Calibration(curves, table["threshold"].to_numpy(dtype=np.float64), precision)
