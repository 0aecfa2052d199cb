"""From trained folds to a model file with all that it should know of itself."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from birdclef.calibration_table import read_calibration
from birdclef.device import prepare
from birdclef.files import write_json
from birdclef.fold_outputs import load_ensemble, trained_models
from birdclef.onnx_model import export, parity, probe_clips, require_parity, save
from birdclef.params import Params
from birdclef.recordings import read_species
from birdclef.resume import fingerprint
from birdclef.training_data import INDEX, INPUT_FILES, load_labeled

METRICS = Path("metrics")
_CLIPS = 256  # of real recordings, spread over all of them


def export_folds(
    params: Params, level: str, seed: int, folds: Sequence[int], out: Path
) -> dict[str, float]:
    """Write one ONNX file of the trained models of some folds, every backbone of the level.

    The file's metadata hold the scores of metrics/evaluate.json where it is the pipeline's own
    model: all folds of the last level.

    Returns:
        How far it is from PyTorch (`parity`).

    Raises:
        ParityError: too far; nothing is written then.
        FileNotFoundError: a model, the index or the metrics are not there.
    """
    prepare(params.runtime)
    teachers = level == params.models.rounds[0].teachers
    backbones = params.models.teacher_backbones if teachers else params.models.student_backbones
    models = load_ensemble(trained_models(level, seed, backbones, folds), params.mel, params.clips)
    graph = export(models, params.mel, params.clips)
    labeled = load_labeled(params.clips).clips
    chosen = np.unique(np.linspace(0, len(labeled) - 1, _CLIPS).round().astype(int))
    real = np.stack([labeled[int(i)].numpy() for i in chosen])
    waveforms = np.concatenate([real, probe_clips(params.clips)])
    found = parity(models, graph, waveforms, labeled.targets[chosen])
    limits = params.export_onnx.max_difference, params.export_onnx.max_auc_difference
    require_parity(found, *limits)
    found = {name: round(value, 9) for name, value in found.items()}
    own = (params.models.rounds[-1].students, params.models.folds) == (level, list(folds))
    scores = json.loads((METRICS / "evaluate.json").read_text(encoding="utf-8")) if own else {}
    precision = params.evaluate.precision
    training = (params.train, params.train_l1, params.pseudo_label, params.train_l2)
    metadata = {
        "species": read_species(INDEX / "species.csv").to_dict("records"),
        "sample_rate_hz": params.clips.sample_rate_hz,
        "clip_s": params.clips.clip_s,
        "mel": params.mel.model_dump(),
        "backbones": [params.train.backbone if b == "default" else b for b in backbones],
        "folds": list(folds),
        "training": fingerprint([params.clips, params.mel, *training], INPUT_FILES),
        "metrics": scores | {"onnx": found},
        "calibration": read_calibration(METRICS / "calibration.csv", precision) if own else None,
        "licence": params.export_onnx.licence,
    }
    save(graph, metadata, out)
    return found


def export_model(params: Params, out: Path) -> None:
    """Write the pipeline's own model, all folds of the last level, and its metrics."""
    level, seed = params.models.rounds[-1].students, params.models.seeds[0]
    found = export_folds(params, level, seed, params.models.folds, out)
    size_mb = round(out.stat().st_size / 1e6, 3)
    write_json(found | {"model_mb": size_mb}, METRICS / "export_onnx.json")
