"""Train one fold of any level, show its progress, and write its results."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch

from birdclef.common.digests import digest
from birdclef.common.files import write_csv
from birdclef.common.names import INPUT_FILES
from birdclef.common.portable import is_held_to_avx2
from birdclef.common.probabilities import sigmoid
from birdclef.dataset.labeled import LabeledData
from birdclef.model.artifacts import OutOfFold, TrainedModel, write_out_of_fold
from birdclef.model.classifier import create_classifier, pretrained_file, save_checkpoint
from birdclef.model.device import prepare
from birdclef.progress import TrainingLine, console, progress
from birdclef.training.examples import TrainingExamples
from birdclef.training.resume import ResumePoint
from birdclef.training.trainer import FoldData, FoldParams, Trainer

_SEED_STRIDE = 100  # above any usual number of folds, so that no two repeats share a seed
_FULL_FIT = 50  # models that hold out nothing count from here, behind the usual folds


def _seed(first: int, model: TrainedModel) -> int:
    """The seed of one model of a level: `first`, plus its repeat, plus its fold."""
    fold = model.fold
    number = fold if isinstance(fold, int) else _FULL_FIT + int(fold.removeprefix("full_"))
    return first + _SEED_STRIDE * model.seed + number


def train_fold(
    model: TrainedModel,
    params: FoldParams,
    labeled: LabeledData,
    examples: TrainingExamples,
    pseudo_ratio: float = 0.0,
    pseudo_files: Sequence[Path] = (),
) -> None:
    """Train one model and write its checkpoint, out-of-fold predictions and learning curve.

    Args:
        model: the level, seed, backbone and fold to train; also determines the output paths.
        params: every parameter that shapes the training.
        labeled: labelled recordings and their folds.
        examples: the examples to train on.
        pseudo_ratio: pseudo-labelled windows per labelled clip in a batch.
        pseudo_files: further input files; a run is resumed only if they are unchanged.
    """
    params = params.of_backbone(model.backbone)
    device = prepare(params.runtime)
    seed = _seed(params.level.seed, model)
    train, held_out = labeled.split(model.fold)
    for species in labeled.without_recordings(train):
        console.print(f"no recording of {species} to train on: this model cannot learn it")
    data = FoldData(examples, labeled.primary_labels, train, held_out)
    classifier = create_classifier(params.train, params.mel, params.clips, labeled.species, seed)
    trainer = Trainer(classifier, data, seed, params, pseudo_ratio, device)
    sections = [s.model_dump() for s in (params.train, params.level, params.mel, params.clips)]
    weights = pretrained_file(params.train)
    files = [*INPUT_FILES, *pseudo_files, *([weights] if weights else [])]
    # the key includes the device, because only mixed precision has a scaler state to resume from
    key = digest(*sections, *files, torch.__version__, *model, device.type, is_held_to_avx2())
    resume = ResumePoint(Path(params.runtime.resume_dir), key)
    name = f"{model.level} seed {model.seed} {params.train.backbone} fold {model.fold}"
    steps_per_epoch = len(trainer.batches)
    with progress(name, params.level.epochs * steps_per_epoch) as advance:
        line = TrainingLine(name, params.level.epochs, steps_per_epoch, advance)
        logits = trainer.run(resume, lambda row: line.after_epoch(*row), line.after_step)
    save_checkpoint(trainer.trained, model.checkpoint)
    ids = [labeled.clips.recording_ids[i] for i in held_out]
    write_out_of_fold(model, OutOfFold(ids, sigmoid(logits)))
    write_csv(pd.DataFrame(trainer.history), model.curve, float_format="%.6f")
    resume.clear()
