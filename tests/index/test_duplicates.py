"""Which of two recordings with the same sound is kept, and what its labels become."""

from random import Random
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from birdclef.index.duplicates import REPORT_COLUMNS, Resolved, SoundPair, preference, resolve
from birdclef.index.layouts import BIRDCLEF_2022, BIRDCLEF_2023, COMPETITION, SOURCES

OWN, NEWER, OLDER = COMPETITION.source, BIRDCLEF_2023.source, BIRDCLEF_2022.source


def rows(*cells: tuple[str, str, str]) -> pd.DataFrame:
    """Recordings from (id, source, labels): the primary one, then joint ones."""
    table = [(name, source, *(f"{labels} ").split(" ", 1)) for name, source, labels in cells]
    columns = ["recording_id", "source", "primary_label", "joint_labels"]
    frame = pd.DataFrame(table, columns=columns).assign(secondary_labels="")
    return frame.assign(joint_labels=frame["joint_labels"].str.strip())


def pair(one: str, other: str, similarity: float = 1.0, offset_s: float = 0.0) -> SoundPair:
    return SoundPair(one, other, similarity, offset_s)


def kept(resolved: Resolved) -> dict[str, str]:
    table = resolved.kept
    labels = (table["primary_label"] + " " + table["joint_labels"]).str.strip()
    return dict(zip(table["recording_id"], labels, strict=True))


@pytest.mark.parametrize(
    ("one", "other", "length_s"),
    [
        (OWN, NEWER, {"A": 5.0, "B": 50.0}),
        (NEWER, OLDER, {"A": 5.0, "B": 50.0}),
        (OWN, OWN, {"A": 9.0, "B": 5.0}),
        (OWN, OWN, {"A": 9.0, "B": 9.01}),  # as good as equal: the id decides
        (OWN, OWN, {}),
    ],
)
def test_own_then_newest_then_longest_then_first(
    one: str, other: str, length_s: dict[str, float]
) -> None:
    table = rows(("B", other, "a"), ("A", one, "a"))
    assert preference(table, length_s) == ["A", "B"]
    assert kept(resolve(table, [pair("B", "A")], length_s)) == {"A": "a"}


def test_the_longer_one_wins_over_the_id() -> None:
    table = rows(("A", OWN, "a"), ("B", OWN, "a"))
    assert kept(resolve(table, [pair("A", "B")], {"A": 5.0, "B": 9.0})) == {"B": "a"}


def test_secondary_labels_are_united_without_the_positives() -> None:
    table = rows(("A", OWN, "a b"), ("B", OWN, "a")).assign(secondary_labels=["d c", "b e"])
    found = resolve(table, [pair("A", "B")], {}).kept
    assert found[["joint_labels", "secondary_labels"]].to_numpy().tolist() == [["b", "c d e"]]


def test_across_species_both_stay_with_both_labels_and_together() -> None:
    table = rows(("A", OWN, "a"), ("B", OWN, "b"), ("C", OWN, "c"))
    found = resolve(table, [pair("B", "A")], {})
    assert kept(found) == {"A": "a b", "B": "b a", "C": "c"}
    assert found.together == [("A", "B")]
    assert found.report["action"].tolist() == ["joined"]
    assert found.report["dropped"].tolist() == [""]


def test_excerpts_of_a_dropped_whole_stay_and_stay_together() -> None:
    """Neither excerpt contains the other, and the recording that contains both is dropped."""
    table = rows(("A", OWN, "a"), ("B", OWN, "a"), ("W", NEWER, "a"))
    found = resolve(table, [pair("A", "W"), pair("B", "W")], {"W": 60.0})
    assert kept(found) == {"A": "a", "B": "a"}
    assert found.together == [("A", "B")]
    assert found.report["dropped"].tolist() == ["W", "W"]


def test_a_label_reaches_the_kept_one_through_the_dropped_one() -> None:
    """B is dropped in favour of A and shares sound with C: A and C must be in the same fold."""
    table = rows(("A", OWN, "a"), ("B", OWN, "a"), ("C", OWN, "c"))
    found = resolve(table, [pair("A", "B"), pair("B", "C")], {})
    assert kept(found) == {"A": "a", "C": "c a"}
    assert found.together == [("A", "C")]


def test_the_report_names_the_preferred_first_and_turns_the_offset() -> None:
    table = rows(("A", NEWER, "a"), ("B", OWN, "a"))
    report = resolve(table, [pair("A", "B", 0.87654, -3.0)], {}).report
    assert tuple(report) == REPORT_COLUMNS
    assert report.dropna(axis="columns").to_dict("records") == [
        {
            "recording_id": "B",
            "duplicate_id": "A",
            "reason": "same species",
            "similarity": 0.877,
            "offset_s": 3.0,
            "action": "dropped",
            "dropped": "A",
        }
    ]


def test_without_pairs_nothing_changes() -> None:
    table = rows(("B", OWN, "a"), ("A", OWN, "b"))
    found = resolve(table, [], {})
    expected = table.sort_values("recording_id", ignore_index=True)
    pd.testing.assert_frame_equal(found.kept, expected)
    assert tuple(found.report) == REPORT_COLUMNS
    assert found.together == []


NAMES = "ABCDEFGH"
TABLES = st.lists(
    st.tuples(st.sampled_from(SOURCES), st.sampled_from(["a", "b", "a b"])), min_size=8, max_size=8
)
PAIRS = st.sets(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)).filter(lambda p: p[0] < p[1])
)


@settings(deadline=None)
@given(TABLES, PAIRS, st.randoms())
def test_what_is_left_never_shares_sound_and_species(
    cells: list[tuple[str, str]], ends: set[tuple[str, str]], random: Random
) -> None:
    table = rows(*((name, *cell) for name, cell in zip(NAMES, cells, strict=True)))
    pairs = [pair(*names) for names in sorted(ends)]
    found = resolve(table, pairs, {})
    left = kept(found)
    labels: dict[str, Any] = {
        name: set(cell[1].split()) for name, cell in zip(NAMES, cells, strict=True)
    }
    for one, other in ends:
        assert not (one in left and other in left and labels[one] & labels[other])
        assert not (one in left and other in left) or (one, other) in found.together
    for name in set(NAMES) - set(left):  # nothing goes without one that stays
        assert any(
            labels[name] & labels[other] and tuple(sorted((name, other))) in ends for other in left
        )
    random.shuffle(pairs)
    again = resolve(table.sample(frac=1, random_state=random.randrange(99)), pairs, {})
    pd.testing.assert_frame_equal(again.kept, found.kept)
    pd.testing.assert_frame_equal(again.report, found.report)
    assert again.together == found.together
