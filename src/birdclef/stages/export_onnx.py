"""All students to one ONNX file; refused unless it gives PyTorch's probabilities."""

from pathlib import Path

import numpy as np
import pandas as pd

from birdclef.device import prepare
from birdclef.files import write_json
from birdclef.fold_outputs import load_ensemble, trained_models
from birdclef.onnx_model import ParityError, export, largest_difference, probe_clips, save
from birdclef.params import load_params
from birdclef.training_data import INDEX, load_labeled

MODEL, METRICS = Path("models/birdclef.onnx"), Path("metrics/export_onnx.json")
_CLIPS = 64  # of real recordings, spread over all of them


def main() -> None:
    params = load_params()
    prepare(params.runtime)
    level, seed = params.models.rounds[-1].students, params.models.seeds[0]
    backbones, folds = params.models.student_backbones, params.models.folds
    chosen_models = trained_models(level, seed, backbones, folds)
    students = load_ensemble(chosen_models, params.mel, params.clips)
    graph = export(students, params.mel, params.clips)
    labeled = load_labeled(params.clips).clips
    chosen = np.unique(np.linspace(0, len(labeled) - 1, _CLIPS).round().astype(int))
    real = np.stack([labeled[int(i)].numpy() for i in chosen])
    waveforms = np.concatenate([probe_clips(params.clips), real])
    difference = largest_difference(students, graph, waveforms)
    if difference > params.export_onnx.max_difference:
        raise ParityError(
            f"ONNX and PyTorch differ by {difference:.2g} in a probability, more than"
            f" export_onnx.max_difference = {params.export_onnx.max_difference:g} allows"
        )
    species = pd.read_csv(INDEX / "species.csv", dtype=str, keep_default_na=False)
    metadata = {
        "species": species.to_dict("records"),
        "sample_rate_hz": params.clips.sample_rate_hz,
        "clip_s": params.clips.clip_s,
        "folds": folds,
        "mel": params.mel.model_dump(),
    }
    save(graph, metadata, MODEL)
    size_mb = MODEL.stat().st_size / 1e6
    write_json({"parity": round(difference, 9), "model_mb": round(size_mb, 3)}, METRICS)


if __name__ == "__main__":
    main()
