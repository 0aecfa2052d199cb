"""The table of what a parameter re-runs agrees with DVC."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo

from birdclef.cli.param_effects import effects
from birdclef.common.nested import flatten
from paths import ROOT

pytestmark = pytest.mark.slow


def _another(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _another(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return value  # which says what stages there are
    if isinstance(value, bool):
        return not value
    return f"{value}x" if isinstance(value, str) else (value or 0) + 1


def _lock_as_run(repo: Repo) -> None:
    """Write dvc.lock as if each stage had just run with the parameters that are there."""
    stages: dict[str, Any] = {}
    for stage in repo.index.stages:
        for dep in stage.params:
            dep.save()
        params = {
            "params.yaml": {k: v for dep in stage.params for k, v in dep.hash_info.value.items()}
        }
        stages[stage.addressing] = {"cmd": stage.cmd, "params": params}
    Path("dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))


def _reported(status: dict[str, Any]) -> dict[str, set[str]]:
    """Keys that DVC says have changed, by stage."""
    reported: dict[str, set[str]] = {}
    for stage, changes in status.items():
        for change in changes:
            if isinstance(change, dict):  # else that the command has changed
                keys = change.get("changed deps", {}).get("params.yaml", {})
                reported.setdefault(stage.split("@")[0], set()).update(keys)
    return reported


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """dvc.yaml and params.yaml in a folder where all has run; returns the parameters."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.chdir(tmp_path)
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, name)
    with Repo.init(no_scm=True) as repo:
        _lock_as_run(repo)
    params: dict[str, Any] = yaml.safe_load(Path("params.yaml").read_text())
    return params


def test_dvc_says_the_same_of_every_value(pipeline: dict[str, Any]) -> None:
    """Another value under each key: the keys that DVC then reports are those of the table."""
    table = effects()
    Path("params.yaml").write_text(yaml.safe_dump(_another(pipeline)))
    with Repo() as repo:
        reported = _reported(repo.status())
    assert any(reported.values())
    for key, _ in flatten(pipeline):
        seen = {s for s, ks in reported.items() if any(f"{key}.".startswith(f"{k}.") for k in ks)}
        if not isinstance(_value(pipeline, key), list):
            assert seen == set(table[key].reruns), key


def _longer(values: list[Any]) -> list[Any]:
    last = values[-1]
    if isinstance(last, dict):
        return [*values, {"teachers": last["students"], "students": "another"}]
    return [*values, "another" if isinstance(last, str) else last + 1]


def test_dvc_says_the_same_of_every_list(pipeline: dict[str, Any]) -> None:
    """A longer list under each key: what is there re-runs, and what is added, as the table says."""
    lists = [key for key, value in flatten(pipeline) if isinstance(value, list)]
    assert lists
    table = effects()
    known = set(yaml.safe_load(Path("dvc.lock").read_text())["stages"])
    for key in lists:
        section, name = key.split(".")
        longer = pipeline[section] | {name: _longer(pipeline[section][name])}
        Path("params.yaml").write_text(yaml.safe_dump(pipeline | {section: longer}))
        with Repo() as repo:
            status = repo.status()
            new = {stage.addressing for stage in repo.index.stages} - known
        effect = table[key]
        reported = _reported({stage: status[stage] for stage in known & set(status)})
        seen = {s for s, ks in reported.items() if any(f"{key}.".startswith(f"{k}.") for k in ks)}
        assert seen == set(effect.reruns), key
        assert {stage.split("@")[0] for stage in new} == set(effect.adds), key


def _value(values: Any, key: str) -> Any:
    for part in key.split("."):
        values = values[part]
    return values


def test_what_only_says_how_reruns_nothing() -> None:
    """And every other key re-runs something, or nobody reads it."""
    for key, effect in effects(ROOT).items():
        assert any(effect) != key.startswith("runtime."), key
