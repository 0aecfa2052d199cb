"""Engines that run the exported file, one core a call: threads call them side by side."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

INPUT, OUTPUT, METADATA = "waveform", "probabilities", "birdclef"  # names inside the file
ENGINES = ("onnxruntime", "openvino", "openvino-bf16")
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


def _openvino(model: Path, threads: int, precision: str) -> Run:
    try:
        import openvino
    except ModuleNotFoundError:
        raise EngineError(
            "openvino is not installed: pip install 'birdclef[openvino]', or take the engine"
            " onnxruntime"
        ) from None
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "THROUGHPUT",
        "NUM_STREAMS": str(threads),
        "INFERENCE_NUM_THREADS": str(threads),
    }
    compiled = openvino.Core().compile_model(str(model), "CPU", settings)
    own = threading.local()  # a request serves one thread at a time

    def run(waveforms: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if not hasattr(own, "request"):
            own.request = compiled.create_infer_request()
        found: Any = own.request.infer({INPUT: waveforms})
        return np.array(found[OUTPUT])  # a copy: the next call writes over it

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
