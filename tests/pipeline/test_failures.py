"""What goes wrong on the way of the data: it is seen, nothing is lost, a second try finishes."""

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

pytestmark = pytest.mark.usefixtures("world")


class Dvc:
    """Commands of DVC as a user types them; what the last one told is kept."""

    def __init__(self, log: pytest.LogCaptureFixture) -> None:
        self.log = log

    def __call__(self, *command: str) -> bool:
        """Whether the command said that all went well."""
        self.log.clear()
        return main(list(command)) == 0

    @property
    def told(self) -> str:
        return self.log.text


@pytest.fixture
def dvc(caplog: pytest.LogCaptureFixture) -> Dvc:
    return Dvc(caplog)


def _forget() -> None:
    """As in a fresh clone: no cache, no data."""
    shutil.rmtree(".dvc/cache")
    shutil.rmtree("clips")
    for path in ("table.csv", "own.bin"):
        Path(path).unlink()


def _everything_is_good() -> bool:
    return not verify().faults


@pytest.mark.parametrize("path", ["clips", "clips/a", "table.csv"])
@pytest.mark.parametrize("damage", [spoil, Path.unlink])
def test_a_bad_object_on_the_remote(dvc: Dvc, path: str, damage: Callable[[Path], None]) -> None:
    """The pull fails and names it; a push from where it is whole mends the remote."""
    there, folder = remote_object(path), remote_object(path.split("/")[0])
    shutil.copytree(".", "../whole")
    damage(there)
    _forget()
    assert not dvc("pull")
    oid = there.parent.name + there.name
    assert path.split("/")[0] in dvc.told or oid in dvc.told
    for bad in {there, folder}:  # a push believes what is there, and a folder's list for its files
        bad.unlink(missing_ok=True)
    os.chdir("../whole")
    assert dvc("push")
    os.chdir("../repository")
    assert dvc("pull")
    assert _everything_is_good()


@contextmanager
def _small_files_only(size: int) -> Iterator[None]:
    """No file can grow beyond `size` bytes, as none can on a disk that has no more left."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fills_up_during_a_pull(dvc: Dvc) -> None:
    _forget()
    with _small_files_only(200_000):  # own.bin has 256,000
        assert not dvc("pull")
    assert not Path("own.bin").exists()
    assert dvc("pull")
    assert _everything_is_good()


def test_a_disk_that_fills_up_during_a_push(dvc: Dvc) -> None:
    shutil.rmtree(REMOTE)
    with _small_files_only(200_000):
        assert not dvc("push")
    assert _everything_is_good()
    assert dvc("push")
    _forget()
    assert dvc("pull")
    assert _everything_is_good()


@contextmanager
def _read_only(folder: Path) -> Iterator[None]:
    """By its mode, or for root, whom no mode stops, by a mount."""
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
        pytest.skip("root, who may write anywhere, may not mount here")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_read_only_cache(dvc: Dvc) -> None:
    """The stage runs, but its output cannot be kept; with the cache back, it is not lost."""
    pipeline = Path("dvc.yaml")
    pipeline.write_text(pipeline.read_text().replace("echo t", "echo u"))
    with _read_only(Path(".dvc/cache")):
        assert not dvc("repro")
        assert "ead-only" in dvc.told or "ermission" in dvc.told
        assert Path("table.csv").read_text() == "u\n"
    assert dvc("commit", "--force", "make")
    assert dvc("repro")
    assert "Running stage" not in dvc.told
    assert _everything_is_good()
