"""Wait for a condition instead of a fixed time."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], seconds: float = 900) -> None:
    """Wait until a condition holds. It is checked often, because it may hold only briefly."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"the condition did not hold within {seconds} s"
        time.sleep(0.02)
