"""Memory allocator settings: keep freed memory for reuse instead of returning it to the kernel."""

import ctypes
import sys
from functools import cache

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4  # glibc's malloc.h


@cache
def keep_freed_memory() -> None:
    """Stop glibc from returning freed memory to the kernel, for the rest of this process.

    A training step frees and allocates hundreds of megabytes; a decoder frees and allocates a few
    megabytes per file. On a virtual machine, getting these pages from the kernel again each time
    took 30 % of the training time (benchmarks/speed/training_step.py). On a busy machine it took
    14-41 % of the time to pack a shard.

    The function does nothing on systems other than Linux and where the C library has no mallopt.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has no mallopt
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_M_TOP_PAD, 256 * 2**20)
