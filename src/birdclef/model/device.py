"""Set-up of torch: device, fixed number of threads, deterministic algorithms, allocator."""

import os

import torch

from birdclef.common.allocator import keep_freed_memory
from birdclef.params import ParamsError, RuntimeParams


def prepare(runtime: RuntimeParams) -> torch.device:
    """Set up torch so that the same inputs give the same bytes, and choose the device.

    Raises:
        ParamsError: runtime.device is cuda, but torch finds no CUDA device.
    """
    keep_freed_memory()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic matrix products
    torch.set_num_threads(runtime.threads)
    # filling uninitialised memory costs time, and nothing reads that memory
    setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010  untyped
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False  # scores use full float32 on a GPU too
    if runtime.device == "cuda" and not torch.cuda.is_available():
        raise ParamsError(
            "runtime.device = 'cuda', but torch finds no CUDA device; set auto or cpu"
        )
    name = "cuda" if torch.cuda.is_available() and runtime.device != "cpu" else "cpu"
    # some backbones use operations that have no deterministic version on CUDA: warn, but train
    torch.use_deterministic_algorithms(True, warn_only=name == "cuda")
    return torch.device(name)
