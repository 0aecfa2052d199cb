"""All students to one ONNX file; refused unless it gives PyTorch's probabilities."""

import json
from pathlib import Path

import numpy as np

from birdclef.calibration_table import read_calibration
from birdclef.device import prepare
from birdclef.files import write_json
from birdclef.fold_outputs import load_ensemble, trained_models
from birdclef.onnx_model import export, parity, probe_clips, require_parity, save
from birdclef.params import load_params
from birdclef.recordings import read_species
from birdclef.resume import fingerprint
from birdclef.training_data import INDEX, INPUT_FILES, load_labeled

MODEL, METRICS = Path("models/birdclef.onnx"), Path("metrics")
_CLIPS = 256  # of real recordings, spread over all of them


def main() -> None:
    params = load_params()
    prepare(params.runtime)
    level, seed = params.models.rounds[-1].students, params.models.seeds[0]
    backbones, folds = params.models.student_backbones, params.models.folds
    models = trained_models(level, seed, backbones, folds)
    students = load_ensemble(models, params.mel, params.clips)
    graph = export(students, params.mel, params.clips)
    labeled = load_labeled(params.clips).clips
    chosen = np.unique(np.linspace(0, len(labeled) - 1, _CLIPS).round().astype(int))
    real = np.stack([labeled[int(i)].numpy() for i in chosen])
    waveforms = np.concatenate([real, probe_clips(params.clips)])
    found = parity(students, graph, waveforms, labeled.targets[chosen])
    limits = params.export_onnx.max_difference, params.export_onnx.max_auc_difference
    require_parity(found, *limits)
    found = {name: round(value, 9) for name, value in found.items()}
    scores = json.loads((METRICS / "evaluate.json").read_text(encoding="utf-8"))
    training = (params.train, params.train_l1, params.pseudo_label, params.train_l2)
    metadata = {
        "species": read_species(INDEX / "species.csv").to_dict("records"),
        "sample_rate_hz": params.clips.sample_rate_hz,
        "clip_s": params.clips.clip_s,
        "mel": params.mel.model_dump(),
        "backbones": [params.train.backbone if b == "default" else b for b in backbones],
        "folds": folds,
        "training": fingerprint([params.clips, params.mel, *training], INPUT_FILES),
        "metrics": scores | {"onnx": found},
        "calibration": read_calibration(METRICS / "calibration.csv", params.evaluate.precision),
        "licence": params.export_onnx.licence,
    }
    save(graph, metadata, MODEL)
    size_mb = round(MODEL.stat().st_size / 1e6, 3)
    write_json(found | {"model_mb": size_mb}, METRICS / "export_onnx.json")


if __name__ == "__main__":
    main()
