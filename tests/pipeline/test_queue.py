"""The pipeline in DVC's queue: experiments run in parallel, each in its own folder."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from repository import Repository, stages_run
from waiting import wait_until

pytestmark = pytest.mark.slow

PROCESSES = ".dvc/tmp/exps/run/*/*.pid"


@pytest.fixture
def queue(copy: Repository) -> Iterator[Repository]:
    """A repository with one model per level and a shared resume folder; stops all workers."""
    rounds = [{"teachers": "l1", "students": "l2"}]
    copy.change("models", folds=[0], teacher_backbones=["default"], rounds=rounds)
    copy.change("runtime", resume_dir=str(copy.folder / ".resume"))
    yield copy
    copy.run("dvc", "queue", "stop", "--kill")


def _start(queue: Repository, *options: str) -> None:
    """Start workers without a pipe, because they keep running and would hold it open."""
    subprocess.run(
        ["dvc", "queue", "start", *options],
        cwd=queue.folder,
        env=queue.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )


def _tasks(queue: Repository, status: str) -> int:
    """Number of tasks with this status."""
    return queue.run("dvc", "queue", "status").count(status)


def _wait_for_all(queue: Repository) -> None:
    wait_until(lambda: not _tasks(queue, "Queued") + _tasks(queue, "Running"))


def test_a_grid_runs_only_the_stages_that_differ(queue: Repository) -> None:
    grid = "train.backbone=test_efficientnet,test_resnet", "train_l2.pseudo_ratio=0.5,1.0"
    queue.run("dvc", "exp", "run", "--queue", "-S", grid[0], "-S", grid[1], "train_l2")
    code = queue.folder / "src/birdclef/training/fold.py"
    good = code.read_text()
    code.write_text("raise SystemExit('edited after it was queued')")
    _start(queue, "-j", "2")
    _wait_for_all(queue)
    code.write_text(good)
    assert _tasks(queue, "Success") == 4
    shown = json.loads(queue.run("dvc", "exp", "show", "--json"))
    names = [e["name"] for group in shown[1]["experiments"] for e in group["revs"]]
    assert len(names) == 4
    ran = [stage for name in names for stage in stages_run(queue.run("dvc", "queue", "logs", name))]
    assert {name.split("@")[0] for name in ran} == {"train_l1", "pseudo_label", "train_l2"}
    queue.run("dvc", "exp", "apply", names[0])
    assert not [s for s in stages_run(queue.run("dvc", "repro", "train_l2")) if "train" in s]
    queue.run("dvc", "exp", "branch", names[1], "grid")
    assert "grid" in queue.run("git", "branch")


def _start_task(queue: Repository, name: str) -> int:
    """Queue and start an experiment; return the process group of its worker and stage."""
    before = set(queue.folder.glob(PROCESSES))
    change = ("-S", "train_l1.epochs=3000")
    queue.run("dvc", "exp", "run", "--queue", *change, "--name", name, "train_l1")
    _start(queue)
    wait_until(lambda: set(queue.folder.glob(PROCESSES)) - before)
    (file,) = set(queue.folder.glob(PROCESSES)) - before
    wait_until(file.read_text)
    return os.getpgid(int(file.read_text()))


def test_the_next_task_resumes_a_killed_one(queue: Repository) -> None:
    """The task dies as if the machine crashed; runtime.resume_dir keeps its training state."""
    first = _start_task(queue, "first")
    wait_until(lambda: list(queue.folder.glob(".resume/*.pt")))
    os.killpg(first, signal.SIGKILL)
    second = _start_task(queue, "second")
    wait_until(lambda: "resumes after epoch" in queue.run("dvc", "queue", "logs", "second"))
    os.killpg(second, signal.SIGKILL)
