"""Export all students to one ONNX file; fail if it does not give PyTorch's probabilities."""

import torch

from birdclef.common.digests import digest
from birdclef.common.files import read_json, write_json
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
    sections = (params.train, params.train_l1, params.pseudo_label, params.train_l2, clips, mel)
    training = [section.model_dump() for section in sections]
    calibration = read_calibration(METRICS / "calibration.csv", params.evaluate.precision)
    metadata = {
        "backbones": [backbone_name(name, params.train.backbone) for name in backbones],
        "folds": folds,
        "training": digest(*training, *INPUT_FILES, torch.__version__),
        "metrics": read_json(METRICS / "evaluate.json"),
        "calibration": calibration.to_metadata() if calibration else None,
    }
    models = trained_models(level, seed, backbones, folds)
    found = write_model(models, clips, mel, params.export_onnx, metadata, MODEL)
    write_json(found, METRICS / "export_onnx.json")


if __name__ == "__main__":
    with plain_errors():
        main()
