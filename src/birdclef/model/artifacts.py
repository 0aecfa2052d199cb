"""What a trained model leaves behind, and where: one folder a model under models/trained/."""

import io
import shutil
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from birdclef.common.arrays import Logits
from birdclef.common.files import write_bytes
from birdclef.common.names import TRAINED
from birdclef.model.classifier import Ensemble, load_checkpoint
from birdclef.params import ClipsParams, MelParams

DEFAULT = "default"  # in the lists of backbones


class TrainedModel(NamedTuple):
    """One model of many, and its place under models/trained/."""

    level: str  # l1, l2, ...
    seed: int  # of models.seeds
    backbone: str  # of models.teacher_backbones or models.student_backbones
    fold: int  # that it does not train on

    @property
    def folder(self) -> Path:
        """Where all of it lies."""
        of_seed = TRAINED / self.level / f"seed_{self.seed}"
        return of_seed / self.backbone / f"fold_{self.fold}"

    @property
    def checkpoint(self) -> Path:
        """Its weights."""
        return self.folder / "model.safetensors"

    @property
    def out_of_fold(self) -> Path:
        """Its predictions on its held-out recordings."""
        return self.folder / "out_of_fold.npz"

    @property
    def curve(self) -> Path:
        """Its learning curve: a row an epoch."""
        return self.folder / "learning_curve.csv"


class OutOfFold(NamedTuple):
    """Predictions on recordings that the model did not train on."""

    recording_ids: list[str]
    probabilities: Logits  # (recording, species)


def backbones_of(level: str, teachers: Sequence[str], students: Sequence[str]) -> Sequence[str]:
    """The backbones of a level as params.yaml lists them: l1 are teachers, all others students."""
    return teachers if level == "l1" else students


def backbone_name(listed: str, default: str) -> str:
    """The timm name of an entry of a list of backbones; `default` is train.backbone."""
    return default if listed == DEFAULT else listed


def trained_models(
    level: str, seed: int, backbones: Sequence[str], folds: Sequence[int]
) -> list[TrainedModel]:
    """Every model of a level and seed: the folds of the first backbone, of the second, ..."""
    return [TrainedModel(level, seed, name, fold) for name in backbones for fold in folds]


def require(paths: Sequence[Path]) -> None:
    """Check that every input is there, since DVC starts a fan-in stage on an empty folder too.

    Raises:
        FileNotFoundError: names all that are missing.
    """
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise FileNotFoundError(
            f"missing {', '.join(missing)}: params.yaml lists these in its section models;"
            " train them with `dvc repro`, or fetch them with `dvc pull`"
        )


def drop_others(folder: Path, models: Sequence[TrainedModel]) -> None:
    """Remove from an input folder of a stage the models that longer lists of folds have left.

    DVC hashes the folder whole: with them, dvc.lock would name what no other machine has. Its
    cache keeps them, and a list that names them again brings them back.
    """
    listed = {model.folder for model in models}
    for other in set(folder.rglob("fold_*")) - listed:
        shutil.rmtree(other)


def write_out_of_fold(model: TrainedModel, predictions: OutOfFold) -> None:
    """Write a model's predictions on its held-out recordings."""
    buffer = io.BytesIO()
    ids = np.array(predictions.recording_ids, dtype=np.str_)
    np.savez(buffer, recording_ids=ids, probabilities=predictions.probabilities)
    write_bytes(buffer.getvalue(), model.out_of_fold)


def read_out_of_fold(models: Sequence[TrainedModel]) -> OutOfFold:
    """Join the out-of-fold predictions of all folds; backbones of one fold are averaged.

    Raises:
        FileNotFoundError: names the models that have none.
    """
    require([model.out_of_fold for model in models])
    ids: list[str] = []
    probabilities = []
    for _, of_fold in groupby(sorted(models, key=_fold), key=_fold):
        parts = [np.load(model.out_of_fold) for model in of_fold]  # without pickle: data only
        ids += [str(name) for name in parts[0]["recording_ids"]]
        probabilities.append(np.mean([part["probabilities"] for part in parts], axis=0))
    return OutOfFold(ids, np.concatenate(probabilities))


def _fold(model: TrainedModel) -> int:
    return model.fold


def read_curves(models: Sequence[TrainedModel]) -> pd.DataFrame:
    """Join learning curves; columns level, seed, backbone and fold tell whose they are."""
    require([model.curve for model in models])
    curves = [pd.read_csv(model.curve) for model in models]
    whose = [pd.DataFrame([model] * len(c)) for model, c in zip(models, curves, strict=True)]
    return pd.concat([pd.concat(whose), pd.concat(curves)], axis=1)


def load_ensemble(models: Sequence[TrainedModel], mel: MelParams, clips: ClipsParams) -> Ensemble:
    """Several models as one, for inference.

    Raises:
        FileNotFoundError: names the models that have no checkpoint.
    """
    require([model.checkpoint for model in models])
    return Ensemble.of([load_checkpoint(model.checkpoint, mel, clips) for model in models])
