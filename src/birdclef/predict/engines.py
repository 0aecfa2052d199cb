"""Engines that run the exported file. One call uses one core; several threads call at once."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from birdclef.common.names import IMAGE, INPUT, OUTPUT

# Clips per call: few enough that the values between layers stay in the processor's cache.
BATCHES = {"onnxruntime": 4, "openvino": 4, "openvino-bf16": 8}
ENGINES = tuple(BATCHES)
Run = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]


class EngineError(RuntimeError):
    """An engine that is unknown, not installed, or cannot run the file; the message names a fix."""


def session(model: Path, optimise: bool = True) -> onnxruntime.InferenceSession:
    """Load a model file into ONNX Runtime; each call runs on the calling thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    if not optimise:  # loads faster, for callers that only read the metadata
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def _onnxruntime(model: Path) -> Run:
    loaded = session(model)

    def run(waveforms: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        (probabilities,) = loaded.run([OUTPUT], {INPUT: waveforms})
        return np.asarray(probabilities)

    return run


def _parts(openvino: Any, model: Path, precision: str) -> list[tuple[Any, str]]:
    """The graphs to run one after the other, each with its precision.

    The mel stays in float32, because bfloat16 in the mel costs more of the score than bfloat16 in
    the networks.
    """
    whole = openvino.Core().read_model(str(model))
    if precision == "f32":
        return [(whole, precision)]
    outputs = [output for op in whole.get_ops() for output in op.outputs()]
    image = next((output for output in outputs if IMAGE in output.get_names()), None)
    if image is None:
        raise EngineError(
            f"openvino-bf16 needs an image named {IMAGE!r} in the graph, and {model}, exported by"
            " an earlier version, has none: export it again with `dvc repro export_onnx`, or use"
            " the engine onnxruntime"
        )
    mel = openvino.Model([image], whole.get_parameters()).clone()
    image_input = openvino.opset13.parameter(image.get_partial_shape(), np.float32)
    for target in image.get_target_inputs():
        target.replace_source_output(image_input.output(0))
    # The networks take the batch size from the waveforms.
    inputs = [image_input, *whole.get_parameters()]
    return [(mel, "f32"), (openvino.Model(whole.get_results(), inputs), precision)]


def _openvino(model: Path, threads: int, precision: str) -> Run:
    try:
        import openvino
    except ModuleNotFoundError:
        raise EngineError(
            "openvino is not installed: pip install 'birdclef[openvino]', or use the engine"
            " onnxruntime"
        ) from None
    settings = {
        "PERFORMANCE_HINT": "THROUGHPUT",
        "NUM_STREAMS": str(threads),
        "INFERENCE_NUM_THREADS": str(threads),
        "ENABLE_CPU_PINNING": "NO",  # leave a core to the thread that decodes
    }
    core = openvino.Core()
    compiled = [
        core.compile_model(part, "CPU", settings | {"INFERENCE_PRECISION_HINT": precision})
        for part, precision in _parts(openvino, model, precision)
    ]
    local = threading.local()  # requests of each thread: a request serves one thread at a time

    def run(waveforms: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if not hasattr(local, "requests"):
            local.requests = [part.create_infer_request() for part in compiled]
        inputs: list[Any] = [openvino.Tensor(np.ascontiguousarray(waveforms))]
        for request in local.requests:
            request.infer(dict(enumerate(inputs)))
            inputs.insert(0, request.get_output_tensor(0))  # the image goes before the waveforms
        return np.array(inputs[0].data)  # a copy, because the next call overwrites the tensor

    return run


def load_engine(model: Path, name: str, threads: int) -> Run:
    """Load the model file into an engine.

    Args:
        model: the ONNX file.
        name: one of ENGINES. openvino-bf16 is for processors with bfloat16 instructions.
        threads: number of threads that will call the engine at once.

    Returns:
        A function, (B, sample) -> (B, species), that several threads may call at once.

    Raises:
        EngineError: the engine is unknown, not installed, or cannot run the file.
    """
    if name not in ENGINES:
        raise EngineError(f"engine {name!r} is not one of {', '.join(ENGINES)}")
    if name == "onnxruntime":
        return _onnxruntime(model)
    return _openvino(model, threads, "bf16" if name.endswith("bf16") else "f32")
