"""The exported graph: waveform in, probabilities out; all students share one mel."""

import io
import json
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from birdclef.common.files import write_bytes
from birdclef.common.lengths import clip_samples
from birdclef.common.names import IMAGE, INPUT, METADATA, OUTPUT
from birdclef.export.backbone import exportable
from birdclef.export.mel import ExportableLogMel
from birdclef.model.classifier import Ensemble
from birdclef.params import ClipsParams, MelParams

OPSET = 20
_SCOPES, _FRONT_END = (
    "pkg.torch.onnx.name_scopes",
    "'ensemble.front_end'",
)  # written by the exporter


class ParityError(RuntimeError):
    """The exported model does not give PyTorch's probabilities."""


class MeanProbabilities(nn.Module):
    """Mean of the models' probabilities: (B, sample) -> (B, species)."""

    def __init__(self, ensemble: Ensemble) -> None:
        super().__init__()
        self.ensemble = ensemble

    def forward(self, waveforms: Tensor) -> Tensor:
        return torch.sigmoid(self.ensemble(waveforms)).mean(dim=0)


def _name_image(model: onnx.ModelProto) -> None:
    """Name the front end's output, so that an engine can split front end and networks there."""
    nodes = model.graph.node
    scopes = [{item.key: item.value for item in node.metadata_props} for node in nodes]
    inside = [_FRONT_END in scope.get(_SCOPES, "") for scope in scopes]
    old = [node for node, is_inside in zip(nodes, inside, strict=True) if is_inside][-1].output[0]
    for node in nodes:
        for names in (node.input, node.output):
            names[:] = [IMAGE if name == old else name for name in names]


def _drop_annotations(model: onnx.ModelProto) -> None:
    """Drop the exporter's annotations, because they contain source paths of this machine."""
    for item in [*model.graph.node, *model.graph.value_info, *model.graph.initializer]:
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    for value in [*model.graph.input, *model.graph.output]:
        value.ClearField("metadata_props")
    model.graph.ClearField("metadata_props")
    model.graph.ClearField("value_info")
    model.ClearField("metadata_props")


def export(ensemble: Ensemble, mel: MelParams, clips: ClipsParams) -> onnx.ModelProto:
    """Trace an ensemble into one checked ONNX graph with a free batch size.

    Input `waveform`: float32 (B, sample) at clips.sample_rate_hz, of any loudness. Output
    `probabilities`: float32 (B, species).
    """
    networks = [exportable(backbone) for backbone in ensemble.backbones]
    twin = Ensemble(ExportableLogMel(mel, clips), networks, ensemble.species)
    model = MeanProbabilities(twin).cpu().eval()
    example = torch.zeros(2, clip_samples(clips))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings concern the exporter's internals
        path = Path(folder) / "model.onnx"
        torch.onnx.export(
            model,
            (example,),
            path,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        graph = onnx.load(path)
    _name_image(graph)
    _drop_annotations(graph)
    onnx.checker.check_model(graph, full_check=True)
    return graph


def save(graph: onnx.ModelProto, metadata: Mapping[str, Any], path: Path) -> None:
    """Write the graph to a file that also holds `metadata` as JSON, under the key `birdclef`."""
    onnx.helper.set_model_props(graph, {METADATA: json.dumps(metadata, ensure_ascii=False)})
    buffer = io.BytesIO()
    onnx.save_model(graph, buffer)
    write_bytes(buffer.getvalue(), path)


def probe_clips(clips: ClipsParams, seed: int = 0) -> npt.NDArray[np.float32]:
    """Hard cases for parity, (case, sample): silence, noise, clipped, quiet, loud, a pure tone."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(clip_samples(clips))
    tone = np.sin(2 * np.pi * 3000 * np.arange(len(noise)) / clips.sample_rate_hz)
    cases = [0 * noise, noise, np.clip(5 * noise, -1, 1), 1e-5 * noise, 100 * noise, tone]
    return np.stack(cases).astype(np.float32)


def both_probabilities(
    ensemble: Ensemble, graph: onnx.ModelProto, waveforms: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Compute the probabilities of PyTorch and of ONNX Runtime, each (clip, species)."""
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    reference = MeanProbabilities(ensemble).cpu().eval()
    expected, found = [], []
    for start in range(0, len(waveforms), 16):  # batches keep memory use flat
        batch = waveforms[start : start + 16]
        with torch.inference_mode():
            expected.append(reference(torch.from_numpy(batch)).numpy())
        found += session.run([OUTPUT], {INPUT: batch})
    return np.concatenate(expected), np.concatenate(found)


def parity(ensemble: Ensemble, graph: onnx.ModelProto, waveforms: npt.NDArray[np.float32]) -> float:
    """Largest absolute difference of a probability between PyTorch and the exported model.

    Args:
        ensemble, graph: the same model, in PyTorch and as an ONNX graph.
        waveforms: (clip, sample).
    """
    expected, found = both_probabilities(ensemble, graph, waveforms)
    return float(np.abs(found - expected).max())


def require_parity(difference: float, limit: float) -> None:
    """Refuse a graph whose probabilities differ too much from PyTorch's.

    Raises:
        ParityError: the difference is above its limit; the message names the limit and its key.
    """
    if not difference <= limit:  # NaN is refused too
        raise ParityError(
            f"ONNX and PyTorch differ by {difference:.2g} in a probability, more than"
            f" export_onnx.max_difference = {limit:g} allows"
        )
