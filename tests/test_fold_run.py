"""What one fold is trained with, and what the screen says meanwhile."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from birdclef import fold_run, progress
from birdclef.datasets import TrainingExamples
from birdclef.device import prepare
from birdclef.fold_outputs import TrainedModel
from birdclef.fold_run import FoldParams, train_fold
from birdclef.params import Params
from birdclef.resume import ResumePoint
from birdclef.training_data import INPUT_FILES, LabeledData
from small_world import SPECIES, labeled_clips


@pytest.fixture
def labeled(tmp_path: Path, small_params: Params, monkeypatch: pytest.MonkeyPatch) -> LabeledData:
    """Sixteen recordings in four folds; the current folder is a repository without stages."""
    prepare(small_params.runtime)
    clips = labeled_clips(tmp_path / "store", small_params)
    labels = [SPECIES[i] for i in clips.targets.argmax(axis=1)]
    monkeypatch.chdir(tmp_path)
    for file in INPUT_FILES:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return LabeledData(clips, labels, np.arange(16) % 4, SPECIES)


def _fold_params(params: Params, **level: object) -> FoldParams:
    changed = params.train_l1.model_copy(update=level)
    train = params.train.model_copy(update={"batch": 4})  # three steps an epoch
    return FoldParams(train, changed, params.mel, params.clips, params.runtime)


def _shown(
    labeled: LabeledData, params: FoldParams, patch: pytest.MonkeyPatch, terminal: int | None
) -> str:
    """What train_fold shows; `terminal`: columns of one."""
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


def test_elsewhere_than_on_a_terminal_there_are_a_few_plain_lines(
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
        (80, r"l1 seed 0 \w+… 0:00:00 loss \d\.\d{4} ROC-AUC [01]\.\d{3} .*"),
    ],
)
def test_on_a_terminal_one_line_is_drawn_anew(
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


class _KilledError(Exception):
    pass


def test_a_run_that_goes_on_starts_the_line_where_it_was(
    labeled: LabeledData, small_params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    params, save = _fold_params(small_params, epochs=5), ResumePoint.save

    def killed(self: ResumePoint, state: dict[str, object]) -> None:
        save(self, state)
        if len(state["history"]) == 3:  # type: ignore[arg-type]
            raise _KilledError

    monkeypatch.setattr(ResumePoint, "save", killed)
    with pytest.raises(_KilledError):
        _shown(labeled, params, monkeypatch, terminal=None)
    monkeypatch.setattr(ResumePoint, "save", save)
    lines = _shown(labeled, params, monkeypatch, terminal=None).splitlines()
    done = [re.sub(r".*: (\S+).* epoch (\S+).*", r"\1 \2", line) for line in lines]
    assert done == ["12/15 4/5", "15/15 5/5"]
