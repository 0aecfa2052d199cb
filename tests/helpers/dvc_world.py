"""A small DVC repository that has run once and was pushed. Tests damage copies of it."""

import os
import shutil
from pathlib import Path

import pytest
from dvc.repo import Repo

PIPELINE = """
stages:
  make:
    cmd: mkdir -p clips/deep && echo a > clips/a && echo b > clips/deep/b && echo t > table.csv
      && echo s > scores.json
    outs: [clips, table.csv]
    metrics: [{scores.json: {cache: false}}]
"""
REMOTE = Path("../remote")  # as seen from the repository


@pytest.fixture(scope="session")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds the repository and its remote."""
    world = tmp_path_factory.mktemp("pushed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_SITE_CACHE_DIR", str(world / "site"))
        (world / "repository").mkdir()
        patch.chdir(world / "repository")
        Path("dvc.yaml").write_text(PIPELINE)
        Path("own.bin").write_bytes(bytes(range(256)) * 1000)
        with Repo.init(no_scm=True) as repo, repo.config.edit() as config:
            config["core"].update(remote="store", analytics=False)
            config["remote"] = {"store": {"url": str(REMOTE), "verify": True}}
        with Repo() as repo:
            repo.add("own.bin")
            repo.reproduce()
            repo.push()
    return world


@pytest.fixture
def world(pushed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of the repository and its remote to damage; the copy is the current folder."""
    shutil.copytree(pushed, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.chdir(tmp_path / "repository")


def cache_object(path: str) -> Path:
    """Path of the cache object of an output, or of a file in an output."""
    with Repo() as repo:
        (output,) = [o for o in repo.index.outs if Path(path).is_relative_to(str(o))]
        oid = output.hash_info.value
        if Path(path) != Path(str(output)):
            oid = output.get_obj().get(Path(path).relative_to(str(output)).parts)[1].value
    return Path(f".dvc/cache/files/md5/{oid[:2]}/{oid[2:]}")


def remote_object(path: str) -> Path:
    """Path of the same object on the remote."""
    return REMOTE / cache_object(path).relative_to(".dvc/cache")


def spoil(path: Path) -> None:
    """Change one bit of a file, but not its mode, size and times, as a failing disk does."""
    status = path.stat()
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(bytes(data))
    path.chmod(status.st_mode)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
