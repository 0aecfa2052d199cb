"""An error that the user can fix ends a program with its message; a bug keeps its traceback."""

import runpy
from importlib import import_module
from inspect import signature
from pathlib import Path

import pytest

from birdclef.errors import plain_errors
from birdclef.params import ParamsError

STAGES = Path("src/birdclef/stages").resolve()


@pytest.mark.parametrize("error", [ParamsError("set x"), FileNotFoundError("a.csv not found")])
def test_own_errors_and_those_of_the_system_end_with_their_message(error: Exception) -> None:
    with pytest.raises(SystemExit) as end, plain_errors():
        raise error
    assert end.value.code == str(error)


@pytest.mark.parametrize("error", [ValueError("of some library"), ZeroDivisionError()])
def test_any_other_error_keeps_its_traceback(error: Exception) -> None:
    with pytest.raises(type(error)), plain_errors():
        raise error


def test_a_stopped_program_says_how_to_continue() -> None:
    with pytest.raises(SystemExit, match="run the same command again"), plain_errors():
        raise KeyboardInterrupt


@pytest.mark.parametrize("stage", sorted(p.stem for p in STAGES.glob("[!_]*.py")))
def test_every_stage_ends_with_the_message_alone(
    stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No stage can start in a folder without params.yaml."""
    main = import_module(f"birdclef.stages.{stage}").main
    arguments = signature(main).parameters.values()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "sys.argv", [stage, *("0" if a.annotation is int else "l1" for a in arguments)]
    )
    with pytest.raises(
        SystemExit, match=r"^params\.yaml not found; run from the repository's root$"
    ):
        runpy.run_path(str(STAGES / f"{stage}.py"), run_name="__main__")
