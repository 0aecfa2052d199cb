"""Each thing that would stop a run late is found early, and said in words."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from birdclef import checks
from birdclef.checks import check
from birdclef.cli import app
from birdclef.params import Params, load_params
from birdclef.training_data import LabeledData
from small_world import SPECIES, labeled_clips

ROOT = Path(__file__).parents[1]


@pytest.fixture
def competition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "root/birdclef-2024/train_audio/a"
    folder.mkdir(parents=True)
    (folder / "x.ogg").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "root"


def _with(params: Params, **sections: Mapping[str, object]) -> Params:
    changed = {
        name: getattr(params, name).model_copy(update=values) for name, values in sections.items()
    }
    return params.model_copy(update=changed)


def _found(params: Params) -> dict[str, list[str]]:
    """What is not well, by what was looked at."""
    bad: dict[str, list[str]] = {}
    for finding in check(params):
        if not finding.ok:
            bad.setdefault(finding.what, []).append(finding.detail)
    return bad


def test_all_is_well(competition: Path, small_params: Params) -> None:
    assert _found(_with(small_params, data={"root": str(competition)})) == {}


def test_missing_data_is_found(competition: Path, small_params: Params) -> None:
    found = _found(_with(small_params, data={"root": str(competition / "nowhere")}))
    assert "nowhere/birdclef-2024 not found" in found["data"][0]


def test_unknown_backbones_and_wrong_weights_are_found(
    competition: Path, small_params: Params
) -> None:
    root = {"root": str(competition)}
    models = {"teacher_backbones": ["default", "efficientvit_b99"]}
    found = _found(_with(small_params, data=root, models=models))
    assert "efficientvit_b99" in found["backbones"][0]
    weights = {"pretrained": str(competition / "none.safetensors")}
    assert "no such file" in _found(_with(small_params, data=root, train=weights))["backbones"][0]


def test_a_full_disk_is_found(
    competition: Path, small_params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    found = _found(_with(small_params, data={"root": str(competition)}))
    assert "0.0 GB free, at most 0.0 GB needed" in found["disk"][0]


def test_a_folder_that_cannot_be_written_is_found(competition: Path, small_params: Params) -> None:
    runtime = {"resume_dir": "/proc/resume"}  # where not even root writes
    found = _found(_with(small_params, data={"root": str(competition)}, runtime=runtime))
    assert [line.split(":")[0] for line in found["folder"]] == ["/proc/resume cannot be written"]
    assert list(found) == ["folder"]
    assert list(Path.cwd().iterdir()) == [competition]  # a look leaves nothing


def test_a_download_that_fails_is_found(
    competition: Path, small_params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr("timm.create_model", fail)
    params = _with(small_params, data={"root": str(competition)}, train={"pretrained": True})
    assert "could not be downloaded (no route)" in _found(params)["backbones"][0]


@pytest.mark.parametrize(
    ("batch", "minimum", "expected"),
    [
        (16, 0, "fold 1: 12 recordings to train on, 12 clips an epoch, less than train.batch = 16"),
        (16, 8, None),
    ],
)
def test_a_batch_larger_than_an_epoch_is_found(
    competition: Path,
    small_params: Params,
    monkeypatch: pytest.MonkeyPatch,
    batch: int,
    minimum: int,
    expected: str | None,
) -> None:
    """Of 16 recordings of two species in four folds; repeats count."""
    clips = labeled_clips(Path("store"), small_params)
    labels = [SPECIES[i] for i in clips.targets.argmax(axis=1)]
    labeled = LabeledData(clips, labels, np.arange(16) % 4, SPECIES)
    monkeypatch.setattr(checks, "load_labeled", lambda _: labeled)
    monkeypatch.setattr(checks, "INPUT_FILES", [])
    train = {"batch": batch, "min_recordings": minimum}
    found = _found(_with(small_params, data={"root": str(competition)}, train=train))
    assert (expected in found["labels"]) if expected else not found


def test_a_device_that_is_not_there_is_found(
    competition: Path, small_params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    found = _found(_with(small_params, data={"root": str(competition)}, runtime={"device": "cuda"}))
    assert "runtime.device = 'cuda', but torch finds no CUDA device" in found["device"][0]


def test_the_command_exits_with_1(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    params = (ROOT / "params.yaml").read_text().replace("root: data/demo", "root: data/none")
    (tmp_path / "params.yaml").write_text(params)
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(app, ["check"])
    assert shown.exit_code == 1
    assert "no data: data/none/birdclef-2024 not found" in shown.output.replace("\n", " ")
    assert load_params().data.root == "data/none"
