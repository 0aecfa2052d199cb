"""Run one fold of any level, showing and writing what comes out of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from birdclef.datasets import TrainingExamples
from birdclef.device import prepare
from birdclef.files import write_csv
from birdclef.fold_outputs import OutOfFold, TrainedModel, write_out_of_fold
from birdclef.logits import sigmoid
from birdclef.model import create_classifier, save_checkpoint
from birdclef.params import ClipsParams, LevelParams, MelParams, RuntimeParams, TrainParams
from birdclef.prediction import Logits
from birdclef.progress import console, progress
from birdclef.resume import ResumePoint, fingerprint
from birdclef.training import EpochReport, FoldData, Trainer
from birdclef.training_data import INPUT_FILES, LabeledData

_DEFAULT = "default"  # in the lists of backbones: train.backbone
_SEEDS_APART = 100  # more than there are folds, so that no two models share a seed


class FoldParams(NamedTuple):
    """The sections of params.yaml that one level of training reads."""

    train: TrainParams
    level: LevelParams
    mel: MelParams
    clips: ClipsParams
    runtime: RuntimeParams

    def of_backbone(self, name: str) -> "FoldParams":
        """The same for a backbone of models.teacher_backbones or models.student_backbones."""
        chosen = {} if name == _DEFAULT else {"backbone": name}
        return self._replace(train=self.train.model_copy(update=chosen))


def _run_with_progress(trainer: Trainer, name: str, resume: ResumePoint) -> Logits:
    done = 0
    with progress(name, trainer.level.epochs) as advance:

        def report(row: EpochReport) -> None:
            nonlocal done
            if row.epoch > done + 1:
                console.print(f"{name}: goes on after epoch {row.epoch - 1}", highlight=False)
            scored = f"  out-of-fold macro ROC-AUC {row.macro_roc_auc:.3f}"
            note = f"loss {row.loss:.4f}{scored if trainer.data.validation.size else ''}"
            advance(note, row.epoch - done)
            done = row.epoch

        return trainer.run(resume, report)


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
        model: which level, seed, backbone and fold; names the outputs.
        params: all that shapes the training.
        labeled: labelled recordings and their folds.
        examples: what the training reads.
        pseudo_ratio: windows a labelled clip in a batch.
        pseudo_files: further inputs that a resumed run must find unchanged.
    """
    params = params.of_backbone(model.backbone)
    device = prepare(params.runtime)
    seed = params.level.seed + _SEEDS_APART * model.seed + model.fold
    train, held_out = labeled.split(model.fold, params.train.scheme)
    for species in labeled.without_recordings(train):
        console.print(f"no recording of {species} to train on: this model will not know it")
    data = FoldData(examples, labeled.primary_labels, train, held_out)
    classifier = create_classifier(params.train, params.mel, params.clips, labeled.species, seed)
    trainer = Trainer(
        classifier, data, seed, params.train, params.level, pseudo_ratio, params.runtime, device
    )
    sections = [params.train, params.level, params.mel, params.clips]
    key = fingerprint(sections, [*INPUT_FILES, *pseudo_files], *model)
    resume = ResumePoint(Path(params.runtime.resume_dir), key)
    name = f"{model.level} seed {model.seed} {params.train.backbone} fold {model.fold}"
    logits = _run_with_progress(trainer, name, resume)
    save_checkpoint(trainer.trained, model.checkpoint)
    ids = [labeled.clips.recording_ids[i] for i in held_out]
    write_out_of_fold(model, OutOfFold(ids, sigmoid(logits)))
    write_csv(pd.DataFrame(trainer.history), model.curve, float_format="%.6f")
    resume.clear()
