"""What a trained fold leaves behind, and where: one folder a fold and level under models/."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from birdclef.files import write_bytes
from birdclef.model import Ensemble, load_checkpoint
from birdclef.params import ClipsParams, MelParams
from birdclef.prediction import Logits

Level = Literal["l1", "l2"]


class OutOfFold(NamedTuple):
    """Predictions on recordings that the model did not train on."""

    recording_ids: list[str]
    probabilities: Logits  # (recording, species)


def checkpoint_path(level: Level, fold: int) -> Path:
    """Where a fold's model lies."""
    return Path(f"models/{level}/fold_{fold}/model.safetensors")


def out_of_fold_path(level: Level, fold: int) -> Path:
    """Where a fold's predictions on its held-out recordings lie."""
    return Path(f"models/{level}/fold_{fold}/out_of_fold.npz")


def curve_path(level: Level, fold: int) -> Path:
    """Where a fold's learning curve lies."""
    return Path(f"metrics/train_{level}/fold_{fold}.csv")


def require(paths: Sequence[Path]) -> None:
    """Check that every input is there, since DVC starts a fan-in stage on an empty folder too.

    Raises:
        FileNotFoundError: names all that are missing.
    """
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise FileNotFoundError(
            f"missing {', '.join(missing)}: params.yaml lists these folds in folds.run;"
            " train them with `dvc repro`, or fetch them with `dvc pull`"
        )


def write_out_of_fold(level: Level, fold: int, predictions: OutOfFold) -> None:
    """Write a fold's predictions on its held-out recordings."""
    buffer = io.BytesIO()
    ids = np.array(predictions.recording_ids)
    np.savez(buffer, recording_ids=ids, probabilities=predictions.probabilities)
    write_bytes(buffer.getvalue(), out_of_fold_path(level, fold))


def read_out_of_fold(level: Level, folds: Sequence[int]) -> OutOfFold:
    """Join the out-of-fold predictions of several folds.

    Raises:
        FileNotFoundError: names the folds that have none.
    """
    paths = [out_of_fold_path(level, fold) for fold in folds]
    require(paths)
    parts = [np.load(path) for path in paths]  # without pickle: data only
    ids = [str(name) for part in parts for name in part["recording_ids"]]
    return OutOfFold(ids, np.concatenate([part["probabilities"] for part in parts]))


def load_ensemble(
    level: Level, folds: Sequence[int], mel: MelParams, clips: ClipsParams
) -> Ensemble:
    """The models of several folds as one, for inference.

    Raises:
        FileNotFoundError: names the folds that have no model.
    """
    paths = [checkpoint_path(level, fold) for fold in folds]
    require(paths)
    return Ensemble.of([load_checkpoint(path, mel, clips) for path in paths])
