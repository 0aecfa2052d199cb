"""The counts for metrics, plots and the screen add up."""

import pandas as pd

from birdclef.common.names import NO_FOLD
from birdclef.index.counts import count_licenses, per_species_and_source, summarize
from birdclef.index.layouts import BIRDCLEF_2022, COMPETITION

OWN, OLDER = COMPETITION.source, BIRDCLEF_2022.source

BEFORE = pd.DataFrame(
    {
        "recording_id": [f"r{n}" for n in range(12)],
        "primary_label": ["a"] * 11 + ["b"],
        "source": [OWN] * 10 + [OLDER] * 2,
        "license": ["CC BY"] * 9 + ["", "CC0", "CC0"],
        "joint_labels": ["b"] + [""] * 11,
    }
)
SPECIES = pd.Series(["a", "b", "c"])


def test_licences_come_commonest_first() -> None:
    assert list(count_licenses(BEFORE).items()) == [("CC BY", 9), ("CC0", 2), ("unknown", 1)]


def test_sources_are_counted_before_and_after() -> None:
    kept = BEFORE.iloc[1:11]
    folds = pd.DataFrame({"recording_id": kept["recording_id"], "group": "g", "fold": 0})
    summary = summarize(BEFORE, kept, SPECIES, folds)
    assert summary["sources"] == {
        OWN: {"before": 10, "kept": 9},
        OLDER: {"before": 2, "kept": 1},
    }
    assert (summary["recordings"], summary["joint_labels"]) == (10, 0)
    assert summary["species_below_10_recordings"] == 2


def test_species_that_no_fold_holds_out_are_counted() -> None:
    """`a` and the joint label `b` are in folds 0 and -1 of `first`, and only in -1 of `second`."""
    ids = BEFORE["recording_id"]
    first = pd.DataFrame({"recording_id": ids, "group": "g", "fold": [0] + [NO_FOLD] * 11})
    second = first.assign(fold=[NO_FOLD] + [1] * 10 + [NO_FOLD])
    for folds, expected in ((first, 0), (second, 1), (first.assign(fold=NO_FOLD), 2)):
        counts = summarize(BEFORE, BEFORE, SPECIES, folds)
        assert counts["species_held_out_by_no_fold"] == expected


def test_the_plot_has_every_species_and_every_recording() -> None:
    table = per_species_and_source(BEFORE, SPECIES)
    assert table.to_numpy().tolist() == [
        ["a", OWN, 10],
        ["a", OLDER, 1],
        ["b", OLDER, 1],
        ["c", OWN, 0],
    ]
