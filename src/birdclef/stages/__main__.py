"""Run one stage: `python -m birdclef.stages STAGE [ARGUMENT ...]`, as dvc.yaml does.

This reads runtime.portable, and sets the environment before the stage loads NumPy or torch.
"""

import os
import runpy
import sys

from birdclef.common.portable import hold_to_avx2
from birdclef.errors import plain_errors
from birdclef.params import load_params


def main() -> None:
    sys.argv = sys.argv[1:]
    # torch's threads wait asleep: beside another process, spinning makes training times slower
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if load_params().runtime.portable:
        hold_to_avx2()
    runpy.run_module(f"birdclef.stages.{sys.argv[0]}", run_name="__main__")


if __name__ == "__main__":
    with plain_errors():
        main()
