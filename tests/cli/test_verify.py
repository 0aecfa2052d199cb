"""Every flipped byte is found, and repaired wherever a good copy exists."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from dvc.repo import Repo
from typer.testing import CliRunner

from birdclef.cli.app import app
from birdclef.cli.verify import Verification, VerificationError, verify
from dvc_world import REMOTE, cache_object, remote_object, spoil

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("world")]


def _named(found: Verification) -> dict[str, str]:
    return {str(fault.path): fault.problem for fault in found.faults}


def _repaired_whole(found: Verification) -> bool:
    again = verify()
    return all(f.repaired for f in found.faults) and again.files == 10 and again.faults == []


def test_every_file_that_dvc_names_is_read_and_good() -> None:
    assert verify() == Verification(10, [])  # 1 list, 4 objects, 4 cached files, 1 in git


@pytest.mark.parametrize("path", ["clips/a", "clips/deep/b", "table.csv", "own.bin"])
def test_a_spoiled_output_is_found_and_restored(path: str) -> None:
    good = Path(path).read_bytes()
    spoil(Path(path))
    assert _named(verify()) == {path: "corrupt"}
    assert Path(path).read_bytes() != good  # a check changes nothing
    assert _repaired_whole(verify(repair=True))
    assert Path(path).read_bytes() == good


def test_a_missing_output_is_found_and_restored() -> None:
    shutil.rmtree("clips")
    Path("own.bin").unlink()
    assert _named(verify()) == dict.fromkeys(["clips/a", "clips/deep/b", "own.bin"], "missing")
    assert _repaired_whole(verify(repair=True))


@pytest.mark.parametrize("damage", [spoil, Path.unlink])
@pytest.mark.parametrize("path", ["clips", "clips/a", "table.csv"])
def test_a_bad_object_is_rebuilt_from_the_output(path: str, damage: Callable[[Path], None]) -> None:
    stored = cache_object(path)
    shutil.rmtree(REMOTE)
    damage(stored)
    assert list(_named(verify())) == [str(stored)]
    found = verify(repair=True)
    assert found.faults[0].remedy == f"rebuilt from {path}"
    assert _repaired_whole(found)
    assert stored.stat().st_mode & 0o777 == 0o444


@pytest.mark.parametrize("path", ["clips", "clips/a", "table.csv"])
def test_a_bad_object_without_a_good_output_is_fetched(path: str) -> None:
    stored = cache_object(path)
    spoil(stored)
    spoiled = Path("clips/a" if path == "clips" else path)
    spoil(spoiled)
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


def test_linked_outputs_are_repaired_too() -> None:
    """One file has two names: both are bad at once, and remain one file after the repair."""
    with Repo() as repo, repo.config.edit() as config:
        config["cache"] = {"type": "hardlink"}
    shutil.rmtree("clips")
    with Repo() as repo:
        repo.checkout()
    assert Path("clips/a").samefile(cache_object("clips/a"))
    spoil(Path("clips/a"))
    assert len(verify().faults) == 2
    assert _repaired_whole(verify(repair=True))
    assert Path("clips/a").samefile(cache_object("clips/a"))


@pytest.mark.parametrize("remote", ["corrupt", "empty", "none"])
def test_without_a_good_copy_the_fault_stays_and_dvc_sees_it(remote: str) -> None:
    stored = cache_object("table.csv")
    spoil(stored)
    spoil(Path("table.csv"))
    if remote == "corrupt":
        spoil(remote_object("table.csv"))
    elif remote == "empty":
        shutil.rmtree(REMOTE)
    else:
        with Repo() as repo, repo.config.edit() as config:
            del config["core"]["remote"]
    lost = Path("table.csv").read_bytes()
    found = verify(repair=True)
    assert not any(fault.repaired for fault in found.faults)
    assert ("no remote" if remote == "none" else "no good copy") in found.faults[0].remedy
    assert not stored.exists()  # so that `dvc repro` makes it again
    assert Path("table.csv").read_bytes() == lost


def test_a_file_that_dvc_lock_does_not_name_is_reported_and_kept() -> None:
    Path("clips/mine").write_text("x")
    assert _named(verify(repair=True)) == {"clips/mine": "unknown"}
    assert Path("clips/mine").exists()


def test_a_metric_in_git_is_checked_but_left_to_git() -> None:
    spoil(Path("scores.json"))
    (fault,) = verify(repair=True).faults
    assert "git checkout -- scores.json" in fault.remedy


def test_a_stage_that_never_ran_is_named() -> None:
    Path("dvc.lock").unlink()
    found = verify()
    assert _named(found) == dict.fromkeys(["clips", "table.csv", "scores.json"], "unknown")
    assert "dvc repro make" in found.faults[0].remedy


def test_a_folder_that_cannot_be_written_stops_the_repair(monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(Path("table.csv"))
    spoil(Path("own.bin"))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("dvc_objects.fs.generic.transfer", full)
        with pytest.raises(VerificationError, match=r"No space left on device.*run it again"):
            verify(repair=True)
    assert Path("table.csv").exists()
    assert _repaired_whole(verify(repair=True))


def test_it_does_not_wait_for_a_lock_and_needs_a_repository() -> None:
    with Repo() as repo, repo.lock, pytest.raises(VerificationError, match="lock"):
        verify()
    with pytest.raises(VerificationError, match="not inside of a DVC repository"):
        verify("/")


def test_the_command_names_faults_and_exits_with_1_if_any_remain() -> None:
    spoil(Path("table.csv"))
    seen = CliRunner().invoke(app, ["verify"])
    assert (seen.exit_code, "corrupt  table.csv: try --repair" in seen.output) == (1, True)
    assert "dvc pull" not in seen.output
    repaired = CliRunner().invoke(app, ["verify", "--repair"])
    assert (repaired.exit_code, "1 faults, 1 repaired" in repaired.output) == (0, True)
    assert CliRunner().invoke(app, ["verify"]).exit_code == 0


def test_a_clone_without_data_is_told_to_pull() -> None:
    shutil.rmtree(".dvc/cache")
    for path in ("table.csv", "own.bin"):
        Path(path).unlink()
    shutil.rmtree("clips")
    seen = CliRunner().invoke(app, ["verify"])
    assert (seen.exit_code, "`dvc pull` fetches the rest" in seen.output) == (1, True)
