"""A rebuild gives what is committed, or the table shows which stages differ."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from birdclef.cli.app import app
from birdclef.cli.rebuild import (
    DIFFERENT,
    SAME,
    STALE,
    WITHIN,
    RebuildError,
    compare,
    data_stages,
    rebuild,
)

pytestmark = pytest.mark.slow

PIPELINE = """
stages:
  data:
    cmd: python src/data.py
    deps: [src/data.py]
    outs: [table.csv]
  train:
    cmd: python src/training/train.py
    deps: [src/training, table.csv]
    outs: [weights.bin]
    metrics: [{scores.json: {cache: false}}]
"""
TRAIN = (
    "# import torch\nopen('weights.bin', 'w').write('w')\nopen('scores.json', 'w').write({!r})\n"
)


class Project:
    """A repository with a data stage and a training stage; both have run and are committed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.write("dvc.yaml", PIPELINE)
        self.write(".gitignore", "table.csv\nweights.bin\n")
        self.write("src/data.py", "open('table.csv', 'w').write('a')\n")
        self.write("src/training/train.py", TRAIN.format(json.dumps({"auc": 0.9})))
        self.run("git init -q", "dvc init -q", "dvc repro -q", "git add -A", "git commit -qm run")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text)

    def run(self, *commands: str) -> None:
        for command in commands:
            subprocess.run(command.split(), cwd=self.folder, check=True)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    world = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        for role in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{role}_NAME", "t")
            patch.setenv(f"GIT_{role}_EMAIL", "t@example.org")
        patch.setenv("DVC_SITE_CACHE_DIR", str(world / "site"))
        return Project(world / "project")


@pytest.fixture(scope="module")
def clone(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    clone = tmp_path_factory.mktemp("clone") / "clone"
    rebuild(project.folder, clone)
    return clone


def test_a_rebuild_gives_what_is_committed(project: Project, clone: Path) -> None:
    found = compare(project.folder, clone, tolerance=0)
    assert [c[:3] for c in found] == [("data", 1, []), ("train", 2, [])]
    assert {c.verdict for c in found} == {SAME}


def _as_if_made(clone: Path, folder: Path, stage: str, auc: float | None = 0.9) -> Path:
    """A copy of the clone, as if a stage gave other bytes and the score `auc` (None: none)."""
    changed = folder / "changed"
    shutil.copytree(clone, changed)
    lock = yaml.safe_load((changed / "dvc.lock").read_text())
    for output in lock["stages"][stage]["outs"]:
        if output["path"] != "scores.json" or auc != 0.9:
            output["md5"] = "0" * 32
    (changed / "dvc.lock").write_text(yaml.safe_dump(lock))
    (changed / "scores.json").write_text(json.dumps({"auc": auc} if auc else {}))
    return changed


@pytest.mark.parametrize(
    ("stage", "auc", "verdict"),
    [
        ("data", 0.9, DIFFERENT),
        ("train", 0.9, WITHIN),
        ("train", 0.905, WITHIN),
        ("train", 0.92, DIFFERENT),
        ("train", None, DIFFERENT),
    ],
)
def test_only_training_may_differ_and_only_within_the_tolerance(
    project: Project, clone: Path, tmp_path: Path, stage: str, auc: float | None, verdict: str
) -> None:
    changed = _as_if_made(clone, tmp_path, stage, auc)
    found = {c.stage: c for c in compare(project.folder, changed, tolerance=0.01)}
    assert found.pop(stage).verdict == verdict
    assert [other.verdict for other in found.values()] == [SAME]


def test_scores_at_thresholds_move_in_steps_and_have_no_tolerance(
    project: Project, clone: Path, tmp_path: Path
) -> None:
    changed = _as_if_made(clone, tmp_path, "train", 0.905)
    thresholds = {"species_with": 3, "held_out": {"precision": 0.5}}
    (changed / "scores.json").write_text(json.dumps({"auc": 0.905, "thresholds": thresholds}))
    _, train = compare(project.folder, changed, tolerance=0.01)
    assert (train.verdict, train.different) == (WITHIN, ["scores.json by 0.005", "weights.bin"])


def test_what_differs_is_named_and_by_how_much(
    project: Project, clone: Path, tmp_path: Path
) -> None:
    _, train = compare(project.folder, _as_if_made(clone, tmp_path, "train", 0.92), tolerance=0.01)
    assert train.different == ["scores.json by 0.02", "weights.bin"]


def test_a_stage_that_was_never_committed_differs(
    project: Project, clone: Path, tmp_path: Path
) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(clone, changed)
    lock = yaml.safe_load((changed / "dvc.lock").read_text())
    lock["stages"]["new"] = lock["stages"]["train"]
    (changed / "dvc.lock").write_text(yaml.safe_dump(lock))
    found = {c.stage: c.verdict for c in compare(project.folder, changed, tolerance=0.01)}
    assert found == {"data": SAME, "train": SAME, "new": STALE}


@pytest.mark.parametrize("key", ["cmd", "params", "deps"])
def test_a_lock_that_was_not_written_by_what_is_committed_is_stale(
    project: Project, clone: Path, tmp_path: Path, key: str
) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(clone, changed)
    lock = yaml.safe_load((changed / "dvc.lock").read_text())
    other = [{"path": "src/data.py", "md5": "0"}] if key == "deps" else "other"
    lock["stages"]["data"][key] = other
    (changed / "dvc.lock").write_text(yaml.safe_dump(lock))
    found, train = compare(project.folder, changed, tolerance=0.01)
    assert (found.verdict, train.verdict) == (STALE, SAME)
    assert found.different == ["src/data.py" if key == "deps" else key]


def test_the_command_shows_a_table_and_exits_by_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.folder)
    seen = CliRunner().invoke(app, ["rebuild", "--data-only"])
    assert (seen.exit_code, "same bytes" in seen.output, "train" in seen.output) == (0, True, False)
    monkeypatch.setattr("birdclef.cli.rebuild._stale", lambda *_: ["cmd"])
    assert CliRunner().invoke(app, ["rebuild", "--data-only"]).exit_code == 1


def test_data_stages_are_those_without_torch(project: Project) -> None:
    assert data_stages(project.folder) == ["data"]


def test_a_failed_stage_is_named(project: Project, tmp_path: Path) -> None:
    with pytest.raises(RebuildError, match="dvc repro none` exited with"):
        rebuild(project.folder, tmp_path / "clone", ["none"])
