"""Every flipped byte is found, and mended wherever a good copy is left."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from dvc.repo import Repo
from typer.testing import CliRunner

from birdclef.cli import app
from birdclef.verification import Verification, VerificationError, verify

PIPELINE = """
stages:
  make:
    cmd: mkdir -p clips/deep && echo a > clips/a && echo b > clips/deep/b && echo t > table.csv
      && echo s > scores.json
    outs: [clips, table.csv]
    metrics: [{scores.json: {cache: false}}]
"""
REMOTE = Path("../remote")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that has run once and was pushed, with a file added by hand."""
    world = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_SITE_CACHE_DIR", str(world / "site"))
        (world / "repository").mkdir()
        patch.chdir(world / "repository")
        Path("dvc.yaml").write_text(PIPELINE)
        Path("own.bin").write_bytes(bytes(range(256)))
        with Repo.init(no_scm=True) as repo, repo.config.edit() as config:
            config["core"].update(remote="store", analytics=False)
            config["remote"] = {"store": {"url": str(world / "remote")}}
        with Repo() as repo:
            repo.add("own.bin")
            repo.reproduce()
            repo.push()
    return world


@pytest.fixture(autouse=True)
def _world(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of it to spoil, which is the current folder."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.chdir(tmp_path / "repository")
    with Repo() as repo, repo.config.edit() as config:
        config["remote"]["store"]["url"] = str(tmp_path / "remote")


def _object(path: str) -> Path:
    """The cache object of an output, or of a file in one."""
    with Repo() as repo:
        (output,) = [o for o in repo.index.outs if Path(path).is_relative_to(str(o))]
        oid = output.hash_info.value
        if Path(path) != Path(str(output)):
            oid = output.get_obj().get(Path(path).relative_to(str(output)).parts)[1].value
    return Path(f".dvc/cache/files/md5/{oid[:2]}/{oid[2:]}")


def _spoil(path: Path) -> None:
    """Other bytes, and nothing else: mode, size and time stay, as on a disk that rots."""
    status, mode = path.stat(), path.stat().st_mode
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(bytes(data))
    path.chmod(mode)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _named(found: Verification) -> dict[str, str]:
    return {str(fault.path): fault.problem for fault in found.faults}


def _repaired_whole(found: Verification) -> bool:
    again = verify()
    return all(f.repaired for f in found.faults) and again.files == 10 and again.faults == []


def test_all_that_dvc_names_is_read_and_good() -> None:
    assert verify() == Verification(10, [])  # 1 list, 4 objects, 4 cached files, 1 in git


@pytest.mark.parametrize("path", ["clips/a", "clips/deep/b", "table.csv", "own.bin"])
def test_a_spoiled_output_is_found_and_put_back(path: str) -> None:
    good = Path(path).read_bytes()
    _spoil(Path(path))
    assert _named(verify()) == {path: "corrupt"}
    assert Path(path).read_bytes() != good  # looking changes nothing
    assert _repaired_whole(verify(repair=True))
    assert Path(path).read_bytes() == good


def test_a_missing_output_is_found_and_put_back() -> None:
    shutil.rmtree("clips")
    Path("own.bin").unlink()
    assert _named(verify()) == dict.fromkeys(["clips/a", "clips/deep/b", "own.bin"], "missing")
    assert _repaired_whole(verify(repair=True))


@pytest.mark.parametrize("damage", [_spoil, Path.unlink])
@pytest.mark.parametrize("path", ["clips", "clips/a", "table.csv"])
def test_a_bad_object_is_rebuilt_from_the_output(path: str, damage: Callable[[Path], None]) -> None:
    stored = _object(path)
    shutil.rmtree(REMOTE)
    damage(stored)
    assert list(_named(verify())) == [str(stored)]
    found = verify(repair=True)
    assert found.faults[0].remedy == f"rebuilt from {path}"
    assert _repaired_whole(found)
    assert stored.stat().st_mode & 0o777 == 0o444


@pytest.mark.parametrize("path", ["clips", "clips/a", "table.csv"])
def test_a_bad_object_without_a_good_output_is_fetched(path: str) -> None:
    stored = _object(path)
    _spoil(stored)
    spoiled = Path("clips/a" if path == "clips" else path)
    _spoil(spoiled)
    found = verify(repair=True)
    assert _named(found) == {str(stored): "corrupt", str(spoiled): "corrupt"}
    assert found.faults[0].remedy == "fetched from the remote"
    assert _repaired_whole(found)


def test_the_whole_cache_and_workspace_come_back_from_the_remote() -> None:
    shutil.rmtree(".dvc/cache")
    shutil.rmtree("clips")
    for path in ("table.csv", "own.bin"):
        Path(path).unlink()
    assert _repaired_whole(verify(repair=True))


def test_linked_outputs_are_mended_too() -> None:
    """One file under two names: both are bad at once, and stay one file after the repair."""
    with Repo() as repo, repo.config.edit() as config:
        config["cache"] = {"type": "hardlink"}
    shutil.rmtree("clips")
    with Repo() as repo:
        repo.checkout()
    assert Path("clips/a").samefile(_object("clips/a"))
    _spoil(Path("clips/a"))
    assert len(verify().faults) == 2
    assert _repaired_whole(verify(repair=True))
    assert Path("clips/a").samefile(_object("clips/a"))


@pytest.mark.parametrize("remote", ["corrupt", "empty", "none"])
def test_without_a_good_copy_the_fault_stays_and_dvc_sees_it(remote: str) -> None:
    stored = _object("table.csv")
    _spoil(stored)
    _spoil(Path("table.csv"))
    if remote == "corrupt":
        _spoil(REMOTE / stored.relative_to(".dvc/cache"))
    elif remote == "empty":
        shutil.rmtree(REMOTE)
    else:
        with Repo() as repo, repo.config.edit() as config:
            del config["core"]["remote"]
    lost = Path("table.csv").read_bytes()
    found = verify(repair=True)
    assert not any(fault.repaired for fault in found.faults)
    assert ("no remote" if remote == "none" else "no good copy") in found.faults[0].remedy
    assert not stored.exists()  # so that `dvc repro` makes it anew
    assert Path("table.csv").read_bytes() == lost


def test_what_is_not_named_is_told_and_kept() -> None:
    Path("clips/mine").write_text("x")
    assert _named(verify(repair=True)) == {"clips/mine": "unknown"}
    assert Path("clips/mine").exists()


def test_a_metric_in_git_is_checked_but_left_to_git() -> None:
    _spoil(Path("scores.json"))
    (fault,) = verify(repair=True).faults
    assert "git checkout -- scores.json" in fault.remedy


def test_a_stage_that_never_ran_is_named() -> None:
    Path("dvc.lock").unlink()
    found = verify()
    assert _named(found) == dict.fromkeys(["clips", "table.csv", "scores.json"], "unknown")
    assert "dvc repro make" in found.faults[0].remedy


def test_a_folder_that_cannot_be_written_stops_the_repair(monkeypatch: pytest.MonkeyPatch) -> None:
    _spoil(Path("table.csv"))
    _spoil(Path("own.bin"))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("dvc_objects.fs.generic.transfer", full)
        with pytest.raises(VerificationError, match=r"No space left on device.*run it again"):
            verify(repair=True)
    assert Path("table.csv").exists()
    assert _repaired_whole(verify(repair=True))


def test_it_waits_for_nobody_and_needs_a_repository() -> None:
    with Repo() as repo, repo.lock, pytest.raises(VerificationError, match="lock"):
        verify()
    with pytest.raises(VerificationError, match="not inside of a DVC repository"):
        verify("/")


def test_the_command_names_faults_and_exits_by_what_is_left() -> None:
    _spoil(Path("table.csv"))
    seen = CliRunner().invoke(app, ["verify"])
    assert (seen.exit_code, "corrupt  table.csv: try --repair" in seen.output) == (1, True)
    mended = CliRunner().invoke(app, ["verify", "--repair"])
    assert (mended.exit_code, "1 faults, 1 repaired" in mended.output) == (0, True)
    assert CliRunner().invoke(app, ["verify"]).exit_code == 0
