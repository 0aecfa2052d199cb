"""The ignore files do not hide from DVC or git what a user adds to DVC under data/ or models/."""

import shutil
import subprocess
from pathlib import Path

import pytest
from dvc.repo import Repo

from paths import ROOT

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("own", ["data/own.csv", "data/own/deep/call.ogg", "models/own.onnx"])
def test_files_added_beside_the_outputs_are_tracked(
    own: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    (tmp_path / "repository" / own).parent.mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "repository")
    subprocess.run(["git", "init", "-q"], check=True)
    for name in (".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, name)
    Path(own).write_text("mine")
    target = "/".join(own.split("/")[:2])
    with Repo.init() as repo:
        repo.add(target)
    with Repo() as repo:  # opened again, as the next command does
        (found,) = repo.index.outs
        pushed = repo.push(remote=_remote(repo, tmp_path))
    assert str(found) == target
    assert pushed > 0
    ignored = subprocess.run(["git", "check-ignore", f"{target}.dvc"], check=False)
    assert ignored.returncode == 1, f"git ignores {target}.dvc"


def _remote(repo: Repo, folder: Path) -> str:
    with repo.config.edit() as config:
        config["remote"] = {"store": {"url": str(folder / "remote")}}
    return "store"
