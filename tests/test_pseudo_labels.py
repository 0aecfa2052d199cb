"""Each transform gives values computed by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from birdclef import pseudo_labels
from birdclef.params import Params, PseudoLabelParams
from birdclef.pseudo_labels import read_pseudo_labels, soft_labels, write_pseudo_labels

# (fold, window, species): two teachers, three windows of two soundscapes, one species
LOGITS = np.array([[[0.0], [2.0], [-4.0]], [[1.0], [-2.0], [6.0]]], np.float32)
SOUNDSCAPES = ["x", "x", "y"]


def _labels(logits: np.ndarray = LOGITS, **choice: object) -> np.ndarray:
    values = {"teacher": "same_fold", "transform": "none", "max_logit": 16.0} | choice
    values = {"power": 1.0, "shuffled": False} | values
    params = PseudoLabelParams(**values)  # type: ignore[arg-type]
    if logits.ndim == 3:
        logits = logits[None]  # one backbone
    return np.concatenate(list(soft_labels(logits, SOUNDSCAPES, params)), axis=1)


def _sigmoid(values: object) -> np.ndarray:
    return 1 / (1 + np.exp(-np.asarray(values, np.float64)))


def test_none_is_the_teachers_own_probability() -> None:
    np.testing.assert_allclose(_labels(), _sigmoid(LOGITS), rtol=1e-5)


def test_max_over_models_takes_its_means_over_one_soundscape() -> None:
    # M = [1, 2, 6]: mean 3/2 in soundscape x, 6 in y. The teachers' means in x are 1 and -1/2, in
    # y -4 and 6. The levels of x and y differ, so means over both would give other labels.
    first = np.sum([[0.0, 2, -4], [1.0, 2, 6], [1 - 3 / 2, 1 - 3 / 2, -4 - 6]], axis=0) / 2
    second = (
        np.sum([[1.0, -2, 6], [1.0, 2, 6], [-1 / 2 - 3 / 2, -1 / 2 - 3 / 2, 6 - 6]], axis=0) / 2
    )
    expected = _sigmoid(np.stack([first, second])[:, :, None])
    np.testing.assert_allclose(_labels(transform="max_over_models"), expected, rtol=1e-5)


def test_max_over_windows_stays_within_a_soundscape() -> None:
    # teacher 0: M = [2, 2, -4]; its means in x are 1 and 2 (of M), in y both are -4
    # teacher 1: M = [1, 1, 6]; its means in x are -1/2 and 1 (of M), in y both are 6
    first = np.sum([[0.0, 2, -4], [2.0, 2, -4], [1.0 - 2, 1.0 - 2, 0]], axis=0) / 2
    second = np.sum([[1.0, -2, 6], [1.0, 1, 6], [-1 / 2 - 1, -1 / 2 - 1, 0]], axis=0) / 2
    expected = _sigmoid(np.stack([first, second])[:, :, None])
    np.testing.assert_allclose(_labels(transform="max_over_windows"), expected, rtol=1e-5)


@pytest.mark.parametrize("transform", ["max_over_models", "max_over_windows"])
def test_the_means_run_over_windows_and_species(transform: str) -> None:
    logits = np.random.default_rng(0).normal(0, 3, (1, 2, 3, 5)).astype(np.float32)
    found = _labels(logits, transform=transform)
    moved = np.log(found / (1 - found))
    for x in (slice(0, 2), slice(2, 3)):  # the mean of a teacher's logits in a soundscape stays
        before, after = logits[0][:, x].mean(axis=(1, 2)), moved[:, x].mean(axis=(1, 2))
        np.testing.assert_allclose(after, before, atol=1e-4)


def test_mean_teacher_gives_every_student_the_same() -> None:
    found = _labels(teacher="mean")
    np.testing.assert_allclose(found[0], _sigmoid(LOGITS).mean(axis=0), rtol=1e-5)
    np.testing.assert_array_equal(found[0], found[1])


def test_power_acts_on_probabilities_last() -> None:
    mean = _sigmoid(LOGITS).mean(axis=0)
    np.testing.assert_allclose(_labels(teacher="mean", power=2.0)[1], mean**2, rtol=1e-5)


@pytest.mark.parametrize("transform", ["none", "max_over_models", "max_over_windows"])
def test_logits_are_clipped_first(transform: str) -> None:
    far = np.where(LOGITS == 6, 500.0, LOGITS).astype(np.float32)
    near = np.where(LOGITS == 6, 4.0, LOGITS).astype(np.float32)
    np.testing.assert_array_equal(
        _labels(far, transform=transform, max_logit=4.0),
        _labels(near, transform=transform, max_logit=4.0),
    )
    assert np.isfinite(_labels(far, transform=transform, max_logit=16.0)).all()


@pytest.mark.parametrize("transform", ["max_over_models", "max_over_windows"])
def test_agreeing_teachers_of_a_steady_soundscape_are_left_as_they_are(transform: str) -> None:
    steady = np.full((2, 3, 1), -1.5, np.float32)
    np.testing.assert_allclose(_labels(steady, transform=transform), _sigmoid(steady), rtol=1e-5)


def test_teachers_of_several_backbones_are_averaged_within_their_fold() -> None:
    two = np.stack([LOGITS, LOGITS[::-1] + 1])
    mean = (_sigmoid(two[0]) + _sigmoid(two[1])) / 2
    np.testing.assert_allclose(_labels(two), mean, rtol=1e-5)
    every = _labels(two, teacher="mean")
    np.testing.assert_allclose(every, np.broadcast_to(mean.mean(axis=0), every.shape), rtol=1e-5)


@pytest.mark.parametrize("transform", ["none", "max_over_models", "max_over_windows"])
def test_blocks_of_windows_change_nothing(transform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _labels(transform=transform)
    monkeypatch.setattr(pseudo_labels, "_BLOCK", 1)
    np.testing.assert_allclose(_labels(transform=transform), whole, rtol=1e-6)


@pytest.mark.parametrize("ids", [["x", "x", "y"], ["b", "b", "a"], ["NA", "NA", "007"]])
def test_what_is_written_is_read_by_the_student_of_its_fold(
    tmp_path: Path, small_params: Params, monkeypatch: pytest.MonkeyPatch, ids: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pseudo_labels, "_BLOCK", 1)
    starts = [0.0, 5.0, 0.0]
    windows = pd.DataFrame({"soundscape_id": ids, "start_s": starts, "end_s": 5.0})
    params = small_params.pseudo_label.model_copy(
        update={"teacher": "same_fold", "transform": "none", "power": 1.0}
    )
    write_pseudo_labels("l2", 0, windows, [1, 4], soft_labels(LOGITS[None], ids, params))
    for fold, logits in zip([1, 4], LOGITS, strict=True):
        found = read_pseudo_labels("l2", 0, fold, small_params.clips)
        assert [found.windows.names[i] for i in found.windows.soundscape] == ids
        assert found.windows.start_s.tolist() == starts
        np.testing.assert_allclose(found.probabilities, _sigmoid(logits), atol=3e-4)
        assert all(file.is_file() for file in found.files)


def test_shuffled_labels_are_those_of_other_windows(
    tmp_path: Path, small_params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same rows in another order, the same for every student of a seed; windows keep theirs."""
    monkeypatch.chdir(tmp_path)
    count = 200
    windows = pd.DataFrame({"soundscape_id": "x", "start_s": 5.0 * np.arange(count), "end_s": 0.0})
    labels = np.linspace(0, 1, 2 * count, dtype=np.float32).reshape(2, count, 1)
    blocks = [labels[:, :150], labels[:, 150:]]
    write_pseudo_labels("l2", 3, windows, [0, "full_0"], iter(blocks), shuffled=True)
    found = [read_pseudo_labels("l2", 3, fold, small_params.clips) for fold in (0, "full_0")]
    assert found[0].windows.start_s.tolist() == windows["start_s"].tolist()
    for student, own in zip(found, labels, strict=True):
        np.testing.assert_allclose(np.sort(student.probabilities, axis=0), own, atol=3e-4)
        assert (np.abs(student.probabilities - own) > 1e-3).mean() > 0.9
    step = np.asarray(found[1].probabilities[:, 0], np.float32) - found[0].probabilities[:, 0]
    np.testing.assert_allclose(step, step.mean(), atol=1e-3)
