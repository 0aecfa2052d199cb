"""From trained folds to a model file that knows its species, input and scores."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from birdclef.common.names import INDEX
from birdclef.common.recordings import read_species
from birdclef.dataset.labeled import load_labeled
from birdclef.export.graph import export, parity, probe_clips, require_parity, save
from birdclef.model.artifacts import (
    TrainedModel,
    backbone_name,
    backbones_of,
    load_ensemble,
    trained_models,
)
from birdclef.params import ClipsParams, ExportOnnxParams, MelParams, Params

_CLIPS = 256  # of real recordings, spread over all of them


def write_model(
    models: Sequence[TrainedModel],
    clips: ClipsParams,
    mel: MelParams,
    limits: ExportOnnxParams,
    metadata: Mapping[str, Any],
    out: Path,
) -> dict[str, float]:
    """Write trained models as one ONNX file, once it is seen to give PyTorch's probabilities.

    Args:
        models: whose mean the file gives.
        clips, mel: its input.
        limits: how far from PyTorch it may be, and the licence note.
        metadata: what else the file carries; `metrics` gets `onnx`.
        out: the file.

    Returns:
        How far it is from PyTorch, `parity` and `auc_parity`, and its size, `model_mb`.

    Raises:
        ParityError: too far; nothing is written.
        FileNotFoundError: a model, or the index, is not there.
    """
    ensemble = load_ensemble(models, mel, clips)
    graph = export(ensemble, mel, clips)
    labeled = load_labeled(clips).clips
    chosen = np.unique(np.linspace(0, len(labeled) - 1, _CLIPS).round().astype(int))
    real = np.stack([labeled[int(i)].numpy() for i in chosen])
    waveforms = np.concatenate([real, probe_clips(clips)])
    found = parity(ensemble, graph, waveforms, labeled.targets[chosen])
    require_parity(found, limits.max_difference, limits.max_auc_difference)
    found = {name: round(value, 9) for name, value in found.items()}
    whole = {
        "species": read_species(INDEX / "species.csv").to_dict("records"),
        "sample_rate_hz": clips.sample_rate_hz,
        "clip_s": clips.clip_s,
        "mel": mel.model_dump(),
        **metadata,
        "metrics": metadata.get("metrics", {}) | {"onnx": found},
        "licence": limits.licence,
    }
    save(graph, whole, out)
    return found | {"model_mb": round(out.stat().st_size / 1e6, 3)}


def write_folds(
    params: Params, level: str, seed: int, folds: Sequence[int], out: Path
) -> dict[str, float]:
    """Write some folds of a level alone, with every backbone of it; the rest as `write_model`."""
    lists = params.models.teacher_backbones, params.models.student_backbones
    names = backbones_of(level, *lists)
    backbones = [backbone_name(name, params.train.backbone) for name in names]
    metadata = {"backbones": backbones, "folds": list(folds), "level": level, "seed": seed}
    models = trained_models(level, seed, names, folds)
    return write_model(models, params.clips, params.mel, params.export_onnx, metadata, out)
