"""The allocator: freed memory is kept for the next item instead of given back to the kernel."""

import ctypes
import sys
from functools import cache

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4  # glibc's malloc.h


@cache
def keep_freed_memory() -> None:
    """Stop glibc from giving freed memory back to the kernel; once a process is enough.

    A training step frees and takes hundreds of megabytes, a decoder a few for each file. On a
    virtual machine fetching the pages anew each time cost 30 % of training
    (benchmarks/speed/training_step.py) and, on a busy one, 14-41 % of packing a shard.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_M_TOP_PAD, 256 * 2**20)
