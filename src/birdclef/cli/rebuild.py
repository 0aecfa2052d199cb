"""Run the committed pipeline again in an empty clone, and compare every hash of dvc.lock."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from rich.table import Table

from birdclef.common.nested import flatten

SAME, WITHIN, DIFFERENT = "same bytes", "different bytes, scores agree", "DIFFERENT"
STALE = "OTHER CODE OR PARAMETERS WROTE DVC.LOCK"
# These have no tolerance: a score that moves a little may give a species its threshold or take it.
_IN_STEPS = "thresholds."


class RebuildError(RuntimeError):
    """The pipeline could not be run again; the message names the command that failed."""


class Comparison(NamedTuple):
    """One stage as committed, compared with the same stage as rebuilt."""

    stage: str
    outputs: int  # number of outputs
    different: list[str]  # paths, with the largest difference of scores; cmd and params
    verdict: str


def data_stages(folder: Path) -> list[str]:
    """Stages of dvc.lock whose code does not load torch; every machine gives the same bytes."""
    return [name for name, stage in _lock(folder).items() if not _trains(folder, stage)]


def rebuild(source: Path, clone: Path, stages: Sequence[str] = ()) -> None:
    """Clone the last commit of `source`, and run the pipeline there with an empty cache.

    Args:
        source: The repository.
        clone: The folder to create.
        stages: Stages to run, with all that they need; empty: every stage.

    Raises:
        RebuildError: git or a stage failed.
    """
    _run(["git", "clone", "--quiet", str(source.absolute()), str(clone)], source, {})
    (clone / "dvc.lock").unlink()
    environment = {
        "DVC_SITE_CACHE_DIR": str(clone / ".dvc" / "site"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(clone / "src"),  # the clone's code, not an installed copy
    }
    _run([sys.executable, "-m", "dvc", "repro", *stages], clone, environment)


def _run(command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
    done = subprocess.run(command, cwd=folder, env={**os.environ, **environment}, check=False)
    if done.returncode:
        raise RebuildError(f"`{' '.join(command)}` exited with {done.returncode} in {folder}")


def compare(source: Path, clone: Path, tolerance: float) -> list[Comparison]:
    """Compare the stages that were run in `clone` with those committed in `source`.

    Args:
        source: The repository.
        clone: The clone in which the pipeline was run again.
        tolerance: Largest accepted difference of a score if training gave different bytes, as it
            does on another kind of CPU.
    """
    committed, rebuilt = _lock(source), _lock(clone)
    return [
        _compare(name, committed.get(name, {}), stage, (source, clone), tolerance)
        for name, stage in rebuilt.items()
    ]


def table(stages: Sequence[Comparison]) -> Table:
    """A table with one row per stage."""
    rows = Table("stage", "outputs", "committed and rebuilt")
    rows.add_column("different", overflow="fold")
    for stage in stages:
        rows.add_row(stage.stage, str(stage.outputs), stage.verdict, "\n".join(stage.different))
    return rows


def _compare(
    name: str,
    committed: Mapping[str, Any],
    rebuilt: Mapping[str, Any],
    folders: tuple[Path, Path],
    tolerance: float,
) -> Comparison:
    old, new = ({o["path"]: o["md5"] for o in s.get("outs", [])} for s in (committed, rebuilt))
    paths = sorted(path for path in {*old, *new} if old.get(path) != new.get(path))
    gaps = {path: _gap(*(folder / path for folder in folders)) for path in paths}
    different = [path + (f" by {gap:.2g}" if gap is not None else "") for path, gap in gaps.items()]
    if stale := _stale(committed, rebuilt):
        return Comparison(name, len(new), stale + different, STALE)
    agree = _trains(folders[1], rebuilt) and set(old) == set(new)
    agree = agree and all(gap <= tolerance for gap in gaps.values() if gap is not None)
    return Comparison(
        name, len(new), different, SAME if not paths else WITHIN if agree else DIFFERENT
    )


def _stale(committed: Mapping[str, Any], rebuilt: Mapping[str, Any]) -> list[str]:
    """Command, params and code in the committed dvc.lock that differ from the commit itself."""
    old, new = ({d["path"]: d["md5"] for d in _code(s)} for s in (committed, rebuilt))
    changed = [key for key in ("cmd", "params") if committed.get(key) != rebuilt.get(key)]
    return changed + sorted(path for path in {*old, *new} if old.get(path) != new.get(path))


def _gap(old: Path, new: Path) -> float | None:
    """Largest difference between two JSON files in any number; None for other files."""
    if old.suffix != ".json":
        return None
    values = [_numbers(path) for path in (old, new)]
    if set(values[0]) != set(values[1]):
        return math.inf
    return max((abs(values[0][key] - values[1][key]) for key in values[0]), default=0.0)


def _numbers(path: Path) -> dict[str, float]:
    values = flatten(json.loads(path.read_text(encoding="utf-8")))
    numbers = {name: value for name, value in values if isinstance(value, int | float)}
    return {name: value for name, value in numbers.items() if not name.startswith(_IN_STEPS)}


def _lock(folder: Path) -> dict[str, dict[str, Any]]:
    lock = yaml.safe_load((folder / "dvc.lock").read_text(encoding="utf-8"))
    stages: dict[str, dict[str, Any]] = lock["stages"]
    return stages


def _code(stage: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The deps of a stage that are code: packages and modules in src/."""
    return [dep for dep in stage.get("deps", []) if dep["path"].startswith("src/")]


def _trains(folder: Path, stage: Mapping[str, Any]) -> bool:
    paths = [folder / dep["path"] for dep in _code(stage)]
    modules = [
        file for path in paths for file in ([path] if path.is_file() else path.rglob("*.py"))
    ]
    return any("import torch" in module.read_text(encoding="utf-8") for module in modules)
