"""Settings with which every x86-64 processor with AVX2 computes the same bytes.

Numerical libraries choose the widest instructions of the processor, and other instructions add in
another order. These settings hold all of them to AVX2. Libraries read the settings when they are
loaded, so the settings must be in the environment before NumPy and torch are imported.

They do not reach the vector library behind torch.sqrt, torch.log2 and torch.log10 of larger
tensors, which chooses by itself: code on the way of training must not call these three.
"""

import os
import platform
from collections.abc import MutableMapping

SETTINGS = {
    "ATEN_CPU_CAPABILITY": "avx2",  # torch's own kernels
    "MKL_CBWR": "COMPATIBLE",  # torch's matrix products and FFT
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # torch's convolutions
    "OPENBLAS_CORETYPE": "Haswell",  # matrix products of NumPy and SciPy
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",  # NumPy's exp, log, tanh, ...
}


def hold_to_avx2(environment: MutableMapping[str, str] = os.environ) -> None:
    """Put the settings into an environment; on other processors than x86-64 there are none."""
    if platform.machine() in ("x86_64", "AMD64"):
        environment.update(SETTINGS)


def is_held_to_avx2() -> bool:
    """Whether this process was started, or has set itself up, with the settings."""
    return all(os.environ.get(name) == value for name, value in SETTINGS.items())
