"""Predictions are sorted into sections, and the scores of every level are put in tables."""

import numpy as np
import pytest

from birdclef.evaluation.scores import (
    Scored,
    Sections,
    by_section,
    levels_table,
    species_table,
    students_saw_held_out,
    summary,
)
from birdclef.params import PseudoLabelParams


def _scored(*seeds: list[float]) -> Scored:
    """One species, four rows of which the first two are positive."""
    targets = np.array([[1], [1], [0], [0]], np.float32)
    return Scored(targets, [np.array(scores)[:, None] for scores in seeds])


GOOD, POOR = [0.9, 0.8, 0.1, 0.2], [0.9, 0.1, 0.2, 0.0]  # ROC-AUC 1 and 0.75


def _pseudo_label(teacher: str, transform: str) -> PseudoLabelParams:
    values = {"teacher": teacher, "transform": transform, "max_logit": 16.0, "power": 1.0}
    return PseudoLabelParams.model_validate(values | {"shuffled": False})


CLEAN, SEEN = _pseudo_label("same_fold", "none"), _pseudo_label("mean", "none")


def _sections(
    held_out: dict[str, Scored],
    soundscapes: dict[str, Scored],
    pseudo_label: PseudoLabelParams = CLEAN,
) -> Sections:
    return by_section(held_out, soundscapes, pseudo_label, [0, 1])


@pytest.mark.parametrize(
    ("teacher", "transform", "folds", "saw"),
    [
        ("same_fold", "none", [0, 1], False),
        ("same_fold", "max_over_windows", [0, 1], False),
        ("same_fold", "max_over_models", [0, 1], True),
        ("mean", "none", [0, 1], True),
        ("mean", "max_over_models", [0], False),  # the only teachers held the fold out
    ],
)
def test_students_see_their_fold_through_teachers_of_other_folds(
    teacher: str, transform: str, folds: list[int], saw: bool
) -> None:
    assert students_saw_held_out(_pseudo_label(teacher, transform), folds) is saw


def test_scores_that_teachers_have_seen_are_not_out_of_fold() -> None:
    levels = {"l1": _scored(POOR), "l2": _scored(GOOD), "l3": _scored(GOOD)}
    found = summary(_sections(levels, {}, SEEN), [])
    assert found == {"out_of_fold": {"l1": 0.75}, "seen_through_teachers": {"l2": 1.0, "l3": 1.0}}
    table = species_table(["a"], _sections(levels, {}, SEEN)).astype(object).fillna("")
    assert table["out_of_fold"].tolist() == [0.75, "", ""]
    assert table["seen_through_teachers"].tolist() == ["", 1.0, 1.0]


def test_summary_has_levels_and_the_last_ones_difference_from_the_first() -> None:
    levels = {"l1": _scored(POOR), "l2": _scored(POOR), "l3": _scored(GOOD)}
    found = summary(_sections(levels, levels), ["a", "b", "a", "b"])
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
    found = summary(_sections(levels, levels), list("aabb"))["soundscapes"]
    assert (found["l2"], found["difference"]) == (0.875, 0.125)
    assert found["l2_sd"] == pytest.approx(0.125 * 2**0.5, abs=1e-5)
    assert found["l1_sd"] == 0


def test_missing_scores_are_left_out() -> None:
    levels = {"l1": _scored(POOR), "l2": _scored(GOOD)}
    assert set(summary(_sections({}, levels), list("abab"))) == {"soundscapes"}
    assert set(summary(_sections(levels, {}), [])) == {"out_of_fold"}
    table = levels_table([7], _sections({}, levels), list("abab"))
    assert table.columns.tolist() == [
        *("level", "seed", "out_of_fold", "seen_through_teachers", "soundscapes"),
        *("tuning_soundscapes", "test_soundscapes"),
    ]
    assert table["out_of_fold"].isna().all()
    assert table["soundscapes"].tolist() == [0.75, 1.0]
    assert levels_table([7], _sections({}, {}), []).empty


def test_each_level_is_asked_whether_it_can_be_scored() -> None:
    silent = Scored(np.zeros((4, 1), np.float32), [np.ones((4, 1), np.float32)])
    assert summary(_sections({"l1": silent, "l2": silent}, {"l1": silent}), list("aabb")) == {}
    for first, last in ((silent, _scored(GOOD)), (_scored(GOOD), silent)):
        found = summary(_sections({"l1": first, "l2": last}, {}), [])
        assert list(found["out_of_fold"].values()) == [1.0]


def test_without_an_interval_the_difference_stands_alone() -> None:
    levels = {"l1": _scored(POOR), "l2": _scored(GOOD)}
    found = summary(_sections({}, levels), list("aaaa"))
    assert found == {"soundscapes": {"l1": 0.75, "l2": 1.0, "difference": 0.25}}


def test_halves_are_scored_apart() -> None:
    levels = {"l1": _scored(POOR, GOOD)}
    table = levels_table([0, 1], _sections({}, levels), ["s1", "s2", "s1", "s2"])
    assert table["tuning_soundscapes"].tolist() == [1.0, 1.0]  # s1: 0.9 over 0.2, and over 0.1
    assert table["test_soundscapes"].tolist() == [1.0, 1.0]
    wrong = {"l1": _scored([0.1, 0.9, 0.2, 0.0])}
    table = levels_table([0], _sections({}, wrong), ["s1", "s2", "s1", "s2"])
    halves = table[["tuning_soundscapes", "test_soundscapes"]]
    assert halves.to_numpy().tolist() == [[0.0, 1.0]]
    alone = levels_table([0], _sections({}, wrong), ["s1"] * 4)
    assert alone["tuning_soundscapes"].tolist() == [0.75]
    assert alone["test_soundscapes"].isna().all()


def test_a_species_without_positives_is_scored_by_none() -> None:
    targets = np.array([[1, 0], [0, 0], [1, 0], [0, 0]], np.float32)
    scores = np.array([[0.9, 0.5], [0.1, 0.5], [0.8, 0.1], [0.3, 0.9]])
    levels = {"l1": Scored(targets, [scores]), "l2": Scored(targets, [scores])}
    sections = _sections(levels, levels)
    table = species_table(["a", "b"], sections)
    assert table["species"].tolist() == ["a", "b"] * 2
    assert table["out_of_fold"].tolist()[0] == 1.0
    assert table["soundscapes"].isna().tolist() == [False, True] * 2
    found = summary(sections, list("aabb"))
    assert found["out_of_fold"] == {"l1": 1.0, "l2": 1.0}
    assert (found["soundscapes"]["low"], found["soundscapes"]["high"]) == (0.0, 0.0)
