"""Labelled soundscapes are divided into halves by name, by site or by a part of the name."""

import pandas as pd
import pytest

from birdclef.evaluation.halves import groups_of, tuning_rows
from birdclef.params import ParamsError

NAMES = ["1_COR_a", "2_SSW_a", "3_COR_b", "3_COR_b"]


def _windows(names: list[str], sites: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"soundscape_id": names, "site": sites}, dtype="str")


WINDOWS = _windows(NAMES, ["COR", "SSW", "COR", "COR"])


@pytest.mark.parametrize(
    ("group", "groups", "tuning"),
    [
        (None, NAMES, [True, False, True, True]),
        ("site", ["COR", "SSW", "COR", "COR"], [True, False, True, True]),
        ("_([A-Z]+)_", ["COR", "SSW", "COR", "COR"], [True, False, True, True]),
        (r"_(\w)$", ["a", "a", "b", "b"], [True, True, False, False]),
        (r"^(\d)", ["1", "2", "3", "3"], [True, False, True, True]),
    ],
)
def test_sorted_groups_alternate_between_the_halves(
    group: str | None, groups: list[str], tuning: list[bool]
) -> None:
    assert groups_of(WINDOWS, group) == groups
    assert tuning_rows(groups).tolist() == tuning


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ("(X+)", "it must match each name, and 3 of 3 .*, first 1_COR_a"),
        ("_(SSW)_", "and 2 of 3 labelled soundscapes break this rule, first 1_COR_a"),
        ("_COR_|_(SSW)_", "and 2 of 3"),  # a match without the group
        ("(_)", "all 3 labelled soundscapes are of the group _"),
    ],
)
def test_a_pattern_that_does_not_divide_all_names_is_refused(group: str, message: str) -> None:
    with pytest.raises(ParamsError, match=message) as error:
        groups_of(WINDOWS, group)
    assert f"evaluate.group = {group}" in str(error.value)
    assert "set evaluate.group to" in str(error.value)


def test_site_is_refused_where_a_soundscape_has_none() -> None:
    with pytest.raises(ParamsError, match=r"must have a site, and 1 of 3 .* first 2_SSW_a"):
        groups_of(_windows(NAMES, ["COR", "", "COR", "COR"]), "site")


@pytest.mark.parametrize("group", [None, "site", "_(.)"])
def test_without_labelled_soundscapes_nothing_is_divided(group: str | None) -> None:
    assert groups_of(_windows([], []), group) == []
    assert tuning_rows([]).tolist() == []
