"""The exported file gives PyTorch's probabilities, and runs over recordings without PyTorch."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from typer.testing import CliRunner

from birdclef.cli import app
from birdclef.inference import Detector, ModelFileError
from birdclef.model import Ensemble, create_classifier
from birdclef.onnx_model import export, largest_difference, probe_clips, save
from birdclef.params import Params
from sounds import RATE_HZ, tone, write

SPECIES = ["high", "low", "none"]


@pytest.fixture(scope="module")
def ensemble(small_params: Params) -> Ensemble:
    p = small_params
    models = [create_classifier(p.train, p.mel, p.clips, SPECIES, seed).eval() for seed in (1, 2)]
    return Ensemble.of(models).eval()


@pytest.fixture(scope="module")
def graph(ensemble: Ensemble, small_params: Params) -> onnx.ModelProto:
    return export(ensemble, small_params.mel, small_params.clips)


@pytest.fixture(scope="module")
def model(
    graph: onnx.ModelProto, small_params: Params, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("model") / "birds.onnx"
    about = {
        "species": [
            {"species": s, "scientific_name": s.title(), "common_name": f"{s} bird"}
            for s in SPECIES
        ],
        "sample_rate_hz": small_params.clips.sample_rate_hz,
        "clip_s": small_params.clips.clip_s,
    }
    save(graph, about, path)
    return path


def test_probabilities_are_those_of_pytorch(
    graph: onnx.ModelProto, ensemble: Ensemble, small_params: Params
) -> None:
    rng = np.random.default_rng(0)
    real = rng.standard_normal((21, small_params.clips.clip_samples)).astype(np.float32)
    probes = probe_clips(small_params.clips)
    assert largest_difference(ensemble, graph, probes) < 1e-4
    assert largest_difference(ensemble, graph, real) < 1e-4


def test_a_wrong_graph_is_noticed(
    graph: onnx.ModelProto, ensemble: Ensemble, small_params: Params
) -> None:
    with torch.no_grad():
        weight = next(ensemble.backbones[1].parameters())
        right = weight.clone()
        weight.mul_(1.5)
        difference = largest_difference(ensemble, graph, probe_clips(small_params.clips))
        weight.copy_(right)
    assert difference > 1e-4


def test_file_names_its_ends_and_holds_no_path_of_this_machine(model: Path) -> None:
    graph = onnx.load(model)
    assert [x.name for x in graph.graph.input] == ["waveform"]
    assert [x.name for x in graph.graph.output] == ["probabilities"]
    assert graph.graph.input[0].type.tensor_type.shape.dim[0].dim_param
    assert json.loads(graph.metadata_props[0].value)["species"][1]["species"] == "low"
    content = model.read_bytes()
    assert str(Path(__file__).parents[1]).encode() not in content
    assert b"site-packages" not in content


def test_same_models_same_bytes(
    model: Path, ensemble: Ensemble, small_params: Params, tmp_path: Path
) -> None:
    again = export(ensemble, small_params.mel, small_params.clips)
    about = json.loads(onnx.load(model).metadata_props[0].value)
    save(again, about, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == model.read_bytes()


@pytest.mark.parametrize("seconds", [0.3, 0.5, 7.1])
def test_windows_cover_a_recording(
    model: Path, ensemble: Ensemble, tmp_path: Path, seconds: float
) -> None:
    sound = tone(seconds)
    write(tmp_path / "a.wav", sound)
    detector = Detector(model)
    found = list(detector.windows(tmp_path / "a.wav"))
    assert len(found) == -(-len(sound) // detector.clip_samples)
    assert [w.start_s for w in found] == pytest.approx([0.5 * i for i in range(len(found))])
    padded = np.pad(sound, (0, len(found) * detector.clip_samples - len(sound)))
    with torch.inference_mode():
        logits = ensemble(torch.from_numpy(padded.reshape(len(found), -1)))
    expected = torch.sigmoid(logits).mean(dim=0).numpy()
    np.testing.assert_allclose([w.probabilities for w in found], expected, atol=2e-3)


def test_predict_writes_detections_skips_bad_files_and_says_so(model: Path, tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.flac", tone(1.0, 1000, 44_100), 44_100)
    (tmp_path / "in" / "b.ogg").write_bytes(b"broken")
    (tmp_path / "in" / "notes.txt").write_text("not audio")
    out = tmp_path / "found.csv"
    arguments = ["predict", str(tmp_path / "in"), "--model", str(model), "--out", str(out)]
    result = CliRunner().invoke(app, [*arguments, "--min-confidence", "0"])
    assert result.exit_code == 1
    assert "b.ogg: unreadable" in result.output
    lines = out.read_text().splitlines()
    assert lines[0] == "file,start_s,end_s,species,common_name,probability"
    assert len(lines) == 1 + 2 * len(SPECIES)
    assert {line.split(",")[4] for line in lines[1:]} == {"high bird", "low bird", "none bird"}
    few = CliRunner().invoke(app, [*arguments, "--min-confidence", "1"])
    assert few.exit_code == 1
    assert len(out.read_text().splitlines()) == 1


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"nothing")
    with pytest.raises(ModelFileError, match="cannot be loaded"):
        Detector(tmp_path / "m.onnx")
    with pytest.raises(ModelFileError, match="not found: run `dvc repro`, or `dvc pull`"):
        Detector(tmp_path / "absent.onnx")


def test_inference_needs_no_torch() -> None:
    code = (
        "import sys; import birdclef.inference, birdclef.detections, birdclef.cli;"
        "assert not {'torch', 'timm', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_sample_rate_is_the_models(model: Path) -> None:
    assert Detector(model).sample_rate_hz == RATE_HZ
