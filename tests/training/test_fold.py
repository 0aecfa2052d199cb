"""Inputs and parameters of training one fold, and its progress on the screen."""

import io
import re
from collections.abc import Callable, Sequence
from contextlib import chdir
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from birdclef import progress
from birdclef.common.names import INPUT_FILES, Fold
from birdclef.dataset.labeled import LabeledData
from birdclef.dataset.waveforms import LabeledClips
from birdclef.model.artifacts import TrainedModel
from birdclef.model.classifier import load_checkpoint
from birdclef.params import Params, load_params
from birdclef.pseudo_labels import PseudoLabels
from birdclef.stages import train_l1, train_l2
from birdclef.training import fold as fold_run
from birdclef.training.examples import TrainingExamples
from birdclef.training.fold import train_fold
from birdclef.training.resume import ResumePoint
from birdclef.training.trainer import FoldParams
from paths import ROOT
from small_world import SPECIES, labeled_clips

pytestmark = pytest.mark.slow


class _StoppedError(Exception):
    pass


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the input files that a resumed run must find unchanged, and nothing else."""
    folder = tmp_path_factory.mktemp("repository")
    for file in INPUT_FILES:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    return folder


@pytest.fixture(autouse=True)
def _inside(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)


@pytest.fixture(scope="module")
def labeled(tmp_path_factory: pytest.TempPathFactory, small_params: Params) -> LabeledData:
    """Sixteen recordings in four folds."""
    clips = labeled_clips(tmp_path_factory.mktemp("store"), small_params)
    labels = [SPECIES[i] for i in clips.targets.argmax(axis=1)]
    return LabeledData(clips, labels, np.arange(16) % 4, SPECIES)


def _fold_params(params: Params, **level: object) -> FoldParams:
    changed = params.train_l1.model_copy(update=level)
    train = params.train.model_copy(update={"batch": 4})  # three steps per epoch
    runtime = params.runtime.model_copy(update={"threads": 1})  # faster for such a small model
    return FoldParams(train, changed, params.mel, params.clips, runtime)


def _checkpoint(labeled: LabeledData, params: FoldParams) -> bytes:
    model = TrainedModel("l1", 0, "default", 1)
    train_fold(model, params, labeled, TrainingExamples(labeled.clips))
    return model.checkpoint.read_bytes()


BASE: dict[str, Any] = {"epochs": 2, "clip_grad": 0.05}
MIXUP: dict[str, Any] = {
    "per": "clip",
    "probability": 0.7,
    "weight": "uniform",
    "min_weight": 0.3,
}


@pytest.fixture(scope="module")
def base(small_params: Params) -> FoldParams:
    mixup = small_params.train_l1.mixup.model_copy(update=MIXUP)
    return _fold_params(small_params, **BASE, mixup=mixup)


@pytest.fixture(scope="module")
def base_checkpoint(labeled: LabeledData, base: FoldParams, repository: Path) -> bytes:
    with chdir(repository):
        return _checkpoint(labeled, base)


def test_the_same_parameters_leave_the_same_bytes(
    labeled: LabeledData, base: FoldParams, base_checkpoint: bytes
) -> None:
    assert _checkpoint(labeled, base) == base_checkpoint


def test_loader_processes_change_nothing(
    labeled: LabeledData, base: FoldParams, base_checkpoint: bytes
) -> None:
    runtime = base.runtime.model_copy(update={"workers": 2})
    assert _checkpoint(labeled, base._replace(runtime=runtime)) == base_checkpoint


CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("train", {"backbone": "test_resnet"}),
    ("train", {"drop_rate": 0.5}),
    ("train", {"batch": 6}),
    ("train", {"min_recordings": 12}),
    ("train", {"max_lr": 0.003}),
    ("train", {"warmup": 0.5}),
    ("train", {"div_factor": 5.0}),
    ("train", {"final_div_factor": 5.0}),
    ("train", {"weight_decay": 0.5}),
    ("train", {"ema": 0.5}),
    ("level", {"epochs": 3}),
    ("level", {"seed": 8}),
    ("level", {"loudness_db": 6.0}),
    ("level", {"clip_grad": None}),
    ("level", {"clip_grad": 0.01}),
    ("mixup", {"per": "batch"}),
    ("mixup", {"probability": 0.2}),
    ("mixup", {"weight": "log_uniform"}),
    ("mixup", {"min_weight": 0.9}),
    ("mel", {"n_fft": 2048}),
    ("mel", {"win_length": 512}),
    ("mel", {"n_mels": 40}),
    ("mel", {"n_frames": 41}),
    ("mel", {"f_min": 300.0}),
    ("mel", {"f_max": 9000.0}),
    ("mel", {"floor_db": 20.0}),
    ("mel", {"db_center": 30.0}),
    ("mel", {"db_scale": 60.0}),
    ("clips", {"clip_s": 0.4}),
]
TESTED_ELSEWHERE = {  # ways to read files: tests/model/test_classifier.py, tests/dataset/
    ("train", "pretrained"),
    ("clips", "sample_rate_hz"),
    ("clips", "shift_s"),
}


def test_every_parameter_of_training_is_on_the_list(base: FoldParams) -> None:
    sections = {name: getattr(base, name) for name in ("train", "level", "mel", "clips")}
    sections["mixup"] = base.level.mixup
    keys = {(name, key) for name, section in sections.items() for key in section.model_dump()}
    listed = {(name, key) for name, changes in CHANGES for key in changes}
    missing = keys - listed - TESTED_ELSEWHERE - {("level", "mixup")}
    assert not missing, f"add another value of {sorted(missing)} to CHANGES"


@pytest.mark.parametrize(("section", "changes"), CHANGES)
def test_no_parameter_of_training_is_ignored(
    labeled: LabeledData,
    base: FoldParams,
    base_checkpoint: bytes,
    section: str,
    changes: dict[str, Any],
) -> None:
    """Each change gives other weights; the tests of each part check that they are right."""
    if section == "mixup":
        section, changes = "level", {"mixup": base.level.mixup.model_copy(update=changes)}
    params = base._replace(**{section: getattr(base, section).model_copy(update=changes)})
    clips = labeled.clips
    read = LabeledClips(clips.store, clips.recording_ids, clips.targets, clips.masks, params.clips)
    assert _checkpoint(labeled._replace(clips=read), params) != base_checkpoint


def test_a_model_has_the_backbone_that_its_path_names(
    labeled: LabeledData, base: FoldParams
) -> None:
    model = TrainedModel("l1", 0, "test_resnet", 1)
    train_fold(model, base, labeled, TrainingExamples(labeled.clips))
    found = load_checkpoint(model.checkpoint, base.mel, base.clips)
    assert found.backbone_name == "test_resnet"
    train = base.train.model_copy(update={"backbone": "test_resnet"})
    assert model.checkpoint.read_bytes() == _checkpoint(labeled, base._replace(train=train))


@pytest.mark.parametrize(
    ("level", "seed", "fold", "expected"),
    [
        *(("l1", 0, 0, 2024), ("l1", 0, 3, 2027), ("l2", 0, 4, 2033), ("l2", 2, 1, 2230)),
        ("l1", 0, "full_1", 2024 + 51),
    ],
)
def test_seeds_are_the_recipes_plus_the_fold(
    labeled: LabeledData,
    monkeypatch: pytest.MonkeyPatch,
    level: str,
    seed: int,
    fold: Fold,
    expected: int,
) -> None:
    """They reach the weights and the trainer, which draws everything else from them."""
    recipe, seeds = load_params(ROOT / "recipes/birdclef-2024.yaml"), []

    def classifier(*args: object) -> str:
        seeds.append(args[-1])
        return "classifier"

    def trainer(*args: object) -> None:
        seeds.append(args[2])
        raise _StoppedError

    monkeypatch.setattr(fold_run, "create_classifier", classifier)
    monkeypatch.setattr(fold_run, "Trainer", trainer)
    params = FoldParams(
        recipe.train,
        recipe.train_l1 if level == "l1" else recipe.train_l2,
        recipe.mel,
        recipe.clips,
        recipe.runtime,
    )
    folds = labeled._replace(folds=np.arange(16) % 5)
    with pytest.raises(_StoppedError):
        train_fold(
            TrainedModel(level, seed, "default", fold),
            params,
            folds,
            TrainingExamples(labeled.clips),
        )
    assert seeds == [expected, expected]


@pytest.fixture
def resume_key(
    labeled: LabeledData, base: FoldParams, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """The key by which a training run would look for a saved state; nothing is trained."""
    keys: list[str] = []

    def resume_point(_: Path, key: str) -> None:
        keys.append(key)
        raise _StoppedError

    monkeypatch.setattr(fold_run, "ResumePoint", resume_point)
    monkeypatch.setattr(fold_run, "Trainer", lambda *_: None)
    monkeypatch.setattr(fold_run, "create_classifier", lambda *_: None)

    def key(
        model: tuple[Any, ...] = ("l1", 0, "default", 1),
        pseudo_files: Sequence[Path] = (),
        **sections: dict[str, Any],
    ) -> str:
        changed = {n: getattr(base, n).model_copy(update=v) for n, v in sections.items()}
        examples = TrainingExamples(labeled.clips)
        with pytest.raises(_StoppedError):
            train_fold(
                TrainedModel(*model), base._replace(**changed), labeled, examples, 0.0, pseudo_files
            )
        return keys[-1]

    return key


def test_a_run_does_not_resume_on_another_device(
    resume_key: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = resume_key()
    assert resume_key() == here
    monkeypatch.setattr(fold_run, "prepare", lambda _: SimpleNamespace(type="other"))
    assert resume_key() != here


def test_a_run_resumes_only_with_its_own_params_and_data(
    resume_key: Callable[..., str], tmp_path: Path
) -> None:
    keys = [
        resume_key(),
        resume_key(train={"max_lr": 0.1}),
        resume_key(level={"epochs": 9}),
        resume_key(mel={"n_mels": 64}),
        resume_key(clips={"shift_s": 0.2}),
        resume_key(("l2", 0, "default", 1)),
        resume_key(("l1", 1, "default", 1)),
        resume_key(("l1", 0, "test_resnet", 1)),
        resume_key(("l1", 0, "default", 2)),
    ]
    for file in INPUT_FILES:
        file.write_text("other data")
        keys.append(resume_key())
        file.write_text("")
    for content in ("some", "others"):
        (tmp_path / "fold_1.npy").write_text(content)
        keys.append(resume_key(pseudo_files=[tmp_path / "fold_1.npy"]))
        (tmp_path / "w.safetensors").write_text(content)
        keys.append(resume_key(train={"pretrained": str(tmp_path / "w.safetensors")}))
    assert len(set(keys)) == len(keys)
    assert resume_key(runtime={"workers": 3, "jobs": 3}) == keys[0]


def test_training_depends_on_the_ratio_and_labels_of_windows(
    labeled: LabeledData, base: FoldParams, base_checkpoint: bytes
) -> None:
    """Another ratio, or other labels for the same windows, give other weights."""

    def student(ratio: float, label: float) -> bytes:
        windows = [labeled.clips[i] for i in range(4)]
        pseudo_labels = np.full((4, 2), label, np.float16)
        examples = TrainingExamples(labeled.clips, windows, pseudo_labels)  # type: ignore[arg-type]
        model = TrainedModel("l2", 0, "default", 1)
        train_fold(model, base, labeled, examples, ratio)
        return model.checkpoint.read_bytes()

    found = [student(0.5, 0.9), student(1.0, 0.9), student(0.5, 0.1)]
    assert len({base_checkpoint, *found}) == 4


def test_a_species_that_nobody_trains_on_is_named(
    labeled: LabeledData, base: FoldParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    folds = np.where(labeled.clips.targets[:, 0] > 0, 1, 0)
    monkeypatch.setattr(fold_run, "Trainer", _stop)
    shown = io.StringIO()
    monkeypatch.setattr(fold_run, "console", Console(file=shown, width=200))
    with pytest.raises(_StoppedError):
        _checkpoint(labeled._replace(folds=folds), base)
    assert f"no recording of {SPECIES[0]} to train on: this model" in shown.getvalue()


def _stop(*_: object) -> None:
    raise _StoppedError


def test_each_stage_hands_on_its_own_section(
    small_params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []
    pseudo = PseudoLabels([1, 2], np.zeros((2, 2)), [Path("windows.csv")])  # type: ignore[arg-type]
    for stage in (train_l1, train_l2):
        monkeypatch.setattr(stage, "load_params", lambda: small_params)
        monkeypatch.setattr(stage, "load_labeled", lambda _: SimpleNamespace(clips="clips"))
        monkeypatch.setattr(stage, "train_fold", lambda *args: given.append(args))
    read: list[object] = []

    def read_pseudo_labels(*args: object) -> PseudoLabels:
        read.append(args)
        return pseudo

    monkeypatch.setattr(train_l2, "read_pseudo_labels", read_pseudo_labels)
    train_l1.main(1, "default", 2)
    train_l2.main("l2", "l3", 1, "default", 2)
    assert read == [("l3", 1, 2, small_params.clips)]
    (teacher, first, _, clips), (student, second, _, both, ratio, files) = given
    assert (teacher, student) == (("l1", 1, "default", 2), ("l3", 1, "default", 2))
    assert (first.level, second.level) == (small_params.train_l1, small_params.train_l2)
    assert (clips.windows, both.windows) == (None, pseudo.windows)
    assert both.pseudo_labels is pseudo.probabilities
    assert (ratio, files) == (small_params.train_l2.pseudo_ratio, pseudo.files)


def _shown(
    labeled: LabeledData, params: FoldParams, patch: pytest.MonkeyPatch, terminal: int | None
) -> str:
    """What train_fold prints; `terminal` is the width of a terminal, None if there is none."""
    screen = io.StringIO()
    console = Console(
        file=screen, force_terminal=terminal is not None, width=terminal, color_system=None
    )
    patch.setattr(progress, "console", console)
    patch.setattr(fold_run, "console", console)
    model = TrainedModel("l1", 0, "default", 1)
    train_fold(model, params, labeled, TrainingExamples(labeled.clips))
    return screen.getvalue()


LINE = r"loss \d\.\d{4} ROC-AUC [01]\.\d{3} \d+ images/s epoch \d/5"


def test_without_a_terminal_a_few_plain_lines_are_printed(
    labeled: LabeledData, small_params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = _shown(labeled, _fold_params(small_params, epochs=5), monkeypatch, terminal=None)
    lines = shown.splitlines()
    assert len(lines) == 5
    for line in lines[:-1]:
        assert re.fullmatch(rf"l1 seed 0 \w+ fold 1: \d+/15 {LINE} \(0:\d\d:\d\d left\)", line)
    assert re.fullmatch(rf"l1 seed 0 \w+ fold 1: 15/15 {LINE}", lines[-1])


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (150, rf"l1 seed 0 \w+ fold 1 ━+ 15/15 0:00:\d\d 0:00:00 {LINE}"),
        (80, r"l1 seed 0 .*… 0:00:00 loss \d\.\d{4} ROC-AUC [01]\.\d{3} .*"),
    ],
)
def test_on_a_terminal_one_line_is_redrawn(
    labeled: LabeledData,
    small_params: Params,
    monkeypatch: pytest.MonkeyPatch,
    columns: int,
    line: str,
) -> None:
    shown = _shown(labeled, _fold_params(small_params, epochs=5), monkeypatch, terminal=columns)
    assert shown.count("\n") == 1
    last = shown.rstrip().split("\r")[-1]
    assert re.search(line, last)


def test_progress_of_a_resumed_run_starts_where_the_killed_run_stopped(
    labeled: LabeledData, small_params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    params, save = _fold_params(small_params, epochs=5), ResumePoint.save

    def killed(self: ResumePoint, state: dict[str, object]) -> None:
        save(self, state)
        if len(state["history"]) == 3:  # type: ignore[arg-type]
            raise _StoppedError

    monkeypatch.setattr(ResumePoint, "save", killed)
    with pytest.raises(_StoppedError):
        _shown(labeled, params, monkeypatch, terminal=None)
    monkeypatch.setattr(ResumePoint, "save", save)
    first, *lines = _shown(labeled, params, monkeypatch, terminal=None).splitlines()
    assert first.endswith("resumes after epoch 3")
    done = [re.sub(r".*: (\S+).* epoch (\S+).*", r"\1 \2", line) for line in lines]
    assert done == ["12/15 4/5", "15/15 5/5"]
