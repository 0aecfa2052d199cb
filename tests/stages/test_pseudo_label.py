"""Stage `pseudo_label`: which teachers label for which student, and what the screen shows."""

import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from birdclef import progress, pseudo_labels
from birdclef.common.probabilities import sigmoid
from birdclef.params import Params, ParamsError
from birdclef.stages import pseudo_label

WINDOWS = pd.DataFrame({"soundscape_id": ["a", "a", "b"], "start_s": [0.0, 5.0, 0.0]})


def _run(
    params: Params, monkeypatch: pytest.MonkeyPatch, windows: pd.DataFrame = WINDOWS
) -> tuple[list[str], np.ndarray, str]:
    """Teachers, the labels of each fold, and the screen; logits are the teacher's number."""
    teachers: list[str] = []
    written: list[np.ndarray] = []
    screen = io.StringIO()

    def load_ensemble(models: list[SimpleNamespace], *_: object) -> None:
        teachers.extend(f"{m.level} {m.seed} {m.backbone} {m.fold}" for m in models)

    def predict(_: object, __: object, count: int, *___: object) -> np.ndarray:
        numbers = np.arange(len(teachers), dtype=np.float32)
        return np.broadcast_to(numbers[:, None, None], (len(teachers), count, 2))

    def write(*args: object) -> None:
        written.append(np.concatenate(list(args[4]), axis=1))  # type: ignore[call-overload]

    monkeypatch.setattr(pseudo_label, "load_params", lambda: params)
    monkeypatch.setattr(pseudo_label, "drop_unlisted", lambda *_: None)
    monkeypatch.setattr(pseudo_label, "load_ensemble", load_ensemble)
    monkeypatch.setattr(pseudo_labels, "read_windows", lambda *_: windows)
    monkeypatch.setattr(pseudo_label, "predict_to_disk", predict)
    monkeypatch.setattr(pseudo_label, "write_pseudo_labels", write)
    monkeypatch.setattr(progress, "console", Console(file=screen, width=200))
    pseudo_label.main("l1", "l2", 1)
    return teachers, written[0], screen.getvalue()


def _params(params: Params, folds: list[int], backbones: list[str]) -> Params:
    models = params.models.model_copy(update={"folds": folds, "teacher_backbones": backbones})
    how = {"teacher": "same_fold", "transform": "none", "power": 1.0}
    labels = params.pseudo_label.model_copy(update=how)
    return params.model_copy(update={"models": models, "pseudo_label": labels})


@pytest.mark.parametrize(
    ("folds", "backbones"), [([0, 2], ["default"]), ([0, 1, 2], ["default", "test_resnet"])]
)
def test_a_student_learns_from_its_own_folds_teachers(
    small_params: Params, monkeypatch: pytest.MonkeyPatch, folds: list[int], backbones: list[str]
) -> None:
    teachers, labels, said = _run(_params(small_params, folds, backbones), monkeypatch)
    assert teachers == [f"l1 1 {name} {fold}" for name in backbones for fold in folds]
    assert labels.shape == (len(folds), 3, 2)
    for row, fold in enumerate(folds):
        own = [i for i, name in enumerate(teachers) if name.endswith(f" {fold}")]
        expected = sigmoid(np.array(own, np.float32)).mean()
        np.testing.assert_allclose(labels[row], expected, rtol=1e-6)
    assert f"{len(teachers)} teachers on 3 windows: " in said
    assert said.rstrip().endswith(" windows per second")


def test_without_soundscapes_the_error_says_what_to_do(
    small_params: Params, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    message = r"no unlabelled soundscape is stored, .* add birdclef-2024/unlabeled_soundscapes"
    with pytest.raises(ParamsError, match=message):
        _run(_params(small_params, [0], ["default"]), monkeypatch, WINDOWS[:0])
