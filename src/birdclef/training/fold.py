"""Run one fold of any level, showing and writing what comes out of it."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from birdclef.common.arrays import Logits
from birdclef.common.digests import fingerprint
from birdclef.common.files import write_csv
from birdclef.common.names import INPUT_FILES
from birdclef.common.probabilities import sigmoid
from birdclef.dataset.labeled import LabeledData
from birdclef.model.artifacts import OutOfFold, TrainedModel, write_out_of_fold
from birdclef.model.classifier import create_classifier, pretrained_file, save_checkpoint
from birdclef.model.device import prepare
from birdclef.params import ClipsParams, LevelParams, MelParams, RuntimeParams, TrainParams
from birdclef.progress import console, progress
from birdclef.training.examples import TrainingExamples
from birdclef.training.resume import ResumePoint
from birdclef.training.trainer import EpochReport, FoldData, Trainer

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


class _Line:
    """What the screen says of one training, the most important first: 80 columns may be all."""

    def __init__(self, name: str, trainer: Trainer, advance: Callable[..., None]) -> None:
        self.name, self.trainer, self.advance = name, trainer, advance
        self.score, self.goes_on = "", False
        self._start_epoch()

    def _start_epoch(self) -> None:
        self.images, self.started, self.rate = 0, time.monotonic(), 0.0

    def after_step(self, images: int, loss: float) -> None:
        steps, finished = 1, len(self.trainer.history)
        if finished and not self.goes_on:  # the first after a kill brings those of these epochs
            console.print(f"{self.name}: goes on after epoch {finished}", highlight=False)
            steps += finished * len(self.trainer.batches)
        self.goes_on = True
        self.images += images
        self.rate = self.images / (time.monotonic() - self.started)
        self.advance(self._words(len(self.trainer.history) + 1, loss), steps, passing=True)

    def report(self, row: EpochReport) -> None:
        if self.trainer.data.validation.size:
            self.score = f" ROC-AUC {row.macro_roc_auc:.3f}"
        self.advance(self._words(row.epoch, row.loss), 0)
        self._start_epoch()

    def _words(self, epoch: int, loss: float) -> str:
        of = self.trainer.level.epochs
        return f"loss {loss:.4f}{self.score} {self.rate:.0f} images/s epoch {epoch}/{of}"


def _run_with_progress(trainer: Trainer, name: str, resume: ResumePoint) -> Logits:
    with progress(name, trainer.level.epochs * len(trainer.batches)) as advance:
        line = _Line(name, trainer, advance)
        return trainer.run(resume, line.report, line.after_step)


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
    # of the device too: only mixed precision has a state of its own to go on from
    weights = pretrained_file(params.train)
    files = [*INPUT_FILES, *pseudo_files, *([weights] if weights else [])]
    key = fingerprint(sections, files, *model, device.type)
    resume = ResumePoint(Path(params.runtime.resume_dir), key)
    name = f"{model.level} seed {model.seed} {params.train.backbone} fold {model.fold}"
    logits = _run_with_progress(trainer, name, resume)
    save_checkpoint(trainer.trained, model.checkpoint)
    ids = [labeled.clips.recording_ids[i] for i in held_out]
    write_out_of_fold(model, OutOfFold(ids, sigmoid(logits)))
    write_csv(pd.DataFrame(trainer.history), model.curve, float_format="%.6f")
    resume.clear()
