"""The exported file gives PyTorch's probabilities for every backbone of the method."""

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import torch

from birdclef.common.lengths import clip_samples
from birdclef.export.graph import (
    ParityError,
    both_probabilities,
    export,
    parity,
    probe_clips,
    require_parity,
    save,
)
from birdclef.model.artifacts import backbone_name
from birdclef.model.classifier import Ensemble, create_classifier
from birdclef.params import Params, load_params
from birdclef.predict.detector import Detector
from paths import ROOT
from sounds import RATE_HZ, tone, write

pytestmark = pytest.mark.slow

SPECIES = ["high", "low", "none"]
LIMIT = 1e-4
RECIPE = load_params(ROOT / "recipes/birdclef-2024-ensemble.yaml")
TEACHERS, STUDENTS = (
    [backbone_name(name, RECIPE.train.backbone) for name in names]
    for names in (RECIPE.models.teacher_backbones, RECIPE.models.student_backbones)
)


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
    metadata = {
        "species": [
            {"species": s, "scientific_name": s.title(), "common_name": f"{s} bird"}
            for s in SPECIES
        ],
        "sample_rate_hz": small_params.clips.sample_rate_hz,
        "clip_s": small_params.clips.clip_s,
    }
    save(graph, metadata, path)
    return path


def noise(rows: int, params: Params) -> npt.NDArray[np.float32]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((rows, clip_samples(params.clips))).astype(np.float32)


def test_probabilities_are_those_of_pytorch(
    graph: onnx.ModelProto, ensemble: Ensemble, small_params: Params
) -> None:
    clips = np.concatenate([noise(21, small_params), probe_clips(small_params.clips)])
    found = parity(ensemble, graph, clips)
    require_parity(found, LIMIT)
    assert 0 < found < 1e-5


EXPORTED = [
    *([name] for name in TEACHERS if name not in STUDENTS),
    STUDENTS,  # one file with both
    ["test_vit3"],  # not used by the method; a transformer
]


@pytest.mark.parametrize("backbones", EXPORTED, ids="+".join)
def test_every_backbone_of_the_method_is_exported(
    backbones: list[str], small_params: Params
) -> None:
    p = small_params
    mel = p.mel.model_copy(update={"n_mels": 64, "n_frames": 96})
    clips = np.concatenate([noise(6, p), probe_clips(p.clips)])
    models = []
    # train batch norms; otherwise logits depend so little on the sound that any graph passes
    for backbone in backbones:
        train = p.train.model_copy(update={"backbone": backbone})
        models.append(create_classifier(train, mel, p.clips, SPECIES, 1).train())
        with torch.no_grad():
            for _ in range(20):
                models[-1](torch.from_numpy(clips))
    ensemble = Ensemble.of(models).eval()
    graph = export(ensemble, mel, p.clips)
    expected, _ = both_probabilities(ensemble, graph, clips)
    found = parity(ensemble, graph, clips)
    require_parity(found, LIMIT)
    assert found < np.ptp(expected, axis=0).min() / 20


def test_a_wrong_graph_is_noticed(
    graph: onnx.ModelProto, ensemble: Ensemble, small_params: Params
) -> None:
    with torch.no_grad():
        weight = next(ensemble.backbones[1].parameters())
        right = weight.clone()
        weight.mul_(1.5)
        found = parity(ensemble, graph, probe_clips(small_params.clips))
        weight.copy_(right)
    with pytest.raises(ParityError, match=r"in a probability, more than export_onnx.max_diff"):
        require_parity(found, LIMIT)


def test_a_difference_that_is_no_number_is_refused() -> None:
    with pytest.raises(ParityError, match="differ by nan in a probability"):
        require_parity(float("nan"), LIMIT)


def test_file_names_input_and_output_and_holds_no_path_of_this_machine(model: Path) -> None:
    graph = onnx.load(model)
    assert [x.name for x in graph.graph.input] == ["waveform"]
    assert [x.name for x in graph.graph.output] == ["probabilities"]
    assert graph.graph.input[0].type.tensor_type.shape.dim[0].dim_param
    assert json.loads(graph.metadata_props[0].value)["species"][1]["species"] == "low"
    content = model.read_bytes()
    assert str(ROOT).encode() not in content
    assert b"site-packages" not in content


def test_the_image_that_the_networks_see_has_a_name(
    graph: onnx.ModelProto, ensemble: Ensemble, small_params: Params
) -> None:
    """So that an engine can keep the mel in another precision than the networks."""
    p, rows = small_params, noise(3, small_params)
    shape: list[str | int | None] = ["batch", 2, p.mel.n_mels, p.mel.n_frames]
    shown = onnx.ModelProto()
    shown.CopyFrom(graph)
    value = onnx.helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, shape)
    shown.graph.output.append(value)
    found = onnxruntime.InferenceSession(shown.SerializeToString())
    (image,) = found.run(["image"], {"waveform": rows})
    expected = ensemble.front_end(torch.from_numpy(rows)).numpy()  # the mel twice
    np.testing.assert_allclose(image, expected[:, 1:], atol=1e-4)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_mel_stays_exact_in_bfloat16(model: Path, small_params: Params, threads: int) -> None:
    """Only the networks are rounded; any number of clips passes through both parts."""
    pytest.importorskip("openvino")
    detector = Detector(model, threads, "openvino-bf16")
    for count in (1, 3):
        rows = noise(count, small_params)
        exact = Detector(model).probabilities(rows)
        np.testing.assert_allclose(detector.probabilities(rows), exact, atol=0.02)


def test_same_models_same_bytes(
    model: Path, ensemble: Ensemble, small_params: Params, tmp_path: Path
) -> None:
    again = export(ensemble, small_params.mel, small_params.clips)
    metadata = json.loads(onnx.load(model).metadata_props[0].value)
    save(again, metadata, tmp_path / "again.onnx")
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


def test_sample_rate_is_the_models(model: Path) -> None:
    assert Detector(model).sample_rate_hz == RATE_HZ
