"""Tables from outside: text stays text, lists are data, and errors name the fault."""

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from birdclef.common.files import write_csv
from birdclef.common.tables import (
    JOINED_ROWS,
    LONG_ROW,
    MAX_LIST_CHARS,
    SHORT_ROW,
    TableError,
    parse_name_lists,
    parse_names,
    read_checked,
    read_own,
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
    table, faults = read_checked(path, ["id"])
    assert table["id"].to_dict() == {2: "a", 4: "b", 5: "c"}
    assert table["name"].to_dict() == {2: "two\nlines", 4: "", 5: ""}
    assert faults.to_dict() == {2: "", 4: "", 5: SHORT_ROW}


def test_odd_quotes_that_join_rows_are_found_and_remarks_of_several_lines_are_not(
    tmp_path: Path,
) -> None:
    rows = ['a,"1,x', 'b,2",x', 'c,"two lines,\nno more",x', "d,3,x", 'e,4,"5', "f,6,7", 'g,8,9"']
    table, faults = read_checked(write(tmp_path / "t.csv", "\n".join(["id,n,m", *rows])), ["id"])
    assert table["id"].tolist() == ["a", "c", "d", "e"]
    assert faults.tolist() == [JOINED_ROWS, "", "", JOINED_ROWS]


@pytest.mark.parametrize("row", ["a", 'a,"1\nb,2"'])
def test_a_table_that_must_be_sound_is_refused_with_the_row(tmp_path: Path, row: str) -> None:
    path = write(tmp_path / "t.csv", f"id,n\nz,0\n{row}\n")
    with pytest.raises(TableError, match=r"t\.csv row 3: .*correct the row"):
        read_table(path, ["id"])


@pytest.mark.parametrize("header", ["id,n,id", "n,id,n,id", '"id",n,id', "x,x,id"])
def test_two_columns_of_one_name_are_refused(tmp_path: Path, header: str) -> None:
    path = write(tmp_path / "t.csv", f"{header}\n1,2,3,4\n"[: len(header) + 1])
    with pytest.raises(TableError, match=r"t\.csv has several columns named .*remove all but one"):
        read_table(path, ["id"])


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir])
def test_what_is_no_file_is_refused_and_not_waited_for(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "t.csv")
    with pytest.raises(TableError, match=r"t\.csv is no regular file"):
        read_table(tmp_path / "t.csv", [])


def test_our_tables_keep_text_as_it_is(tmp_path: Path) -> None:
    ids = ["NA", "null", "nan", "None", "007", "1e5", "", "True", "-inf", "-rf", "=1", "a\rb"]
    table = pd.DataFrame({"id": ids, "group": ids, "n": range(12), "x": [0.5] * 11 + [None]})
    write_csv(table, tmp_path / "t.csv")
    pd.testing.assert_frame_equal(read_own(tmp_path / "t.csv", n=int, x=float), table)


def test_guarded_text_comes_back(tmp_path: Path) -> None:
    """Also ids, which may start with a hyphen, as text or as categories."""
    texts = ["=1+1", "-rec", "'=a", "plain", ""]
    write_csv(pd.DataFrame({"@text": texts, "id": texts, "n": -1}), tmp_path / "t.csv")
    assert "'=1+1,'=1+1,-1" in (tmp_path / "t.csv").read_text()
    own = read_own(tmp_path / "t.csv", id="category", n=int)
    assert own["@text"].tolist() == own["id"].astype(str).tolist() == texts
    assert own["n"].tolist() == [-1] * 5
    assert read_table(tmp_path / "t.csv", ["id"])["id"].tolist() == texts


def test_categories_of_digits_stay_text(tmp_path: Path) -> None:
    ids = ["24844", "007", "24844"]
    write_csv(pd.DataFrame({"id": ids}), tmp_path / "t.csv")
    found = read_own(tmp_path / "t.csv", id="category")["id"]
    assert found.tolist() == ids
    assert found.cat.categories.tolist() == ["007", "24844"]


def test_an_empty_table_of_ours_has_the_types_that_are_asked_for(tmp_path: Path) -> None:
    write_csv(pd.DataFrame(columns=["id", "n", "x"]), tmp_path / "t.csv")
    found = read_own(tmp_path / "t.csv", n=int, x=float)
    assert found["n"].dtype == "int64"
    assert found["x"].dtype == "float64"


def test_a_byte_order_mark_is_not_part_of_a_name(tmp_path: Path) -> None:
    assert list(read_table(write(tmp_path / "t.csv", "id\na\n", "utf-8-sig"), ["id"])) == ["id"]


def test_missing_columns_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "id,name\n1,a\n")
    match = r"t\.csv lacks the columns x, y; its columns are id, name"
    with pytest.raises(TableError, match=match):
        read_table(path, ["id", "x", "y"])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is not a readable CSV"),
        ("a,b\n1,2,3\n", f"row 2: {LONG_ROW}"),
        ("a,b\n1,2\n1,2,3\n", f"row 3: {LONG_ROW}"),
        ('a,b\n"1,2\n', f"row 2: {JOINED_ROWS}"),
        (f"a,b\n{'x' * 200_000},2\n", "is not a readable CSV"),
    ],
    ids=lambda text: text[:20],
)
def test_a_malformed_table_is_an_error_with_its_name(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(TableError, match=rf"t\.csv {fault}"):
        read_table(write(tmp_path / "t.csv", text), [])


def test_blank_cells_beyond_the_header_are_no_fault(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "t.csv", "a,b,,\n1,2,\n3,4,, \n"), ["a", "b"])
    assert table.to_dict("list") == {"a": ["1", "3"], "b": ["2", "4"]}


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
