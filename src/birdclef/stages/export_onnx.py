"""All students to one ONNX file; refused unless it gives PyTorch's probabilities."""

import json

import torch

from birdclef.common.digests import digest
from birdclef.common.files import write_json
from birdclef.common.names import INPUT_FILES, METRICS, MODEL
from birdclef.errors import plain_errors
from birdclef.evaluation.calibration_table import read_calibration
from birdclef.export.bundle import write_model
from birdclef.model.artifacts import backbone_name, trained_models
from birdclef.model.device import prepare
from birdclef.params import load_params


def main() -> None:
    params = load_params()
    prepare(params.runtime)
    level, seed = params.models.rounds[-1].students, params.models.seeds[0]
    backbones, folds = params.models.student_backbones, params.models.folds
    clips, mel = params.clips, params.mel
    training = (params.train, params.train_l1, params.pseudo_label, params.train_l2)
    calibration = read_calibration(METRICS / "calibration.csv", params.evaluate.precision)
    metadata = {
        "backbones": [backbone_name(name, params.train.backbone) for name in backbones],
        "folds": folds,
        "training": digest(clips, mel, *training, *INPUT_FILES, torch.__version__),
        "metrics": json.loads((METRICS / "evaluate.json").read_text(encoding="utf-8")),
        "calibration": calibration.to_metadata() if calibration else None,
    }
    models = trained_models(level, seed, backbones, folds)
    found = write_model(models, clips, mel, params.export_onnx, metadata, MODEL)
    size_mb = round(MODEL.stat().st_size / 1e6, 3)
    write_json(found | {"model_mb": size_mb}, METRICS / "export_onnx.json")


if __name__ == "__main__":
    with plain_errors():
        main()
