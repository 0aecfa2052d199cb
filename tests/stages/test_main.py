"""How dvc.yaml starts a stage: by its name in DVC, so that no parameter reaches a shell."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from birdclef.params import ParamsError
from birdclef.stages import __main__ as start
from paths import ROOT
from repository import Repository


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("index", ["index"]),
        ("train_l1@0-default-2", ["train_l1", "0", "default", "2"]),
        ("pseudo_label@round0-1", ["pseudo_label", "l1", "l2", "1"]),
        ("train_l2@round1-0-a_b.c_d-4", ["train_l2", "l2", "l3", "0", "a_b.c_d", "4"]),
        ("../dvc.yaml:train_l1@0-default-2", ["train_l1", "0", "default", "2"]),
        ("../a@b:c/dvc.yaml:evaluate", ["evaluate"]),
    ],
)
def test_the_name_of_a_stage_holds_its_arguments(name: str, parts: list[str]) -> None:
    assert start.split_name(name) == parts


def _write(folder: Path, changes: dict[str, Any]) -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["models"] |= changes
    (folder / "params.yaml").write_text(yaml.safe_dump(params))


def test_parameters_are_checked_before_the_name_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(tmp_path, {"teacher_backbones": ["../../x"]})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["stages", "train_l1@0-../../x-0"])
    monkeypatch.setattr("runpy.run_module", lambda *_, **__: pytest.fail("a script was started"))
    with pytest.raises(ParamsError, match=r"models\.teacher_backbones"):
        start.main()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """The stages of our dvc.yaml that have a matrix, without inputs, in a new repository."""
    folder = tmp_path / "repository"
    folder.mkdir()
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    stages = {name: stage for name, stage in pipeline.items() if "matrix" in stage}
    for stage in stages.values():
        stage["deps"] = []
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    (folder / "src").symlink_to(ROOT / "src")
    repository = Repository(folder, tmp_path)
    repository.run("dvc", "init", "--no-scm", "-q")
    return repository


TOUCH = "touch pwned"
HOSTILE = f"""x; {TOUCH}; $({TOUCH}) `{TOUCH}` | {TOUCH} && {TOUCH} & {TOUCH} ' ; {TOUCH} ; ' " ;
{TOUCH}
{TOUCH} ; " \r{TOUCH} \u2028{TOUCH} # ${{data.root}} ; {TOUCH}"""
PLACES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "train_l1": ("teacher_backbones", lambda text: [text]),
    "pseudo_label": ("rounds", lambda text: [{"teachers": text, "students": text, text: text}]),
    "train_l2": ("student_backbones", lambda text: [text]),
}


@pytest.mark.slow
@pytest.mark.parametrize("stage", PLACES)
def test_no_text_of_params_yaml_reaches_a_shell(repository: Repository, stage: str) -> None:
    key, make = PLACES[stage]
    lists = {"folds": [HOSTILE], "seeds": [HOSTILE], key: make(HOSTILE)}
    _write(repository.folder, lists)
    planned = repository.run("dvc", "repro", "--dry", stage)
    started = [line for line in planned.splitlines() if line.startswith("> ")]
    assert started == ['> PYTHONPATH=src python -m birdclef.stages "$DVC_STAGE"']
    refused = repository.run("dvc", "repro", stage, fails=True)
    assert f"models.{key}" in refused
    assert not (repository.folder / "pwned").exists()
