"""Exported models without a network, whose output can be calculated by hand."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from sounds import RATE_HZ

SPECIES = [
    {"species": "grewag1", "scientific_name": "Motacilla cinerea", "common_name": "Grey Wagtail"},
    {"species": "houspa", "scientific_name": "Passer domesticus", "common_name": "House Sparrow"},
    {"species": "mallar3", "scientific_name": "Anas platyrhynchos", "common_name": "Mallard"},
]
SLOPES, OFFSETS = (4.0, -4.0, 2.0), (-2.0, 2.0, 0.0)
CLIP_S = 0.5


def expected_probabilities(waveforms: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """(B, sample) -> (B, species): sigmoid(slope * mean level + offset)."""
    mean = waveforms.mean(axis=1, keepdims=True)
    return np.asarray(1 / (1 + np.exp(-(mean * np.array(SLOPES) + np.array(OFFSETS)))))


def write_model(path: Path, changes: Mapping[str, Any] = {}) -> Path:
    """Write a model that computes `expected_probabilities`, with `changes` to its metadata."""
    samples = round(CLIP_S * RATE_HZ)
    nodes = [
        helper.make_node("ReduceMean", ["waveform", "axis"], ["mean"], keepdims=1),
        helper.make_node("Mul", ["mean", "slopes"], ["scaled"]),
        helper.make_node("Add", ["scaled", "offsets"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["probabilities"]),
    ]
    count = len(SPECIES)
    constants = [
        helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
        helper.make_tensor("slopes", TensorProto.FLOAT, [1, count], SLOPES),
        helper.make_tensor("offsets", TensorProto.FLOAT, [1, count], OFFSETS),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "means",
        [value("waveform", TensorProto.FLOAT, ["batch", samples])],
        [value("probabilities", TensorProto.FLOAT, ["batch", count])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    metadata = {"species": SPECIES, "sample_rate_hz": RATE_HZ, "clip_s": CLIP_S, **changes}
    helper.set_model_props(model, {"birdclef": json.dumps(metadata)})
    onnx.save(model, path)
    return path
