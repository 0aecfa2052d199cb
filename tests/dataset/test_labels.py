"""Targets and masks agree with a table worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from birdclef.dataset.labels import multi_hot, targets_and_masks


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
