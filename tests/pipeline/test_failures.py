"""Failures of storage: DVC reports them, no data is lost, and a second attempt succeeds."""

import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dvc.cli import main

from birdclef.cli.verify import verify
from dvc_world import REMOTE, remote_object, spoil

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("world")]


class Dvc:
    """Runs DVC commands as a user types them, and keeps the log of the last one."""

    def __init__(self, log: pytest.LogCaptureFixture) -> None:
        self.log = log

    def __call__(self, *command: str) -> bool:
        """Run a command; return whether it succeeded."""
        self.log.clear()
        return main(list(command)) == 0

    @property
    def output(self) -> str:
        """The log of the last command."""
        return self.log.text


@pytest.fixture
def dvc(caplog: pytest.LogCaptureFixture) -> Dvc:
    return Dvc(caplog)


def _remove_data() -> None:
    """Remove the cache and the data, so that the repository is like a fresh clone."""
    shutil.rmtree(".dvc/cache")
    shutil.rmtree("clips")
    for path in ("table.csv", "own.bin"):
        Path(path).unlink()


def _all_data_is_intact() -> bool:
    return not verify().faults


@pytest.mark.parametrize("path", ["clips", "clips/a", "table.csv"])
@pytest.mark.parametrize("damage", [spoil, Path.unlink])
def test_a_bad_object_on_the_remote(dvc: Dvc, path: str, damage: Callable[[Path], None]) -> None:
    """The pull fails and names the object; a push from an intact copy repairs the remote."""
    bad, folder = remote_object(path), remote_object(path.split("/")[0])
    shutil.copytree(".", "../intact")
    damage(bad)
    _remove_data()
    assert not dvc("pull")
    oid = bad.parent.name + bad.name
    assert path.split("/")[0] in dvc.output or oid in dvc.output
    # A push does not replace objects that the remote has. If the remote has a folder's list of
    # files, a push assumes that it has those files too.
    for remote_file in {bad, folder}:
        remote_file.unlink(missing_ok=True)
    os.chdir("../intact")
    assert dvc("push")
    os.chdir("../repository")
    assert dvc("pull")
    assert _all_data_is_intact()


@contextmanager
def _small_files_only(size: int) -> Iterator[None]:
    """Stop files from growing beyond `size` bytes, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fills_up_during_a_pull(dvc: Dvc) -> None:
    _remove_data()
    with _small_files_only(200_000):  # own.bin has 256,000 bytes
        assert not dvc("pull")
    assert not Path("own.bin").exists()
    assert dvc("pull")
    assert _all_data_is_intact()


def test_a_disk_that_fills_up_during_a_push(dvc: Dvc) -> None:
    shutil.rmtree(REMOTE)
    with _small_files_only(200_000):
        assert not dvc("push")
    assert _all_data_is_intact()
    assert dvc("push")
    _remove_data()
    assert dvc("pull")
    assert _all_data_is_intact()


@contextmanager
def _read_only(folder: Path) -> Iterator[None]:
    """Make a folder read-only by its mode; for root, who ignores modes, by a mount."""
    if os.geteuid():
        modes = {path: path.stat().st_mode for path in [folder, *folder.rglob("*")]}
        for path, mode in modes.items():
            path.chmod(mode & 0o555)
        yield
        for path, mode in modes.items():
            path.chmod(mode)
        return
    mount = subprocess.run(["mount", "--bind", "-o", "ro", folder, folder], check=False)
    if mount.returncode:
        pytest.skip("root ignores file modes, and cannot mount a folder read-only here")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_read_only_cache(dvc: Dvc) -> None:
    """The stage runs but its output cannot be cached; `dvc commit` caches it afterwards."""
    pipeline = Path("dvc.yaml")
    pipeline.write_text(pipeline.read_text().replace("echo t", "echo u"))
    with _read_only(Path(".dvc/cache")):
        assert not dvc("repro")
        assert "ead-only" in dvc.output or "ermission" in dvc.output
        assert Path("table.csv").read_text() == "u\n"
    assert dvc("commit", "--force", "make")
    assert dvc("repro")
    assert "Running stage" not in dvc.output
    assert _all_data_is_intact()
