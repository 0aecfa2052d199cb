"""Targets and masks agree with a table worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from birdclef.dataset.labels import label_windows, multi_hot, targets_and_masks


def test_secondary_labels_are_masked_unless_they_are_targets() -> None:
    table = pd.DataFrame(
        [("a", "", ""), ("b", "c", "a"), ("a", "", "a b")],
        columns=["primary_label", "joint_labels", "secondary_labels"],
    )
    targets, masks = targets_and_masks(table, ["a", "b", "c"])
    np.testing.assert_array_equal(targets, [[1, 0, 0], [0, 1, 1], [1, 0, 0]])
    np.testing.assert_array_equal(masks, [[1, 1, 1], [0, 1, 1], [1, 0, 1]])


def test_unknown_label_is_named() -> None:
    with pytest.raises(ValueError, match="label 'x' \\(row 1\\)"):
        multi_hot(["a", "a x"], ["a"])


KEYS = ["soundscape_id", "start_s", "end_s"]


def test_only_labelled_windows_are_scored_each_with_its_own_labels() -> None:
    windows = pd.DataFrame([("s", 0.0, 5.0), ("s", 5.0, 10.0), ("t", 0.0, 5.0)], columns=KEYS)
    labels = pd.DataFrame(
        [("t", 0, 5, "a b"), ("s", 5, 10, ""), ("u", 0, 5, "a")], columns=[*KEYS, "labels"]
    )
    found = label_windows(windows, labels)
    assert found[[*KEYS, "labels"]].to_numpy().tolist() == [
        ["s", 5.0, 10.0, ""],
        ["t", 0.0, 5.0, "a b"],
    ]


def test_labels_for_windows_of_another_length_are_an_error() -> None:
    windows = pd.DataFrame([("s", 0.0, 3.0)], columns=KEYS)
    labels = pd.DataFrame([("s", 0, 5, "a")], columns=[*KEYS, "labels"])
    with pytest.raises(ValueError, match=r"clips\.clip_s = 3 s; .* s from 0 to 5 s"):
        label_windows(windows, labels)


def test_no_labels_at_all_is_no_error() -> None:
    windows = pd.DataFrame([("s", 0.0, 5.0)], columns=KEYS)
    assert label_windows(windows, pd.DataFrame(columns=[*KEYS, "labels"])).empty
