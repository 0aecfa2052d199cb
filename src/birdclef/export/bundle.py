"""From trained folds to a model file that also holds its species, input format and scores."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from birdclef.common.names import INDEX, Fold
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
from birdclef.model.classifier import Ensemble
from birdclef.params import ClipsParams, ExportOnnxParams, MelParams, Params
from birdclef.progress import console

_CLIPS = 256  # clips of real recordings that are compared, spread evenly over all recordings


def write_model(
    models: Sequence[TrainedModel],
    clips: ClipsParams,
    mel: MelParams,
    limits: ExportOnnxParams,
    metadata: Mapping[str, Any],
    out: Path,
) -> dict[str, float]:
    """Write trained models as one ONNX file, after checking its probabilities against PyTorch's.

    Args:
        models: models to average.
        clips, mel: format of the input.
        limits: largest difference allowed from PyTorch, and the licence note.
        metadata: further metadata of the file; `onnx` is added to its `metrics`.
        out: path of the file.

    Returns:
        The limit that the difference from PyTorch was checked against, `parity_below`, and the
        file's size, `model_mb`.

    Raises:
        ParityError: the difference is above its limit; nothing is written.
        FileNotFoundError: a model or the index is missing.
    """
    ensemble = load_ensemble(models, mel, clips)
    graph = export(ensemble, mel, clips)
    checked = _checked(ensemble, graph, clips, limits)
    all_metadata = {
        "species": read_species(INDEX / "species.csv").to_dict("records"),
        "sample_rate_hz": clips.sample_rate_hz,
        "clip_s": clips.clip_s,
        "mel": mel.model_dump(),
        **metadata,
        "metrics": metadata.get("metrics", {}) | {"onnx": checked},
        "licence": limits.licence,
    }
    save(graph, all_metadata, out)
    return checked | {"model_mb": round(out.stat().st_size / 1e6, 3)}


def _checked(
    ensemble: Ensemble, graph: onnx.ModelProto, clips: ClipsParams, limits: ExportOnnxParams
) -> dict[str, float]:
    """Compare the graph with PyTorch on real and synthetic clips; returns the limit it is within.

    Raises:
        ParityError: the difference is above its limit.
    """
    labeled = load_labeled(clips).clips
    rows = np.unique(np.linspace(0, len(labeled) - 1, _CLIPS).round().astype(int))
    real = np.stack([labeled[int(i)].numpy() for i in rows])
    waveforms = np.concatenate([real, probe_clips(clips)])
    difference = parity(ensemble, graph, waveforms)
    require_parity(difference, limits.max_difference)
    console.print(f"differs from PyTorch by {difference:.1e} in a probability", highlight=False)
    # The difference itself depends on the processor, because ONNX Runtime chooses its kernels.
    return {"parity_below": limits.max_difference}


def write_folds(
    params: Params, level: str, seed: int, folds: Sequence[Fold], out: Path
) -> dict[str, float]:
    """Write only some folds of a level, with all backbones of the level; see `write_model`."""
    lists = params.models.teacher_backbones, params.models.student_backbones
    names = backbones_of(level, *lists)
    backbones = [backbone_name(name, params.train.backbone) for name in names]
    metadata = {"backbones": backbones, "folds": list(folds), "level": level, "seed": seed}
    models = trained_models(level, seed, names, folds)
    return write_model(models, params.clips, params.mel, params.export_onnx, metadata, out)
