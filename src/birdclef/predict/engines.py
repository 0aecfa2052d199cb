"""Engines that run the exported file, one core a call: threads call them side by side."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from birdclef.common.names import IMAGE, INPUT, OUTPUT

# clips a call: what is computed between layers stays in the processor's cache
BATCHES = {"onnxruntime": 4, "openvino": 4, "openvino-bf16": 8}
ENGINES = tuple(BATCHES)
Run = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]


class EngineError(RuntimeError):
    """An engine that is unknown or not installed; the message says which there are, or how."""


def session(model: Path, optimise: bool = True) -> onnxruntime.InferenceSession:
    """Load a file into ONNX Runtime; each call of it runs on the thread that calls."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    if not optimise:  # quick, where only the metadata is wanted
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def _onnxruntime(model: Path) -> Run:
    loaded = session(model)

    def run(waveforms: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        (found,) = loaded.run([OUTPUT], {INPUT: waveforms})
        return np.asarray(found)

    return run


def _parts(openvino: Any, model: Path, precision: str) -> list[tuple[Any, str]]:
    """The graphs to run one after the other, with the precision of each.

    The mel stays in float32: what bfloat16 takes from it costs more of the score than the
    networks' own rounding does.
    """
    whole = openvino.Core().read_model(str(model))
    if precision == "f32":
        return [(whole, precision)]
    outputs = [output for op in whole.get_ops() for output in op.outputs()]
    image = next((output for output in outputs if IMAGE in output.get_names()), None)
    if image is None:
        raise EngineError(
            f"{model} was exported before its image had a name, which openvino-bf16 needs: export"
            " it anew with `dvc repro export_onnx`, or take the engine onnxruntime"
        )
    mel = openvino.Model([image], whole.get_parameters()).clone()
    given = openvino.opset13.parameter(image.get_partial_shape(), np.float32)
    for target in image.get_target_inputs():
        target.replace_source_output(given.output(0))
    inputs = [given, *whole.get_parameters()]  # the networks ask the waveforms for the batch size
    return [(mel, "f32"), (openvino.Model(whole.get_results(), inputs), precision)]


def _openvino(model: Path, threads: int, precision: str) -> Run:
    try:
        import openvino
    except ModuleNotFoundError:
        raise EngineError(
            "openvino is not installed: pip install 'birdclef[openvino]', or take the engine"
            " onnxruntime"
        ) from None
    settings = {
        "PERFORMANCE_HINT": "THROUGHPUT",
        "NUM_STREAMS": str(threads),
        "INFERENCE_NUM_THREADS": str(threads),
        "ENABLE_CPU_PINNING": "NO",  # the thread that decodes must find a core too
    }
    core = openvino.Core()
    compiled = [
        core.compile_model(part, "CPU", settings | {"INFERENCE_PRECISION_HINT": precision})
        for part, precision in _parts(openvino, model, precision)
    ]
    own = threading.local()  # a request serves one thread at a time

    def run(waveforms: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if not hasattr(own, "requests"):
            own.requests = [part.create_infer_request() for part in compiled]
        given: list[Any] = [openvino.Tensor(np.ascontiguousarray(waveforms))]
        for request in own.requests:
            request.infer(dict(enumerate(given)))
            given.insert(0, request.get_output_tensor(0))
        return np.array(given[0].data)  # a copy: the next call writes over it

    return run


def load_engine(model: Path, name: str, threads: int) -> Run:
    """Load the model file into an engine.

    Args:
        model: the ONNX file.
        name: one of ENGINES. OpenVINO's bf16 is for processors with instructions for it.
        threads: how many will call it at once.

    Returns:
        A function, (B, sample) -> (B, species), that several threads may call.

    Raises:
        EngineError: no such engine, or it is not installed.
    """
    if name not in ENGINES:
        raise EngineError(f"engine {name!r} is none of {', '.join(ENGINES)}")
    if name == "onnxruntime":
        return _onnxruntime(model)
    return _openvino(model, threads, "bf16" if name.endswith("bf16") else "f32")
