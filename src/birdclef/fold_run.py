"""Run one fold of either level, showing and writing what comes out of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from birdclef.datasets import TrainingExamples
from birdclef.device import prepare
from birdclef.files import write_csv
from birdclef.fold_outputs import (
    Level,
    OutOfFold,
    checkpoint_path,
    curve_path,
    write_out_of_fold,
)
from birdclef.model import create_classifier, save_checkpoint
from birdclef.params import ClipsParams, LevelParams, MelParams, RuntimeParams, TrainParams
from birdclef.prediction import Logits, sigmoid
from birdclef.progress import progress
from birdclef.resume import ResumePoint, fingerprint
from birdclef.training import EpochReport, FoldData, Trainer
from birdclef.training_data import INPUT_FILES, LabeledData


class FoldParams(NamedTuple):
    """The sections of params.yaml that one level of training reads."""

    train: TrainParams
    level: LevelParams
    mel: MelParams
    clips: ClipsParams
    runtime: RuntimeParams


def _run_with_progress(trainer: Trainer, name: str, resume: ResumePoint) -> Logits:
    with progress(name, trainer.level.epochs) as advance:

        def report(row: EpochReport) -> None:
            advance(f"loss {row.loss:.4f}  out-of-fold macro ROC-AUC {row.macro_roc_auc:.3f}")

        return trainer.run(resume, report)


def train_fold(
    level: Level,
    fold: int,
    params: FoldParams,
    labeled: LabeledData,
    examples: TrainingExamples,
    pseudo_ratio: float = 0.0,
    pseudo_files: Sequence[Path] = (),
) -> None:
    """Train one fold and write its checkpoint, out-of-fold predictions and learning curve.

    Args:
        level: names the outputs.
        fold: the fold that is held out; also added to the level's seed.
        params: all that shapes the training.
        labeled: labelled recordings and their folds.
        examples: what the training reads.
        pseudo_ratio: windows a labelled clip in a batch.
        pseudo_files: further inputs that a resumed run must find unchanged.
    """
    device, seed = prepare(params.runtime), params.level.seed + fold
    train, held_out = labeled.split(fold)
    data = FoldData(examples, labeled.primary_labels, train, held_out)
    classifier = create_classifier(params.train, params.mel, params.clips, labeled.species, seed)
    trainer = Trainer(
        classifier, data, seed, params.train, params.level, pseudo_ratio, params.runtime, device
    )
    sections = [params.train, params.level, params.mel, params.clips]
    key = fingerprint(sections, [*INPUT_FILES, *pseudo_files], level, fold)
    resume = ResumePoint(Path(params.runtime.resume_dir), key)
    logits = _run_with_progress(trainer, f"{level} fold {fold}", resume)
    save_checkpoint(trainer.trained, checkpoint_path(level, fold))
    ids = [labeled.clips.recording_ids[i] for i in held_out]
    write_out_of_fold(level, fold, OutOfFold(ids, sigmoid(logits)))
    write_csv(pd.DataFrame(trainer.history), curve_path(level, fold), float_format="%.6f")
    resume.clear()
