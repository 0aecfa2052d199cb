"""Wait for a state instead of a time."""

import time
from collections.abc import Callable


def wait_until(true: Callable[[], object], seconds: float = 900) -> None:
    """Look often, since what is waited for may pass soon."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
