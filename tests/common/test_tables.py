"""Tables from outside: text stays text, lists are data, and errors name the fault."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from birdclef.common.tables import (
    MAX_LIST_CHARS,
    TableError,
    parse_name_lists,
    parse_names,
    read_table,
    to_numbers,
)


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_text(text, encoding=encoding)
    return path


def test_cells_stay_text(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "id,name\n007, null \nNA,\n")
    assert read_table(path, ["id"]).to_dict("list") == {"id": ["007", "NA"], "name": ["null", ""]}


def test_rows_are_numbered_as_a_spreadsheet_does(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", 'id,name\na,"two\nlines"\n\nb,\nc\n')
    table = read_table(path, ["id"])
    assert table["id"].to_dict() == {2: "a", 4: "b", 5: "c"}
    assert table["name"].to_dict() == {2: "two\nlines", 4: "", 5: ""}


def test_a_byte_order_mark_is_not_part_of_a_name(tmp_path: Path) -> None:
    assert list(read_table(write(tmp_path / "t.csv", "id\na\n", "utf-8-sig"), ["id"])) == ["id"]


def test_missing_columns_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "id,name\n1,a\n")
    match = r"t\.csv lacks the columns x, y; its columns are id, name"
    with pytest.raises(TableError, match=match):
        read_table(path, ["id", "x", "y"])


@pytest.mark.parametrize("text", ["", "a,b\n1,2,3\n", "a,b\n1,2\n1,2,3\n", 'a,b\n"1,2\n'], ids=repr)
def test_a_malformed_table_is_an_error_with_its_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(TableError, match=r"t\.csv is not a readable CSV"):
        read_table(write(tmp_path / "t.csv", text), [])


def test_other_encodings_and_missing_files_are_errors(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "id\né\n", "latin-1")
    with pytest.raises(TableError, match="UTF-8"):
        read_table(path, [])
    with pytest.raises(TableError, match=r"u\.csv not found$"):
        read_table(tmp_path / "u.csv", [])


def test_names_are_parsed() -> None:
    assert parse_names("['houspa', ' caltow ', '']") == ("houspa", "caltow")
    assert parse_names("[]") == ()
    assert parse_names("") == ()


@pytest.mark.parametrize(
    "cell",
    [
        "__import__('os').remove('x')",
        "[__import__('os').getcwd()]",
        "['a'] + ['b']",
        "[f'{1}']",
        "('a', 'b')",
        "{'a'}",
        "'a'",
        "[1]",
        "[None]",
        "[b'a']",
        "[['a']]",
        "['a'",
        "houspa",
        "nan",
        "['\0']",
        "[" * 5000,
        "-" * 9000 + "1",
        "1" + "+1" * 4000,
        str(["a"] * MAX_LIST_CHARS),
    ],
    ids=lambda cell: cell[:20],
)
def test_anything_but_a_list_of_strings_is_refused(cell: str) -> None:
    assert parse_names(cell) is None


def test_code_in_a_cell_is_not_executed(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    assert parse_names(f"[__import__('pathlib').Path({str(mark)!r}).touch()]") is None
    assert not mark.exists()


@given(st.lists(st.text(max_size=20), max_size=20))
def test_any_list_of_strings_comes_back(names: list[str]) -> None:
    assert parse_names(repr(names)) == tuple(name.strip() for name in names if name.strip())


@given(st.text())
def test_no_text_breaks_the_parser(cell: str) -> None:
    names = parse_names(cell)
    assert names is None or all(isinstance(name, str) for name in names)


@pytest.mark.filterwarnings("error")
def test_a_column_of_lists_keeps_its_index_and_makes_no_noise() -> None:
    cells = pd.Series(["['a', 'b']", r"['\d']", "['a', 'b']", "1"], index=[5, 3, 9, 1])
    parsed = parse_name_lists(cells)
    assert list(parsed.index) == [5, 3, 9, 1]
    assert list(parsed) == [("a", "b"), (r"\d",), ("a", "b"), None]


def test_only_finite_numbers_are_numbers() -> None:
    numbers = to_numbers(pd.Series(["1.5", "-3", "Not specified", "", "inf", "1e999"]))
    assert numbers.dropna().to_dict() == {0: 1.5, 1: -3.0}
