"""Train one fold of any level: AdamW, OneCycle per step, masked BCE; the last weights are kept."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Subset

from birdclef.common.arrays import Indices, Logits
from birdclef.dataset.metrics import macro_roc_auc
from birdclef.model.artifacts import backbone_name
from birdclef.model.batch_inference import LOADER_START, predict_logits
from birdclef.model.classifier import Classifier
from birdclef.params import ClipsParams, LevelParams, MelParams, RuntimeParams, TrainParams
from birdclef.training.examples import EpochBatches, TrainingExamples, oversample
from birdclef.training.losses import masked_bce
from birdclef.training.mixing import mixup, random_loudness
from birdclef.training.resume import ResumePoint

_JUST_BELOW = 0.999  # shifts the peak by less than one step
_SEED_STRIDE = 1000  # above any usual number of epochs, so that no two folds share random draws
_MIN_SCALE = 2.0**-10  # of a GPU's gradients; the scale starts at 2**16, each overflow halves it
AfterStep = Callable[[int, int, float], None]  # epoch (from 1), images and loss of the step


class TrainingError(RuntimeError):
    """Training cannot start or continue; the message says why and what to change."""


class EpochReport(NamedTuple):
    """One row of a learning curve."""

    epoch: int
    loss: float
    macro_roc_auc: float  # NaN without held-out clips


class FoldParams(NamedTuple):
    """The sections of params.yaml that one level of training reads."""

    train: TrainParams
    level: LevelParams
    mel: MelParams
    clips: ClipsParams
    runtime: RuntimeParams

    def of_backbone(self, name: str) -> "FoldParams":
        """Copy the sections for one backbone, named as in the lists of section models."""
        backbone = backbone_name(name, self.train.backbone)
        return self._replace(train=self.train.model_copy(update={"backbone": backbone}))


class FoldData(NamedTuple):
    """Data of one fold: examples, and positions of the clips to train on and to validate on."""

    examples: TrainingExamples
    primary_labels: list[str]
    train: Indices
    validation: Indices


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Split weights for AdamW: matrices and kernels decay, biases and norms do not."""
    weights = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in weights if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in weights if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _optimizer(model: nn.Module, train: TrainParams, steps: int) -> tuple[AdamW, OneCycleLR]:
    optimizer = AdamW(parameter_groups(model, train.weight_decay), lr=train.max_lr, fused=True)
    warmup = train.warmup
    if warmup * steps == 1:  # OneCycleLR divides by zero if the peak is the first step
        warmup *= _JUST_BELOW
    schedule = OneCycleLR(
        optimizer,
        max_lr=train.max_lr,
        total_steps=steps,
        pct_start=warmup,
        div_factor=train.div_factor,
        final_div_factor=train.final_div_factor,
    )
    return optimizer, schedule


def _running_mean(classifier: Classifier, decay: float) -> AveragedModel:
    """Running mean of weights and batch statistics; the first update copies them."""
    return AveragedModel(classifier, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)


class Trainer:
    """Training of a classifier on one fold; `run` continues after the last finished epoch."""

    def __init__(
        self,
        classifier: Classifier,
        data: FoldData,
        seed: int,
        params: FoldParams,
        pseudo_ratio: float,
        device: torch.device,
    ) -> None:
        self.classifier, self.data, self.device = classifier.to(device), data, device
        self.seed, self.params = seed, params
        train, level = params.train, params.level
        rows = oversample([data.primary_labels[i] for i in data.train], train.min_recordings)
        n_windows = len(data.examples.windows or ())
        windows_per_batch = round(pseudo_ratio * train.batch) if n_windows else 0
        self.batches = EpochBatches(
            data.train[rows], train.batch, n_windows, windows_per_batch, self.seed
        )
        if not len(self.batches):
            raise TrainingError(
                f"train.batch = {train.batch} is more than the {len(rows)} clips of an epoch;"
                " lower train.batch or add recordings"
            )
        steps = level.epochs * len(self.batches)
        self.optimizer, self.schedule = _optimizer(self.classifier, train, steps)
        self.ema = None if train.ema is None else _running_mean(self.classifier, train.ema)
        self.scaler = torch.amp.GradScaler(device.type, enabled=device.type == "cuda")
        self.history: list[EpochReport] = []

    def step(self, batch: list[Tensor], generator: torch.Generator) -> float:
        """Update the weights on one batch of waveforms, targets and masks; return its loss.

        Raises:
            TrainingError: the loss is NaN or infinite.
        """
        waveforms, targets, masks = (x.to(self.device, non_blocking=True) for x in batch)
        waveforms = random_loudness(waveforms, self.params.level.loudness_db, generator)
        mixed = mixup(waveforms, targets, masks, self.params.level.mixup, generator)
        with torch.autocast(self.device.type, enabled=self.scaler.is_enabled()):
            logits = self.classifier(mixed[0])
        loss = masked_bce(logits.float(), mixed[1], mixed[2])
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        value = loss.item()  # the only wait for a GPU; most of the step is queued by now
        if not math.isfinite(value):
            raise TrainingError(
                f"the loss is {value} in epoch {len(self.history) + 1}; {self._remedy()}"
            )
        if self.params.level.clip_grad is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_value_(self.classifier.parameters(), self.params.level.clip_grad)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        if self.ema is not None:
            self.ema.update_parameters(self.classifier)
        return value

    def _remedy(self) -> str:
        return (
            f"lower train.max_lr = {self.params.train.max_lr}, or clip_grad ="
            f" {self.params.level.clip_grad} in the section of this level"
        )

    @property
    def trained(self) -> Classifier:
        """The model to score and save: the classifier, or its running mean if there is one."""
        return self.classifier if self.ema is None else cast(Classifier, self.ema.module)

    def validate(self) -> Logits:
        """Predict the logits of the held-out clips, (recording, species), in order of position."""
        if not self.data.validation.size:
            return np.zeros((0, len(self.classifier.species)), np.float32)
        held_out = Subset(self.data.examples.labeled, self.data.validation.tolist())
        return predict_logits(self.trained, held_out, self.device, self.params.runtime)

    def _epoch(self, epoch: int, after_step: AfterStep) -> EpochReport:
        """Train and score one epoch; its random draws depend only on seed and epoch."""
        self.batches.epoch = epoch
        epoch_seed = self.seed * _SEED_STRIDE + epoch
        torch.manual_seed(epoch_seed)  # dropout
        generator = torch.Generator().manual_seed(epoch_seed)  # loudness and mixup
        loader = DataLoader(
            self.data.examples,
            batch_sampler=self.batches,
            num_workers=self.params.runtime.workers,
            multiprocessing_context=LOADER_START if self.params.runtime.workers else None,
            pin_memory=self.device.type == "cuda",
        )
        self.classifier.train()
        losses = []
        for batch in loader:
            losses.append(self.step(batch, generator))
            after_step(epoch + 1, len(batch[0]), losses[-1])
        # the scaler skips steps that overflow, so the loss stays finite and does not show them
        if self.scaler.get_scale() < _MIN_SCALE:
            raise TrainingError(
                f"the gradients overflow step after step in epoch {epoch + 1}; {self._remedy()}"
            )
        labeled = self.data.examples.labeled
        rows = self.data.validation
        score = macro_roc_auc(labeled.targets[rows], self.validate(), labeled.masks[rows])
        return EpochReport(epoch + 1, float(np.mean(losses)), score)

    def run(
        self,
        resume: ResumePoint,
        report: Callable[[EpochReport], None],
        after_step: AfterStep = lambda *_: None,
    ) -> Logits:
        """Train to the last epoch, starting where a killed run stopped.

        Args:
            resume: saved state, read at the start and written after each epoch.
            report: called after each epoch that this call trains.
            after_step: called after each step with its epoch, number of images and loss.

        Returns:
            Logits of the held-out clips, (recording, species).
        """
        self._restore(resume.load())
        for epoch in range(len(self.history), self.params.level.epochs):
            self.history.append(self._epoch(epoch, after_step))
            resume.save(self._state())
            report(self.history[-1])
        return self.validate()

    def _parts(self) -> dict[str, Any]:
        parts = {
            "model": self.classifier.backbone,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
            "scaler": self.scaler,
        }
        return parts if self.ema is None else parts | {"ema": self.ema}

    def _state(self) -> dict[str, Any]:
        state = {name: part.state_dict() for name, part in self._parts().items()}
        return state | {"history": [tuple(row) for row in self.history]}

    def _restore(self, state: dict[str, Any] | None) -> None:
        if state is None:
            return
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self.history = [EpochReport(*row) for row in state["history"]]
