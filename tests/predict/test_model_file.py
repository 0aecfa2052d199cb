"""A model file is checked against itself before any recording is read, and ends in one sentence."""

import contextlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, external_data_helper, helper
from typer.testing import CliRunner

from birdclef.cli.app import app
from birdclef.predict.detector import Detector
from birdclef.predict.external_data import has_external_data
from birdclef.predict.model_file import ModelFileError, read_metadata
from small_model import SPECIES, write_model

CALIBRATION = {
    "slopes": [1.0, 0.5, 2.0],
    "offsets": [0.0, -1.0, 0.5],
    "thresholds": [0.3, None, 0.8],
    "precision": 0.9,
}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "m.onnx", {"calibration": CALIBRATION})


def refusal(path: Path) -> str:
    """The one line with which a model is refused."""
    with pytest.raises(ModelFileError) as refused:
        Detector(path)
    message = str(refused.value)
    assert str(path) in message
    assert "\n" not in message
    assert len(message) < 900
    return message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"species": None}, "species in its metadata must be a list"),
        ({"species": []}, "species in its metadata"),
        ({"species": SPECIES[:2]}, "contradicts itself: .* of 2 species"),
        ({"species": [*SPECIES, SPECIES[0] | {"species": "x"}]}, "of 4 species"),
        ({"species": [SPECIES[0]] * 3}, "each code once"),
        ({"species": ["a", "b", "c"]}, "species in its metadata"),
        ({"species": [s | {"common_name": 1} for s in SPECIES]}, "common_name"),
        ({"species": [{"species": s["species"]} for s in SPECIES]}, "scientific_name"),
        ({"sample_rate_hz": None}, "sample_rate_hz in its metadata must be a whole number"),
        ({"sample_rate_hz": 0}, "from 1000 to 768000, and is 0"),
        ({"sample_rate_hz": -32_000}, "sample_rate_hz"),
        ({"sample_rate_hz": 32_000.5}, "sample_rate_hz"),
        ({"sample_rate_hz": True}, "sample_rate_hz"),
        ({"sample_rate_hz": 16_000}, "waveform of 8000 samples"),
        ({"clip_s": 0}, "clip_s"),
        ({"clip_s": -0.5}, "clip_s"),
        ({"clip_s": float("nan")}, "clip_s"),
        ({"clip_s": 1e12}, "clip_s"),
        ({"clip_s": "5"}, "clip_s"),
        ({"clip_s": 5.0}, "waveform of 160000 samples"),
        ({"mel": {"f_min": "low"}}, "mel in its metadata"),
        ({"mel": []}, "mel"),
        ({"backbones": [1]}, "backbones"),
        ({"folds": 3}, "folds"),
        ({"metrics": []}, "metrics"),
        ({"calibration": []}, "calibration"),
        ({"calibration": CALIBRATION | {"slopes": [1.0]}}, "a number per species"),
        ({"calibration": CALIBRATION | {"offsets": [1.0, None, 0.0]}}, "a number per species"),
        ({"calibration": CALIBRATION | {"thresholds": ["a", "b", "c"]}}, "a number per species"),
        ({"calibration": CALIBRATION | {"precision": None}}, "a precision"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_impossible_metadata_are_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    assert re.search(message, refusal(write_model(tmp_path / "m.onnx", changes)))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", "[" * 100_000, '{"a": NaN}'])
def test_metadata_that_are_no_mapping_are_refused(good: Path, tmp_path: Path, text: str) -> None:
    assert "metadata" in refusal(changed(good, tmp_path / "m.onnx", lambda m: state(m, text)))


def changed(good: Path, path: Path, change: Callable[[onnx.ModelProto], None]) -> Path:
    model = onnx.load(good)
    change(model)
    path.write_bytes(model.SerializeToString())
    return path


def state(model: onnx.ModelProto, text: str) -> None:
    del model.metadata_props[:]
    helper.set_model_props(model, {"birdclef": text})


def rename_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].name = model.graph.node[0].input[0] = "audio"


def rename_output(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = model.graph.node[-1].output[0] = "scores"


def fix_batch(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 1


def hide_species(model: onnx.ModelProto) -> None:
    """Give one output for three species, by a node that hides the number."""
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "any"
    model.graph.node[-1].output[0] = "all"
    model.graph.initializer.append(
        helper.make_tensor("chosen", TensorProto.BOOL, [3], [True, False, False])
    )
    model.graph.node.append(
        helper.make_node("Compress", ["all", "chosen"], ["probabilities"], axis=1)
    )


def to_nan(model: onnx.ModelProto) -> None:
    model.graph.initializer[1].CopyFrom(
        helper.make_tensor("slopes", TensorProto.FLOAT, [1, 3], [np.nan] * 3)
    )


def externalise(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[1]
    tensor.ClearField("float_data")
    tensor.raw_data = np.ones(3, np.float32).tobytes()
    external_data_helper.set_external_data(tensor, "../secret.bin")
    tensor.ClearField("raw_data")


def externalise_in_a_node(model: onnx.ModelProto) -> None:
    tensor = helper.make_tensor("value", TensorProto.FLOAT, [3], [1.0] * 3)
    tensor.ClearField("float_data")
    tensor.raw_data = np.ones(3, np.float32).tobytes()
    external_data_helper.set_external_data(tensor, "secret.bin")
    tensor.ClearField("raw_data")
    constant = helper.make_node("Constant", [], ["c"], value=tensor)
    inner = helper.make_graph([constant], "inner", [], [])
    node = helper.make_node("If", ["waveform"], ["c"], then_branch=inner, else_branch=inner)
    model.graph.node.append(node)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (rename_input, "its graph has audio of 16000"),
        (rename_output, "scores of 3"),
        (fix_batch, "cannot be loaded"),
        (hide_species, "silent clips give outputs of shape"),
        (to_nan, "of which 0 are finite"),
        (externalise, "keeps weights in other files"),
        (externalise_in_a_node, "keeps weights in other files"),
        (lambda model: model.metadata_props.pop(), "was not exported by this pipeline"),
        (lambda model: model.graph.node.pop(), "cannot be loaded"),
        (lambda model: model.ClearField("graph"), "cannot be loaded"),
    ],
)
def test_a_graph_that_contradicts_its_metadata_is_refused(
    good: Path, tmp_path: Path, change: Callable[[onnx.ModelProto], None], message: str
) -> None:
    assert message in refusal(changed(good, tmp_path / "m.onnx", change))


@pytest.mark.parametrize("share", [0, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_truncated_model_is_refused(good: Path, tmp_path: Path, share: float) -> None:
    content = good.read_bytes()
    (tmp_path / "m.onnx").write_bytes(content[: int(share * len(content))])
    refusal(tmp_path / "m.onnx")


@pytest.mark.parametrize("content", [b"\0" * 99, b"\xff" * 99, b"<html>", b"PK\x03\x04", b"\x3a"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    refusal(tmp_path / "m.onnx")


@pytest.mark.parametrize("seed", range(20))
def test_a_model_with_changed_bytes_predicts_or_is_refused(
    good: Path, tmp_path: Path, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    content = bytearray(good.read_bytes())
    for at in rng.integers(0, len(content), 5):
        content[at] = rng.integers(256)
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    try:
        detector = Detector(path)
    except ModelFileError:
        refusal(path)
        return
    clips = np.zeros((2, detector.clip_samples), np.float32)
    assert detector.probabilities(clips).shape == (2, len(detector.species))


def test_folders_and_missing_files_are_named(tmp_path: Path) -> None:
    assert "no regular file" in refusal(tmp_path)
    assert "not found" in refusal(tmp_path / "gone.onnx")


def test_external_data_is_found_as_the_onnx_package_finds_it(good: Path, tmp_path: Path) -> None:
    assert not has_external_data(good.read_bytes())
    path = changed(good, tmp_path / "m.onnx", externalise)
    assert has_external_data(path.read_bytes())
    model = onnx.load(path, load_external_data=False)
    tensors = list(external_data_helper._get_all_tensors(model))
    assert any(map(external_data_helper.uses_external_data, tensors))


@given(st.binary(max_size=200))
def test_no_bytes_break_the_search_for_external_data(content: bytes) -> None:
    with contextlib.suppress(ValueError):  # any other error fails the test
        assert has_external_data(content) in (False, True)


def test_the_metadata_of_a_hostile_model_do_not_reach_the_terminal(tmp_path: Path) -> None:
    names = {"scientific_name": "a\x1b]0;title\x07", "common_name": "b\x9b2J\n"}
    path = write_model(tmp_path / "m.onnx", {"species": [s | names for s in SPECIES]})
    for option in ("--species", "--json"):
        output = CliRunner().invoke(app, ["model", "info", str(path), option]).output
        assert output
        assert not {"\x1b", "\x07", "\x9b"} & set(output)
    output = CliRunner().invoke(app, ["model", "info", str(path), "--json"]).output
    assert json.loads(output) == read_metadata(path)
