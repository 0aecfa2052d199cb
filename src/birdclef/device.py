"""Where and how torch runs: device, fixed threads, deterministic algorithms, allocator."""

import ctypes
import os
import sys

import torch

from birdclef.params import RuntimeParams

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4  # glibc's malloc.h


def _keep_freed_memory() -> None:
    """Stop glibc from giving freed memory back to the kernel after every step.

    A training step frees and takes hundreds of megabytes; fetching the pages anew each time
    cost 30 % of the time on a virtual machine (benchmarks/training_step.py).
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_M_TOP_PAD, 256 * 2**20)


def prepare(runtime: RuntimeParams) -> torch.device:
    """Set torch up so that the same inputs give the same bytes, and choose the device.

    Raises:
        RuntimeError: runtime.device is cuda and there is none.
    """
    _keep_freed_memory()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic matrix products
    torch.set_num_threads(runtime.threads)
    torch.use_deterministic_algorithms(True)
    # nothing reads uninitialised memory, and filling it costs time
    setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010  untyped
    torch.backends.cudnn.benchmark = False
    if runtime.device == "cuda" and not torch.cuda.is_available():
        raise RuntimeError(
            "runtime.device = 'cuda', but torch finds no CUDA device; set auto or cpu"
        )
    name = "cuda" if torch.cuda.is_available() and runtime.device != "cpu" else "cpu"
    return torch.device(name)
