"""Labels are matched to their windows, and the scores of every level are put in tables."""

import numpy as np
import pytest

from birdclef.evaluation.scores import Scored, levels_table, species_table, summary


def _scored(*seeds: list[float]) -> Scored:
    """One species, four rows of which the first two are positive."""
    targets = np.array([[1], [1], [0], [0]], np.float32)
    return Scored(targets, [np.array(scores)[:, None] for scores in seeds])


GOOD, POOR = [0.9, 0.8, 0.1, 0.2], [0.9, 0.1, 0.2, 0.0]  # ROC-AUC 1 and 0.75


def test_summary_has_levels_and_the_last_ones_difference_from_the_first() -> None:
    levels = {"l1": _scored(POOR), "l2": _scored(POOR), "l3": _scored(GOOD)}
    found = summary(levels, levels, ["a", "b", "a", "b"], 50, seed=0)
    assert found["out_of_fold"] == {"l1": 0.75, "l2": 0.75, "l3": 1.0}
    soundscapes = found["soundscapes"]
    assert {k: soundscapes[k] for k in ("l1", "l3", "difference")} == {
        "l1": 0.75,
        "l3": 1.0,
        "difference": 0.25,
    }
    assert soundscapes["low"] <= 0.25 <= soundscapes["high"]


def test_summary_of_several_seeds_has_mean_and_spread() -> None:
    levels = {"l1": _scored(POOR, POOR), "l2": _scored(GOOD, POOR)}
    found = summary(levels, levels, list("aabb"), 20, seed=0)["soundscapes"]
    assert (found["l2"], found["difference"]) == (0.875, 0.125)
    assert found["l2_sd"] == pytest.approx(0.125 * 2**0.5, abs=1e-5)
    assert found["l1_sd"] == 0


def test_missing_scores_are_left_out() -> None:
    levels = {"l1": _scored(POOR), "l2": _scored(GOOD)}
    assert "out_of_fold" not in summary({}, levels, list("aabb"), 5, seed=0)
    assert "soundscapes" not in summary(levels, {}, [], 5, seed=0)
    silence = {"l1": Scored(np.zeros((4, 1), np.float32), [np.ones((4, 1), np.float32)])}
    assert summary(silence, silence, list("aabb"), 5, seed=0) == {}
    table = levels_table([7], {}, levels, list("aabb"))
    scores = ["soundscapes", "even_soundscapes", "odd_soundscapes"]
    assert table.columns.tolist() == ["level", "seed", "out_of_fold", *scores]
    assert table["out_of_fold"].isna().all()
    assert table["soundscapes"].tolist() == [0.75, 1.0]
    assert levels_table([7], {}, {}, []).empty


def test_even_and_odd_soundscapes_are_scored_apart() -> None:
    levels = {"l1": _scored(POOR, GOOD)}
    table = levels_table([0, 1], levels, levels, ["s1", "s2", "s1", "s2"])
    assert table["even_soundscapes"].tolist() == [1.0, 1.0]  # s1: 0.9 over 0.2, and over 0.1
    assert table["odd_soundscapes"].tolist() == [1.0, 1.0]
    wrong = {"l1": _scored([0.1, 0.9, 0.2, 0.0])}
    table = levels_table([0], {}, wrong, ["s1", "s2", "s1", "s2"])
    assert table[["even_soundscapes", "odd_soundscapes"]].to_numpy().tolist() == [[0.0, 1.0]]


def test_species_are_scored_each_on_its_own() -> None:
    targets = np.array([[1, 0], [0, 0]], np.float32)
    scored = {"l1": Scored(targets, [np.array([[0.9, 0.5], [0.1, 0.5]])])}
    table = species_table(["a", "b"], scored, scored)
    assert table["species"].tolist() == ["a", "b"]
    assert table["out_of_fold"].tolist()[0] == 1.0
    assert table["soundscapes"].isna().tolist() == [False, True]
