"""Which stages re-run when a key of params.yaml changes, as DVC derives it from dvc.yaml."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from dvc.repo import Repo

from birdclef.common.nested import flatten

_INTERPOLATED = re.compile(r"\$\{([^}]+)\}")


class Effect(NamedTuple):
    """The effect of changing one key; the stages of a matrix count as one."""

    reruns: list[str]  # stages that depend on the key itself, in the order of dvc.yaml
    adds: list[str]  # stages whose matrix the key defines
    follow: list[str]  # later stages, which re-run if their inputs come out different


def _within(key: str, tracked: str) -> bool:
    return key == tracked or key.startswith(f"{tracked}.") or tracked.startswith(f"{key}.")


def _base(addressing: str) -> str:
    return addressing.split("@")[0]


def effects(folder: Path = Path()) -> dict[str, Effect]:
    """The effect of each key, in the order of params.yaml."""
    pipeline = yaml.safe_load((folder / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    params = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    with Repo(str(folder)) as repo:
        graph = repo.index.graph
        tracked: dict[str, set[str]] = {name: set() for name in pipeline}
        after: dict[str, set[str]] = {name: set() for name in pipeline}
        for stage in graph:
            name = _base(stage.addressing)
            tracked[name] |= {key for dep in stage.params for key in dep.params}
            after[name] |= {_base(user.addressing) for user in graph.predecessors(stage)}
    matrix = {name: _interpolated(stage.get("matrix")) for name, stage in pipeline.items()}
    for name, stage in pipeline.items():
        tracked[name] |= _interpolated({k: v for k, v in stage.items() if k != "matrix"})
    return {key: _effect(key, tracked, matrix, after) for key, _ in flatten(params)}


def _interpolated(part: Any) -> set[str]:
    """The keys of params.yaml that a part of a stage's definition refers to."""
    return {key for key in _INTERPOLATED.findall(str(part)) if not key.startswith("item")}


def _effect(
    key: str,
    tracked: Mapping[str, set[str]],
    matrix: Mapping[str, set[str]],
    after: Mapping[str, set[str]],
) -> Effect:
    reruns = [name for name, keys in tracked.items() if any(_within(key, k) for k in keys)]
    adds = [name for name, keys in matrix.items() if any(_within(key, k) for k in keys)]
    reached: set[str] = set()
    pending = [*reruns, *adds]
    while pending:
        for name in after[pending.pop()] - reached:
            reached.add(name)
            pending.append(name)
    return Effect(reruns, adds, [n for n in after if n in reached - {*reruns, *adds}])


def table(folder: Path = Path()) -> str:
    """The effects as a Markdown table."""
    lines = ["| key | re-runs | adds or drops some of | then, if their inputs differ |"]
    lines += ["|---|---|---|---|"]
    for key, effect in effects(folder).items():
        cells = [", ".join(names) if names else "" for names in effect]
        lines.append(f"| `{key}` | {cells[0] or 'nothing'} | {cells[1]} | {cells[2]} |")
    return "\n".join(lines)
