"""Changed recordings, species, folders, folds and backbones: DVC makes only what is new."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from birdclef.index.layouts import COMPETITION
from index_data import competition_row, write_table
from repository import Repository, stages_run, working_copy
from sounds import RATE_HZ, write

pytestmark = pytest.mark.slow

OWN = "data/own"
DATA_STAGES = ["index", "index_extra", "deduplicate", "preprocess"]


class Competition:
    """A user's own data.root in a clone, pushed to a remote after each change."""

    def __init__(self, clone: Repository, remote: Path) -> None:
        self.clone, self.remote = clone, remote
        self.rows: list[dict[str, Any]] = []
        clone.run("dvc", "remote", "add", "--local", "-d", "store", str(remote))
        write(self.folder / "unlabeled_soundscapes/u.ogg", self._noise(0, 6))

    @property
    def folder(self) -> Path:
        return self.clone.folder / OWN / COMPETITION.source

    @staticmethod
    def _noise(seed: int, seconds: float) -> Any:
        sound = np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ))
        return (0.1 * sound).astype(np.float32)

    def add(self, species: str, number: int) -> None:
        row = competition_row(species, number)
        self.rows.append(row)
        write(self.folder / COMPETITION.audio / row["filename"], self._noise(number, 1))

    def remove(self, number: int) -> None:
        (row,) = [r for r in self.rows if r["filename"].endswith(f"XC{number}.ogg")]
        self.rows.remove(row)
        (self.folder / COMPETITION.audio / row["filename"]).unlink()

    def run(self) -> list[str]:
        """Bring the data stages up to date and push; return the stages that ran."""
        write_table(self.folder / COMPETITION.table, self.rows)
        shown = self.clone.run("dvc", "repro", "preprocess")
        self.clone.run("dvc", "push", "preprocess")
        return stages_run(shown)

    def shards(self) -> dict[str, int]:
        """The modification time of each shard in ns, by name."""
        found = (self.clone.folder / "data/clips").glob("*.npy")
        return {path.stem: path.stat().st_mtime_ns for path in found}

    def uploaded(self) -> dict[str, bytes]:
        """The bytes of each object on the remote, by name."""
        files = (p for p in self.remote.rglob("*") if p.is_file())
        return {p.parent.name + p.name: p.read_bytes() for p in files}


@pytest.fixture(scope="module")
def competition(tmp_path_factory: pytest.TempPathFactory) -> Competition:
    """A competition of three species with three recordings each, which replaces the demo."""
    folder, home, remote = (tmp_path_factory.mktemp(n) for n in ("clone", "home", "remote"))
    clone = working_copy(folder, home)
    clone.change("data", root=OWN)
    clone.change("runtime", jobs=1)
    competition = Competition(clone, remote)
    for i in range(9):
        competition.add("abc"[i % 3], i)
    assert competition.run() == DATA_STAGES  # but not the stage demo
    assert set(competition.shards()) == {"a", "b", "c"}
    return competition


@pytest.mark.parametrize(
    ("change", "remade"),
    [
        (lambda competition: competition.add("a", 20), "a"),
        (lambda competition: competition.remove(4), "b"),
        (lambda competition: competition.add("new", 30), "new"),
    ],
    ids=["one more recording", "one less recording", "a new species"],
)
def test_one_shard_is_made_and_one_uploaded(
    competition: Competition, change: Callable[[Competition], None], remade: str
) -> None:
    before, uploaded_before = competition.shards(), competition.uploaded()
    change(competition)
    assert competition.run() == DATA_STAGES
    after = competition.shards()
    assert {name for name in after if after[name] != before.get(name)} == {remade}
    uploaded = competition.uploaded()
    new = [data for name, data in uploaded.items() if name not in uploaded_before]
    shard = (competition.clone.folder / f"data/clips/{remade}.npy").read_bytes()
    assert [data for data in new if data.startswith(b"\x93NUMPY")] == [shard]


def test_raw_recordings_are_never_pushed(competition: Competition) -> None:
    raw = {path.read_bytes() for path in competition.folder.rglob("*.ogg")}
    assert len(raw) > len(competition.rows)
    competition.clone.run("dvc", "push")
    assert not raw & set(competition.uploaded().values())


def test_another_machine_can_pull_a_run_with_shorter_lists(
    copy: Repository, tmp_path: Path
) -> None:
    """If the lists are restored afterwards, every model comes from the cache."""
    params = copy.folder / "params.yaml"
    before, lock = params.read_text(), copy.hashes()
    rounds = [{"teachers": "l1", "students": "l2"}]
    copy.change("models", folds=[1], teacher_backbones=["test_resnet"], rounds=rounds)
    ran = [name.split("@")[0] for name in stages_run(copy.run("dvc", "repro"))]
    assert ran == ["pseudo_label", "train_l2", "evaluate", "export_onnx"]
    assert set(copy.metrics("evaluate")["soundscapes"]) >= {"l1", "l2"}
    assert "l3" not in copy.metrics("evaluate")["soundscapes"]
    copy.commit()
    copy.run("dvc", "push")
    other = copy.clone(tmp_path / "clone", tmp_path / "another-home")
    other.run("dvc", "remote", "add", "--local", "-d", "store", str(tmp_path / "remote"))
    other.run("dvc", "pull")
    assert "up to date" in other.run("dvc", "status")
    params.write_text(before)
    ran = [name.split("@")[0] for name in stages_run(copy.run("dvc", "repro"))]
    assert not [name for name in ran if name.startswith("train")]
    assert copy.hashes() == lock


def test_another_number_of_folds_splits_again_and_decodes_nothing(copy: Repository) -> None:
    """More folds train every model again; the earlier number of folds comes from the cache."""
    params = copy.folder / "params.yaml"
    before, lock = params.read_text(), copy.hashes()
    rounds = [{"teachers": "l1", "students": "l2"}]
    copy.change("folds", count=3)
    copy.change("models", folds=[0, 1, 2], teacher_backbones=["default"], rounds=rounds)
    ran = [name.split("@")[0] for name in stages_run(copy.run("dvc", "repro"))]
    stages = ["pseudo_label", *["train_l2"] * 3, "evaluate", "export_onnx"]
    assert ran == ["deduplicate", *["train_l1"] * 3, *stages]
    folds = (copy.folder / "data/index/folds.csv").read_text().splitlines()[1:]
    assert {line.rsplit(",", 1)[1] for line in folds} == {"0", "1", "2"}
    params.write_text(before)
    ran = [name.split("@")[0] for name in stages_run(copy.run("dvc", "repro"))]
    assert not [name for name in ran if name.startswith("train")]
    assert copy.hashes().items() >= lock.items()  # DVC keeps the entries of removed folds


def _edited(copy: Repository, *modules: str) -> set[str]:
    """The names of the stages that would run after a comment is added to these modules."""
    for module in modules:
        path = copy.folder / "src/birdclef" / module
        path.write_text(path.read_text() + "\n# An edit.\n")
    return {name.split("@")[0] for name in stages_run(copy.run("dvc", "repro", "--dry"))}


def test_an_edit_reruns_the_stages_that_depend_on_its_package(copy: Repository) -> None:
    """Modules that only check values or write to the screen re-run nothing.

    An edit of the training package re-runs no data stage.
    """
    assert (
        _edited(copy, "params.py", "param_types.py", "errors.py", "progress.py", "cli/report.py")
        == set()
    )
    (copy.folder / "src/birdclef/training/notes.txt").write_text("not code")
    assert _edited(copy) == set()
    ran = _edited(copy, "training/trainer.py")
    assert {"train_l1", "train_l2"} <= ran
    assert not ran & {"demo", *DATA_STAGES}
    assert {"preprocess"} == _edited(copy, "audio/store.py") & {"demo", "index", "preprocess"}
