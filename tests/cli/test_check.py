"""Each problem that would stop a run late is found early and described."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from dvc.repo import Repo
from typer.testing import CliRunner

from birdclef.cli import check as checks
from birdclef.cli.app import app
from birdclef.cli.check import check
from birdclef.common.lengths import stored_samples
from birdclef.dataset.labeled import LabeledData
from birdclef.params import Params, load_params
from paths import ROOT
from small_world import SPECIES, labeled_clips


@pytest.fixture
def competition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "root/birdclef-2024/train_audio/a"
    folder.mkdir(parents=True)
    (folder / "x.ogg").write_bytes(b"x")
    soundscapes = tmp_path / "root/birdclef-2024/unlabeled_soundscapes"
    soundscapes.mkdir()
    (soundscapes / "1.ogg").write_bytes(b"x" * 1_000_000)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "root"


def _with(params: Params, **sections: Mapping[str, object]) -> Params:
    changed = {
        name: getattr(params, name).model_copy(update=values) for name, values in sections.items()
    }
    return params.model_copy(update=changed)


def _found(params: Params) -> dict[str, list[str]]:
    """Details of the findings that are not ok, by topic."""
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


def test_missing_soundscapes_for_students_are_found(
    competition: Path, small_params: Params
) -> None:
    next(competition.glob("birdclef-2024/unlabeled_soundscapes/*")).unlink()
    found = _found(_with(small_params, data={"root": str(competition)}))
    assert "unlabeled_soundscapes has no audio" in found["soundscapes"][0]


def test_a_backbone_that_cannot_process_the_images_is_found(
    competition: Path, small_params: Params
) -> None:
    """The model can be built, but it fails on a clip: 16 does not divide 33 frames."""
    train = {"backbone": "test_vit"}
    found = _found(_with(small_params, data={"root": str(competition)}, train=train))
    assert "test_vit" in found["backbones"][0]
    assert "32 x 33" in found["backbones"][0]


def test_a_gpu_that_torch_cannot_use_is_found(
    competition: Path, small_params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For example one that is too old: torch lists it, but no kernel runs."""
    monkeypatch.setattr(checks, "prepare", lambda _: torch.device("cuda"))

    def ones(*_: object, **__: object) -> None:
        raise RuntimeError("no kernel image is available")

    monkeypatch.setattr("torch.ones", ones)
    found = _found(_with(small_params, data={"root": str(competition)}))
    assert found["device"] == ["no kernel image is available"]


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


def test_space_for_extra_recordings_is_included(competition: Path, small_params: Params) -> None:
    """All extra recordings count, up to the limit per species."""
    extra = competition / "birdclef-2023/train_audio/a"
    extra.mkdir(parents=True)
    needed = []
    for files in (0, 100, 900):
        for i in range(files):
            (extra / f"{i}.ogg").touch()
        details = [f.detail for f in check(_with(small_params, data={"root": str(competition)}))]
        (found,) = re.findall(r"at most ([\d.]+) GB needed", " ".join(details))
        needed.append(float(found))
    of_soundscapes = 0.016
    a_recording = 2 * 2 * stored_samples(small_params.clips) * 2 / 1e9
    expected = [of_soundscapes + count * a_recording for count in (1, 101, 500)]
    assert needed == pytest.approx(expected, abs=0.05)


def test_a_folder_that_cannot_be_written_is_found(competition: Path, small_params: Params) -> None:
    runtime = {"resume_dir": "/proc/resume"}  # where not even root writes
    found = _found(_with(small_params, data={"root": str(competition)}, runtime=runtime))
    assert [line.split(":")[0] for line in found["folder"]] == ["/proc/resume cannot be written"]
    assert "make it writable, or choose another folder" in found["folder"][0]
    assert list(found) == ["folder"]
    assert list(Path.cwd().iterdir()) == [competition]  # the check leaves no file behind


@pytest.mark.parametrize("name", ["elsewhere/cache", "data", "models", "metrics"])
def test_every_folder_that_is_written_is_checked(
    competition: Path, small_params: Params, name: str
) -> None:
    """DVC's cache is checked in its configured folder."""
    with Repo.init(no_scm=True) as repo, repo.config.edit() as config:
        config["cache"]["dir"] = str(Path("elsewhere/cache").absolute())
    shutil.rmtree("elsewhere", ignore_errors=True)
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).symlink_to("/proc/self")
    found = _found(_with(small_params, data={"root": str(competition)}))
    (detail,) = found["folder"]
    assert detail.split(" ")[0].endswith(name)


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
        (
            16,
            0,
            "fold 1: 12 recordings to train on, 12 clips per epoch,"
            " fewer than train.batch = 16: lower it",
        ),
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
    """There are 16 recordings of two species in four folds; repeated clips count."""
    clips = labeled_clips(Path("store"), small_params)
    labels = [SPECIES[i] for i in clips.targets.argmax(axis=1)]
    labeled = LabeledData(clips, labels, np.arange(16) % 4, SPECIES)
    monkeypatch.setattr(checks, "load_labeled", lambda _: labeled)
    monkeypatch.setattr(checks, "INPUT_FILES", [])
    train = {"batch": batch, "min_recordings": minimum}
    found = _found(_with(small_params, data={"root": str(competition)}, train=train))
    assert (expected in found["labels"]) if expected else not found


def test_species_that_a_fold_will_not_know_are_named(
    competition: Path, small_params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = labeled_clips(Path("store"), small_params)
    labels = [SPECIES[i] for i in clips.targets.argmax(axis=1)]
    folds = np.where(clips.targets[:, 0] > 0, 1, 0)  # all of the first species
    monkeypatch.setattr(
        checks, "load_labeled", lambda _: LabeledData(clips, labels, folds, SPECIES)
    )
    monkeypatch.setattr(checks, "INPUT_FILES", [])
    params = _with(small_params, data={"root": str(competition)}, models={"folds": [0, 1]})
    details = [finding.detail for finding in check(params) if finding.what == "labels"]
    assert details[0].endswith(f", no recording of {SPECIES[1]}")
    assert details[1].endswith(f", no recording of {SPECIES[0]}")


def test_a_missing_device_is_found(
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
