"""Stages in parallel: each after the stages that it needs, and never more than allowed."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from dvc.repo import Repo

from birdclef.cli import parallel_repro as parallel
from birdclef.cli.parallel_repro import reproduce, stage_graph
from paths import ROOT

pytestmark = pytest.mark.slow

GRAPH = {"a": [], "b@0": ["a"], "b@1": ["a"], "c": ["b@0", "b@1"], "d": ["b@0"]}


class Runs:
    """Stands in for `dvc repro`: records what ran when, and fails for the stage `fails`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails: str = "") -> None:
        self.fails, self.done, self.most, self.now = fails, list[str](), 0, 0
        self.lock = threading.Lock()
        monkeypatch.setattr(parallel, "stage_graph", lambda _: GRAPH)
        monkeypatch.setattr(parallel, "_reproduce", self.run)
        monkeypatch.setattr(parallel, "_order_lock", lambda _: None)

    def run(self, name: str, _: Mapping[str, str], needs: Sequence[str] | None) -> bool:
        assert needs is None
        with self.lock:
            assert set(GRAPH[name]) <= set(self.done), f"{name} before what it needs"
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.02)
        with self.lock:
            self.now -= 1
            if name != self.fails:
                self.done.append(name)
        return name != self.fails


@pytest.mark.parametrize("jobs", [1, 2, 8])
def test_each_stage_runs_once_after_what_it_needs(
    jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs(monkeypatch)
    assert reproduce(jobs) == []
    assert sorted(runs.done) == sorted(GRAPH)
    assert runs.most == min(jobs, 2)


def test_what_does_not_need_a_failed_stage_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = Runs(monkeypatch, fails="b@1")
    assert reproduce(2) == ["b@1"]
    assert set(runs.done) == {"a", "b@0", "d"}


def test_after_ctrl_c_no_other_stage_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """One stage runs and two more are ready; the running stage is interrupted too."""
    started = []

    def run(name: str, *_: object) -> bool:
        started.append(name)
        time.sleep(0.2)
        return False

    def interrupted(*_: object, **__: object) -> None:
        time.sleep(0.05)
        raise KeyboardInterrupt

    monkeypatch.setattr(parallel, "stage_graph", lambda _: {"a": [], "b": [], "c": []})
    monkeypatch.setattr(parallel, "_reproduce", run)
    monkeypatch.setattr(parallel, "wait", interrupted)
    monkeypatch.setattr(parallel, "_order_lock", lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        reproduce(1)
    assert len(started) == 1


def test_several_gpus_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each stage gets the GPU with the fewest stages, in whatever order stages end."""
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    devices = parallel._Devices(parallel._visible_devices())
    stages = [devices.lend() for _ in range(6)]
    lent = [stage.__enter__()["CUDA_VISIBLE_DEVICES"] for stage in stages[:4]]
    assert lent == ["0", "1", "0", "1"]
    for ended in (0, 2, 1, 3):
        stages[ended].__exit__(None, None, None)
    lent = [stage.__enter__()["CUDA_VISIBLE_DEVICES"] for stage in stages[4:]]
    assert lent == ["0", "1"]


@pytest.mark.parametrize(
    ("count", "variable", "expected"),
    [(2, "4,7", ["4", "7"]), (2, "0,1,-1,3", ["0", "1"]), (1, "GPU-5d3", ["GPU-5d3"]), (0, "", [])],
)
def test_gpus_are_those_that_torch_sees(
    monkeypatch: pytest.MonkeyPatch, count: int, variable: str, expected: list[str]
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    assert parallel._visible_devices() == expected


def test_where_there_is_one_gpu_or_none_stages_choose_themselves() -> None:
    for names in ([], ["0"]):
        with parallel._Devices(names).lend() as environment:
            assert environment == {}


def test_the_graph_is_dvcs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    whole = stage_graph()
    assert "train_l1@0-default-0" in whole["pseudo_label@round0-0"]
    assert set(stage_graph(["index_extra"])) == {"demo", "index", "index_extra"}
    folds = [name for name in stage_graph(["train_l1"]) if name.startswith("train_l1@")]
    assert len(folds) == 3


def test_an_unknown_target_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(ValueError, match="no stage is named 'trian_l1'; the stages are demo, "):
        stage_graph(["trian_l1"])


SLOW_FIRST = """
stages:
  start: {cmd: echo s > s, outs: [s]}
  slow: {cmd: sleep 1.5 && echo a > a, deps: [s], outs: [a]}
  quick: {cmd: echo b > b, deps: [s], outs: [b]}
  end: {cmd: cat a b > c, deps: [a, b], outs: [c]}
"""


def test_dvc_lock_is_as_after_one_stage_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order is the same although `quick` is added to dvc.lock before `slow`."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").write_text(SLOW_FIRST)
    for command in ("init --no-scm -q", "repro -q"):
        subprocess.run(["dvc", *command.split()], check=True)
    lock = Path("dvc.lock")
    expected = lock.read_bytes()
    shutil.rmtree(".dvc/cache")
    lock.unlink()
    assert reproduce(2) == []
    assert lock.read_bytes() == expected
    assert expected.index(b"slow:") < expected.index(b"quick:")


def test_stages_that_dvc_lock_has_keep_their_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Repo.init(no_scm=True):
        Path("dvc.lock").write_text("schema: '2.0'\nstages:\n  b: {cmd: b}\n  a: {cmd: a}\n")
    parallel._order_lock(["a", "new", "b"])
    assert list(parallel._locked_stages()) == ["a", "b"]
    parallel._order_lock(["b"])
    assert list(parallel._locked_stages()) == ["b", "a"]
