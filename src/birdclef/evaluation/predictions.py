"""Predictions of each level: of held-out recordings, and of labelled soundscapes."""

import pandas as pd

from birdclef.common.probabilities import sigmoid
from birdclef.dataset.labeled import LabeledData
from birdclef.dataset.labels import window_targets
from birdclef.dataset.waveforms import SoundscapeWindows
from birdclef.evaluation.scores import Scored
from birdclef.model.artifacts import (
    TrainedModel,
    backbones_of,
    load_ensemble,
    read_out_of_fold,
    trained_models,
)
from birdclef.model.batch_inference import predict_logits
from birdclef.model.device import prepare
from birdclef.params import ClipsParams, MelParams, ModelsParams, RuntimeParams

Repeats = dict[str, list[list[TrainedModel]]]  # level -> one list of models per seed


def listed_models(models: ModelsParams) -> Repeats:
    """List every model of params.yaml, by level and seed."""
    levels = ["l1", *(round_.students for round_ in models.rounds)]
    names = [backbones_of(x, models.teacher_backbones, models.student_backbones) for x in levels]
    return {
        level: [trained_models(level, seed, backbones, models.folds) for seed in models.seeds]
        for level, backbones in zip(levels, names, strict=True)
    }


def out_of_fold(repeats: Repeats, labeled: LabeledData) -> dict[str, Scored]:
    """Read each level's predictions for every recording that a fold held out."""
    row_of = {name: row for row, name in enumerate(labeled.clips.recording_ids)}
    scored = {}
    for level, seeds in repeats.items():
        predictions = [
            read_out_of_fold([m for m in models if isinstance(m.fold, int)]) for models in seeds
        ]
        rows = [row_of[name] for name in predictions[0].recording_ids]
        probabilities = [p.probabilities for p in predictions]
        targets, masks = labeled.clips.targets[rows], labeled.clips.masks[rows]
        scored[level] = Scored(targets, probabilities, masks, labeled.folds[rows])
    return scored


def on_soundscapes(
    windows: pd.DataFrame,
    repeats: Repeats,
    species: list[str],
    mel: MelParams,
    clips: ClipsParams,
    runtime: RuntimeParams,
) -> dict[str, Scored]:
    """Predict labelled windows with each level; no level if there are no windows."""
    if windows.empty:
        return {}
    device, targets = prepare(runtime), window_targets(windows, species)
    dataset = SoundscapeWindows(windows, "labeled", clips)
    scored = {}
    for level, seeds in repeats.items():
        ensembles = [load_ensemble(models, mel, clips) for models in seeds]
        logits = [predict_logits(e, dataset, device, runtime) for e in ensembles]
        scored[level] = Scored(targets, [sigmoid(each).mean(axis=0) for each in logits])
    return scored
