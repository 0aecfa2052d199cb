"""A bug report contains the versions and settings of this machine, and no secret."""

import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from birdclef.cli.doctor import doctor
from birdclef.params import Params

CPUINFO = "processor : 0\nmodel name : Fast One\nflags : fpu avx2 amx_bf16\n\nprocessor : 1\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"]):
        subprocess.run(command, check=True)
    return tmp_path


@pytest.mark.slow
def test_report_is_of_this_machine_and_repository(repository: Path, params: Params) -> None:
    (repository / "cpuinfo").write_text(CPUINFO)
    url = "s3://key:secret@host/store"
    subprocess.run(["dvc", "remote", "add", "-q", "--default", "store", url], check=True)
    for name, folder in (("nas", str(repository)), ("lost", "../unmounted disk")):
        subprocess.run(["dvc", "remote", "add", "-q", name, folder], check=True)
    subprocess.run(["dvc", "config", "cache.type", "hardlink"], check=True)
    found = dict(doctor(params, repository / "cpuinfo"))
    assert f"torch {version('torch')}," in found["packages"]
    assert "Fast One; avx2 amx_bf16" in found["processor"]
    assert f"runtime.threads {params.runtime.threads}" in found["threads"]
    assert found["cache"].endswith("type hardlink")
    remotes = "store: s3 (default), nas: folder, lost: folder that is not there"
    assert found["remotes"] == remotes
    assert "secret" not in str(found)
    assert "GB free" in found["space"]


def test_missing_programs_do_not_stop_it(
    tmp_path: Path, params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = dict(doctor(params, tmp_path / "none"))
    assert "dvc" in found["cache"]
    assert found["processor"]
