"""Nested mappings become flat ones, in order."""

from birdclef.common.nested import flatten


def test_names_are_joined_and_lists_are_values() -> None:
    values = {"a": {"b": 1, "c": {"d": [2]}}, "e": None, "empty": {}}
    assert list(flatten(values)) == [("a.b", 1), ("a.c.d", [2]), ("e", None)]
    assert dict(flatten(values, " / "))["a / c / d"] == [2]
