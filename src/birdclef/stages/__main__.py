"""Run one stage: `python -m birdclef.stages STAGE`, as dvc.yaml does.

STAGE is the stage's name in DVC. A stage with a matrix has its values in its name:
`train_l1@0-default-2` runs the script train_l1 with the arguments 0, default and 2. They are values
of params.yaml, and so are checked before the script starts. A round is given as its two levels.

This reads runtime.portable, and sets the environment before the stage loads NumPy or torch.
"""

import os
import re
import runpy
import sys

from birdclef.common.portable import hold_to_avx2
from birdclef.errors import plain_errors
from birdclef.params import load_params


def main() -> None:
    portable = load_params().runtime.portable
    stage, *arguments = split_name(sys.argv[1])
    sys.argv = [stage, *arguments, *sys.argv[2:]]
    # torch's threads wait asleep: beside another process, spinning makes training times slower
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if portable:
        hold_to_avx2()
    runpy.run_module(f"birdclef.stages.{stage}", run_name="__main__")


def split_name(name: str) -> list[str]:
    """Split DVC's name of a stage into the script and its arguments.

    No value of a matrix contains a hyphen, which params.py checks. From another folder than the
    repository's root, DVC puts a path before the name: `../dvc.yaml:train_l1@0-default-2`.
    """
    stage, _, values = name.rpartition(":")[2].partition("@")
    return [stage, *(part for value in filter(None, values.split("-")) for part in _parts(value))]


def _parts(value: str) -> list[str]:
    """The levels of teachers and students for a round, and any other value itself.

    DVC names the entries of models.rounds round0, round1, ...; params.py checks that they are a
    chain, so that the number gives the levels: l1 and l2 for round0.
    """
    if number := re.fullmatch(r"round(\d+)", value):
        return [f"l{int(number[1]) + 1}", f"l{int(number[1]) + 2}"]
    return [value]


if __name__ == "__main__":
    with plain_errors():
        main()
