"""Run the committed pipeline anew in an empty clone, and compare every hash of dvc.lock."""

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

SAME, WITHIN, DIFFERENT = "same bytes", "other bytes, scores agree", "DIFFERENT"
STALE = "DVC.LOCK IS OF OTHER CODE OR PARAMETERS"


class RebuildError(RuntimeError):
    """The pipeline could not be run anew; the message says where it stopped."""


class Comparison(NamedTuple):
    """One stage, as committed and as made anew."""

    stage: str
    outputs: int
    different: list[str]  # paths, and for scores by how much; cmd, params
    verdict: str


def data_stages(folder: Path) -> list[str]:
    """Stages of dvc.lock whose code loads no torch: their bytes are the same on every machine."""
    return [name for name, stage in _lock(folder).items() if not _trains(folder, stage)]


def rebuild(source: Path, clone: Path, stages: Sequence[str] = ()) -> None:
    """Clone what is committed in `source`, and run it there with an empty cache.

    Args:
        source: The repository.
        clone: The folder to make.
        stages: What to run, with all that it needs; none: everything.

    Raises:
        RebuildError: git or a stage has failed.
    """
    _run(["git", "clone", "--quiet", str(source.absolute()), str(clone)], source, {})
    (clone / "dvc.lock").unlink()
    environment = {
        "DVC_SITE_CACHE_DIR": str(clone / ".dvc" / "site"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(clone / "src"),  # the clone's code, whichever is installed
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
        clone: Where it was run anew.
        tolerance: Largest difference of a score, where training gave other bytes than committed,
            as it does on another kind of CPU.
    """
    committed, anew = _lock(source), _lock(clone)
    return [
        _compare(name, committed.get(name, {}), stage, (source, clone), tolerance)
        for name, stage in anew.items()
    ]


def table(stages: Sequence[Comparison]) -> Table:
    """A row a stage."""
    shown = Table("stage", "outputs", "committed and made anew")
    shown.add_column("different", overflow="fold")
    for stage in stages:
        shown.add_row(stage.stage, str(stage.outputs), stage.verdict, "\n".join(stage.different))
    return shown


def _compare(
    name: str,
    committed: Mapping[str, Any],
    anew: Mapping[str, Any],
    folders: tuple[Path, Path],
    tolerance: float,
) -> Comparison:
    old, new = ({o["path"]: o["md5"] for o in s.get("outs", [])} for s in (committed, anew))
    paths = sorted(path for path in {*old, *new} if old.get(path) != new.get(path))
    gaps = {path: _gap(*(folder / path for folder in folders)) for path in paths}
    different = [path + (f" by {gap:.2g}" if gap is not None else "") for path, gap in gaps.items()]
    if stale := _stale(committed, anew):
        return Comparison(name, len(new), stale + different, STALE)
    agree = _trains(folders[1], anew) and set(old) == set(new)
    agree = agree and all(gap <= tolerance for gap in gaps.values() if gap is not None)
    return Comparison(
        name, len(new), different, SAME if not paths else WITHIN if agree else DIFFERENT
    )


def _stale(committed: Mapping[str, Any], anew: Mapping[str, Any]) -> list[str]:
    """What the committed stage says that it was made by, where that is no longer committed."""
    old, new = ({d["path"]: d["md5"] for d in _code(s)} for s in (committed, anew))
    changed = [key for key in ("cmd", "params") if committed.get(key) != anew.get(key)]
    return changed + sorted(path for path in {*old, *new} if old.get(path) != new.get(path))


def _gap(old: Path, new: Path) -> float | None:
    """Largest difference of any number in two JSON files; None for what holds no scores."""
    if old.suffix != ".json":
        return None
    values = [_numbers(path) for path in (old, new)]
    if set(values[0]) != set(values[1]):
        return math.inf
    return max((abs(values[0][key] - values[1][key]) for key in values[0]), default=0.0)


def _numbers(path: Path) -> dict[str, float]:
    values = flatten(json.loads(path.read_text(encoding="utf-8")))
    return {name: value for name, value in values if isinstance(value, int | float)}


def _lock(folder: Path) -> dict[str, dict[str, Any]]:
    lock = yaml.safe_load((folder / "dvc.lock").read_text(encoding="utf-8"))
    stages: dict[str, dict[str, Any]] = lock["stages"]
    return stages


def _code(stage: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The deps of a stage that are code: rooms and modules of src/."""
    return [dep for dep in stage.get("deps", []) if dep["path"].startswith("src/")]


def _trains(folder: Path, stage: Mapping[str, Any]) -> bool:
    paths = [folder / dep["path"] for dep in _code(stage)]
    modules = [
        file for path in paths for file in ([path] if path.is_file() else path.rglob("*.py"))
    ]
    return any("import torch" in module.read_text(encoding="utf-8") for module in modules)
