"""Killed and concurrent runs: data stays intact, finished work is kept, the next run resumes."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from birdclef.cli.verify import verify
from repository import Repository, stages_run
from waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("victim", ["process group", "dvc alone"])
def test_a_killed_repro_resumes(copy: Repository, victim: str) -> None:
    """If only dvc is killed, its training is left over beside that of the next repro.

    It is stopped here, because on a busy machine it could finish before the next repro starts.
    """
    copy.change("models", teacher_backbones=["default"])
    copy.change("train_l1", epochs=30)
    process = copy.start("dvc", "repro", "train_l1")
    seen: set[str] = set()

    def second_has_begun() -> bool:
        seen.update(path.name for path in copy.folder.glob(".resume/*.pt"))
        return len(seen) == 2

    wait_until(second_has_begun)
    kill = os.killpg if victim == "process group" else os.kill
    kill(process.pid, signal.SIGKILL)
    process.wait()
    if victim == "dvc alone":
        os.killpg(process.pid, signal.SIGSTOP)
    try:
        shown = copy.run("dvc", "repro", "train_l1")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert len(stages_run(shown)) == 1
    assert "resumes after epoch" in shown
    copy.run("birdclef", "verify")
    assert "up to date" in copy.run("dvc", "status", "train_l1")


PIPELINE = """
stages:
  first: {cmd: echo 1 > a, outs: [a]}
  second: {cmd: touch started && sleep 3 && cat a a > b, deps: [a], outs: [b]}
"""


def test_a_second_repro_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC's locks: the second repro fails at once and names the first, which continues."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").write_text(PIPELINE)
    subprocess.run(["dvc", "init", "--no-scm", "-q"], check=True)
    with subprocess.Popen(["dvc", "repro", "-q"]) as first:
        wait_until(Path("started").exists)
        second = subprocess.run(["dvc", "repro"], capture_output=True, text=True, check=False)
    assert first.returncode == 0
    assert second.returncode != 0
    assert f"is busy, it is being blocked by:\n  (PID {first.pid})" in second.stderr
    again = subprocess.run(["dvc", "repro"], capture_output=True, text=True, check=True)
    assert not stages_run(again.stdout)
    assert not verify().faults
