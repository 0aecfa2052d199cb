"""No group of recordings straddles two folds, whatever the recordings."""

import warnings
from collections import Counter, defaultdict
from itertools import combinations
from random import Random

import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from birdclef.common.names import NO_FOLD
from birdclef.index.folds import (
    FoldsError,
    assign_folds,
    count_straddling,
    find_groups,
    recordist_key,
    take_of,
)

COLUMNS = ["recording_id", "primary_label", "joint_labels", "recordist"]
IDS = st.one_of(
    st.integers(0, 99).map(lambda n: f"XC{n}"),
    st.tuples(st.integers(0, 9), st.sampled_from("ABC")).map(lambda take: f"FS{take[0]}{take[1]}"),
)
ROWS = st.tuples(
    IDS,
    st.sampled_from(["aaa", "bbb", "ccc"]),
    st.sampled_from(["", "", "ddd", "ccc ddd"]),
    st.sampled_from(["", "Ann", "Ben", "Cy", "Dee", "unknown"]),
)
TABLES = st.lists(ROWS, min_size=1, max_size=60, unique_by=lambda row: row[0])
Rows = list[tuple[str, str, str, str]]


def table(rows: Rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=COLUMNS)


def solo(label: str, numbers: range) -> Rows:
    """Recordings of one species, each by another recordist."""
    return [(f"XC{n}", label, "", f"Recordist {n}") for n in numbers]


def group_of(rows: Rows, *together: tuple[str, str]) -> dict[str, str]:
    ids = [row[0] for row in rows]
    return dict(zip(ids, find_groups(table(rows), together), strict=True))


def only_groups(rows: Rows) -> set[str]:
    """The groups that have every recording of some species."""
    group, groups_of = group_of(rows), defaultdict(set)
    for recording, primary, joint, _ in rows:
        for label in [primary, *joint.split()]:
            groups_of[label].add(group[recording])
    return {next(iter(groups)) for groups in groups_of.values() if len(groups) == 1}


def belong_together(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """The rule, stated independently: takes of one id, or one species by one recordist."""
    labels = {one[1], *one[2].split()} & {other[1], *other[2].split()}
    known = one[3] not in ("", "unknown")
    same_take = one[0].rstrip("ABC") == other[0].rstrip("ABC")
    return same_take or (known and one[3] == other[3] and bool(labels))


@settings(deadline=None)
@given(TABLES, st.integers(2, 4), st.integers(0, 3), st.randoms())
def test_folds_split_nothing_that_belongs_together(
    rows: Rows, count: int, seed: int, random: Random
) -> None:
    recordings = table(rows)
    only = only_groups(rows)
    assume(len(set(group_of(rows).values()) - only) >= count)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        folds = assign_folds(recordings, count, seed)
    assert list(folds["recording_id"]) == sorted(recordings["recording_id"])
    assert set(folds["fold"]) - {NO_FOLD} == set(range(count))
    assert set(folds.loc[folds["fold"] == NO_FOLD, "group"]) == only

    fold = dict(zip(folds["recording_id"], folds["fold"], strict=True))
    for one, other in combinations(rows, 2):
        assert not belong_together(one, other) or fold[one[0]] == fold[other[0]]
    assert (folds.groupby("group")["fold"].nunique() == 1).all()
    assert count_straddling(recordings, folds) == 0

    shuffled = recordings.sample(frac=1, random_state=random.randrange(100))
    pd.testing.assert_frame_equal(folds, assign_folds(shuffled, count, seed))


@settings(deadline=None)
@given(st.integers(2, 5), st.lists(st.integers(0, 20), min_size=1, max_size=4), st.integers(0, 9))
def test_species_of_single_recordings_are_spread_evenly(
    count: int, sizes: list[int], seed: int
) -> None:
    assume(max(sizes) >= count)
    rows = [
        row
        for i, size in enumerate(sizes)
        for row in solo(f"species{i}", range(100 * i, 100 * i + size))
    ]
    folds = assign_folds(table(rows), count, seed).set_index("recording_id")["fold"]
    for i, size in enumerate(sizes):
        if size == 1:
            assert folds[f"XC{100 * i}"] == NO_FOLD
            continue
        own = Counter(folds[row[0]] for row in rows if row[1] == f"species{i}")
        per_fold = [own[fold] for fold in range(count)]
        assert max(per_fold) - min(per_fold) <= 1
    total = [int((folds == fold).sum()) for fold in range(count)]
    assert max(total) - min(total) <= len(sizes)


def test_a_recordist_keeps_each_species_together_but_not_all_of_them() -> None:
    rows = [
        ("1", "a", "", "Ann"),
        ("2", "a", "", "Ann"),
        ("3", "b", "", "Ann"),
        ("4", "a", "", "B"),
    ]
    assert group_of(rows) == {"1": "1", "2": "1", "3": "3", "4": "4"}


def test_joint_labels_join_groups() -> None:
    rows = [("1", "a", "", "Ann"), ("2", "b", "", "Ann"), ("3", "c", "a b", "Ann")]
    assert set(group_of(rows).values()) == {"1"}


@pytest.mark.parametrize("name", ["", "Unknown", "anonymous", " - ", "N/A"])
def test_unknown_recordists_form_no_groups(name: str) -> None:
    assert group_of([("1", "a", "", name), ("2", "a", "", name)]) == {"1": "1", "2": "2"}


def test_names_differ_by_more_than_case_and_blanks() -> None:
    assert recordist_key(" Paul  MARVIN") == recordist_key("Paul Marvin") != recordist_key("Paul")


@pytest.mark.parametrize(
    ("recording", "take"),
    [("FS37806A", "FS37806"), ("FS37806b", "FS37806"), ("XC1", "XC1"), ("XC", "XC"), ("A", "A")],
)
def test_takes_lose_their_letter(recording: str, take: str) -> None:
    assert take_of(recording) == take


def test_takes_stay_together_across_recordists_and_species() -> None:
    rows = [("FS1A", "a", "", "Ann"), ("FS1B", "b", "", "Ben"), ("FS2A", "c", "", "Cy")]
    assert group_of(rows) == {"FS1A": "FS1A", "FS1B": "FS1A", "FS2A": "FS2A"}


def test_pairs_stay_together_too() -> None:
    rows = solo("a", range(4))
    pairs = (("XC3", "XC1"), ("XC1", "XC2"))
    assert group_of(rows, *pairs) == {"XC0": "XC0", "XC1": "XC1", "XC2": "XC1", "XC3": "XC1"}
    assert assign_folds(table(rows), 2, 0, pairs).groupby("group")["fold"].nunique().max() == 1


def test_pairs_of_unknown_recordings_are_an_error() -> None:
    with pytest.raises(ValueError, match="unknown recordings: XC9"):
        find_groups(table(solo("a", range(4))), [("XC1", "XC9")])


def test_too_few_groups_are_an_error_that_names_the_key() -> None:
    rows = [(f"XC{n}", "a", "", "Ann") for n in range(9)]
    with pytest.raises(FoldsError, match=r"folds\.count = 2 .* 9 recordings form only 0"):
        assign_folds(table(rows), 2, 0)


@pytest.mark.filterwarnings("error")
def test_species_may_have_fewer_recordings_than_folds() -> None:
    rows = solo("a", range(2)) + solo("b", range(10, 12)) + solo("c", range(20, 22))
    assert set(assign_folds(table(rows), 4, 0)["fold"]) == {0, 1, 2, 3}


def test_a_species_of_one_recordist_is_held_out_by_no_fold() -> None:
    """Else the model of its fold would learn from every clip that the species is absent."""
    rows = [*solo("a", range(6)), ("XC10", "b", "", "Ann"), ("XC11", "b", "", "Ann")]
    rows.append(
        ("XC12", "a", "", "Ann")
    )  # by the same recordist, but of a species that others have
    folds = assign_folds(table(rows), 3, 0).set_index("recording_id")["fold"]
    assert folds[["XC10", "XC11"]].tolist() == [NO_FOLD, NO_FOLD]
    assert set(folds.drop(["XC10", "XC11"])) == {0, 1, 2}
    others = assign_folds(table([row for row in rows if row[1] == "a"]), 3, 0)
    assert folds[others["recording_id"]].tolist() == others["fold"].tolist()


def test_the_seed_matters() -> None:
    recordings = table(solo("a", range(30)))
    folds = [tuple(assign_folds(recordings, 3, seed)["fold"]) for seed in (0, 0, 1)]
    assert folds[0] == folds[1] != folds[2]


def test_the_leak_report_counts_what_straddles() -> None:
    rows = [("FS1A", "a", "", "Ann"), ("FS1B", "b", "", "Ben"), ("XC2", "c", "a", "Ann")]
    rows += [("XC3", "d", "", ""), ("XC4", "d", "", "")]
    folds = pd.DataFrame({"recording_id": [row[0] for row in rows], "fold": [0, 1, 1, 0, 1]})
    assert count_straddling(table(rows), folds) == 2  # the takes FS1, and Ann's of a
    assert count_straddling(table(rows), folds.assign(fold=0)) == 0
    pairs = [("XC3", "XC4"), ("XC2", "XC4")]
    assert count_straddling(table(rows), folds, pairs) == 3  # and the first pair
