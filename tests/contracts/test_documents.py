"""Documents say what the pipeline and its last run say, and DVC agrees."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo

from birdclef.cli.doc_tables import FiguresError, documents, fill_all, filled
from birdclef.cli.param_effects import effects
from birdclef.common.nested import flatten
from paths import ROOT

pytestmark = pytest.mark.slow


def test_no_document_is_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert {"README.md", "invalidation.md"} <= {document.name for document in documents()}
    for document in documents():
        assert document.read_text() == filled(document), f"{document} is stale: make docs"


def test_every_room_is_on_the_map() -> None:
    source = ROOT / "src/birdclef"
    rooms = {f"{path.parent.name}/" for path in source.glob("*/__init__.py")}
    rooms |= {path.name for path in source.glob("[!_]*.py")}
    text = (ROOT / "CONTRIBUTING.md").read_text().partition("## The rooms")[2].partition("\n## ")[0]
    found = set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))
    assert found == rooms, "CONTRIBUTING.md, The rooms: one line per room"


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def _asking(path: Path, request: str) -> Path:
    return _write(
        path, f"Before.\n<!-- figures: {request} -->\nold\n<!-- end of figures -->\nAfter."
    )


def test_figures_are_filled_once_and_prose_stays(tmp_path: Path) -> None:
    scores = _write(tmp_path / "s.json", '{"auc": 0.98765, "by": {"a": {"n": 1}, "b": {"m": 2}}}')
    readme, document = tmp_path / "README.md", tmp_path / "docs/d.md"
    document.parent.mkdir()
    for path in (readme, document):
        _asking(path, str(scores))
    assert fill_all(tmp_path) == [readme, document]
    assert readme.read_text() == document.read_text()
    lines = document.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("Before.", "After.")
    assert "| auc | 0.9877 |" in lines
    assert "| by / b / m | 2 |" in lines
    assert "old" not in lines
    assert fill_all(tmp_path) == []


def test_parts_and_tables_are_chosen(tmp_path: Path) -> None:
    scores = _write(
        tmp_path / "s.json", '{"by": {"a": {"n": 1}, "b": {"m": 2}}, "of all": {"n": 7}}'
    )
    text = filled(_asking(tmp_path / "s.md", f"{scores} of all"))
    assert "| n | 7 |" in text
    text = filled(_asking(tmp_path / "d.md", f"{scores} by"))
    assert "|  | n | m |\n| --- | --- | --- |\n| a | 1 |  |\n| b |  | 2 |\n" in text
    table = _write(tmp_path / "t.csv", "species,auc\nrobin,0.90\n")
    text = filled(_asking(tmp_path / "e.md", str(table)))
    assert "| species | auc |\n| --- | --- |\n| robin | 0.90 |\n" in text


@pytest.mark.parametrize("request_", ["{}/none.json", "{}/s.json none"])
def test_figures_that_are_not_there_are_named(tmp_path: Path, request_: str) -> None:
    _write(tmp_path / "s.json", "{}")
    with pytest.raises(FiguresError, match=r"d\.md asks for figures: .*none"):
        filled(_asking(tmp_path / "d.md", request_.format(tmp_path)))


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
