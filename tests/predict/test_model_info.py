"""`birdclef model info` prints the metadata of a file."""

import json
from pathlib import Path

from typer.testing import CliRunner

from birdclef.cli.app import app
from small_model import write_model


def test_model_info_prints_the_metadata(world: Path) -> None:
    metadata = {
        "backbones": ["efficientvit_b0"],
        "metrics": {"oof": {"l2": 0.99}},
        "licence": "Code: Apache-2.0.",
        "calibration": {
            "slopes": [1.0, 1.0, 1.0],
            "offsets": [0.0, 0.0, 0.0],
            "thresholds": [0.5, None, 0.2],
            "precision": 0.9,
        },
    }
    write_model(world / "m.onnx", metadata)
    lines = CliRunner().invoke(app, ["model", "info", "m.onnx"]).output
    for text in ("0.5 s at 32000 Hz", "efficientvit_b0", "oof.l2", "0.99", "2 of 3 species"):
        assert text in lines
    listed = CliRunner().invoke(app, ["model", "info", "m.onnx", "--species"]).output
    assert "mallar3\tAnas platyrhynchos\tMallard" in listed
    whole = CliRunner().invoke(app, ["model", "info", "m.onnx", "--json"]).output
    assert json.loads(whole)["metrics"]["oof"]["l2"] == 0.99
