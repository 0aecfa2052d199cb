"""The files of each trained model, in one folder per model under models/trained/."""

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
from birdclef.common.names import TRAINED, Fold
from birdclef.common.tables import read_own
from birdclef.model.classifier import Ensemble, load_checkpoint
from birdclef.params import ClipsParams, MelParams

DEFAULT = "default"  # an entry of the lists of backbones that stands for train.backbone


class TrainedModel(NamedTuple):
    """One of the models to train, and the paths of its files under models/trained/."""

    level: str  # l1, l2, ...
    seed: int  # from models.seeds
    backbone: str  # from models.teacher_backbones or models.student_backbones
    fold: Fold  # the fold that it does not train on; full_0, full_1, ...: it trains on all

    @property
    def folder(self) -> Path:
        """The folder of all its files."""
        seed_folder = TRAINED / self.level / f"seed_{self.seed}"
        return seed_folder / self.backbone / f"fold_{self.fold}"

    @property
    def checkpoint(self) -> Path:
        """The file of its weights."""
        return self.folder / "model.safetensors"

    @property
    def out_of_fold(self) -> Path:
        """The file of its predictions on its held-out recordings."""
        return self.folder / "out_of_fold.npz"

    @property
    def curve(self) -> Path:
        """The file of its learning curve, one row per epoch."""
        return self.folder / "learning_curve.csv"


class OutOfFold(NamedTuple):
    """Predictions on recordings that the model did not train on."""

    recording_ids: list[str]
    probabilities: Logits  # (recording, species)


def backbones_of(level: str, teachers: Sequence[str], students: Sequence[str]) -> Sequence[str]:
    """Choose the list of backbones of a level: teachers for l1, students for every other level."""
    return teachers if level == "l1" else students


def backbone_name(listed: str, default: str) -> str:
    """Resolve an entry of a list of backbones to its timm name; `default` is train.backbone."""
    return default if listed == DEFAULT else listed


def trained_models(
    level: str, seed: int, backbones: Sequence[str], folds: Sequence[Fold]
) -> list[TrainedModel]:
    """List the models of a level and seed: all folds of the first backbone, then of the second."""
    return [TrainedModel(level, seed, name, fold) for name in backbones for fold in folds]


def parse_fold(text: str) -> Fold:
    """Read a fold from a command line: a number, or full_0, full_1, ... as it is."""
    return int(text) if text.isdecimal() else text


def require(paths: Sequence[Path]) -> None:
    """Check that every input exists, because DVC starts a fan-in stage even on an empty folder.

    Raises:
        FileNotFoundError: some inputs are missing; the message names all of them.
    """
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise FileNotFoundError(
            f"missing {', '.join(missing)}: section models of params.yaml lists these models;"
            " train them with `dvc repro`, or fetch them with `dvc pull`"
        )


def drop_unlisted(folder: Path, models: Sequence[TrainedModel]) -> None:
    """Remove from a stage's input folder the models that params.yaml no longer lists.

    DVC hashes the whole folder. If models of an earlier, longer list stayed, dvc.lock would record
    a folder that no other machine has. DVC's cache keeps the removed models, so listing them again
    restores them.
    """
    listed = {model.folder for model in models}
    for unlisted in set(folder.rglob("fold_*")) - listed:
        shutil.rmtree(unlisted)


def write_out_of_fold(model: TrainedModel, predictions: OutOfFold) -> None:
    """Write a model's predictions on its held-out recordings."""
    buffer = io.BytesIO()
    ids = np.array(predictions.recording_ids, dtype=np.str_)
    np.savez(buffer, recording_ids=ids, probabilities=predictions.probabilities)
    write_bytes(buffer.getvalue(), model.out_of_fold)


def read_out_of_fold(models: Sequence[TrainedModel]) -> OutOfFold:
    """Join the out-of-fold predictions of all folds; the backbones of each fold are averaged.

    Raises:
        FileNotFoundError: some models have no predictions; the message names the missing files.
    """
    require([model.out_of_fold for model in models])
    ids: list[str] = []
    probabilities = []
    for _, fold_models in groupby(sorted(models, key=_fold), key=_fold):
        parts = [np.load(model.out_of_fold) for model in fold_models]  # no pickle: data only
        ids += [str(name) for name in parts[0]["recording_ids"]]
        probabilities.append(np.mean([part["probabilities"] for part in parts], axis=0))
    return OutOfFold(ids, np.concatenate(probabilities))


def _fold(model: TrainedModel) -> Fold:
    return model.fold


def read_curves(models: Sequence[TrainedModel]) -> pd.DataFrame:
    """Join learning curves; the columns level, seed, backbone and fold name each row's model."""
    require([model.curve for model in models])
    types = {"epoch": int, "loss": float, "macro_roc_auc": float}
    curves = [read_own(model.curve, **types) for model in models]
    keys = [pd.DataFrame([model] * len(c)) for model, c in zip(models, curves, strict=True)]
    return pd.concat([pd.concat(keys), pd.concat(curves)], axis=1)


def load_ensemble(models: Sequence[TrainedModel], mel: MelParams, clips: ClipsParams) -> Ensemble:
    """Load several models as one ensemble, for inference.

    Raises:
        FileNotFoundError: some models have no checkpoint; the message names the missing files.
    """
    require([model.checkpoint for model in models])
    return Ensemble.of([load_checkpoint(model.checkpoint, mel, clips) for model in models])
