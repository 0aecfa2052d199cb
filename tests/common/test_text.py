"""Text from outside is no formula in a spreadsheet and no command to a terminal, and comes back."""

import csv
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from birdclef.common.files import write_csv
from birdclef.common.tables import read_own
from birdclef.common.text import guard, printable, unguard

FORMULAS = ["=1+1", "+1+1", "-cmd", "@x", "\t=1", "\r=1", "\n=1", "\uff1d1", "'=1", "''@x", "-"]
PLAIN = ["", "a", "-1.5", "+3", "1e-9", "'Apapane", "a=b", "'", "caltow houspa", " =1"]


@pytest.mark.parametrize("text", FORMULAS, ids=repr)
def test_what_looks_like_a_formula_gets_an_apostrophe(text: str) -> None:
    assert guard(text) == f"'{text}"


@pytest.mark.parametrize("text", PLAIN, ids=repr)
def test_other_text_and_numbers_stay(text: str) -> None:
    assert guard(text) == text


@given(st.text(alphabet="'=+-@\t\r\n1a \uff1d"))
@example("")
def test_every_text_comes_back(text: str) -> None:
    assert unguard(guard(text)) == text
    assert not guard(text).startswith(("=", "@", "\t", "\r", "\n"))


@given(
    st.lists(
        st.sampled_from([*FORMULAS, *PLAIN, "a,b", '"', "a\rb", "a\nb", "a\r\n"]),
        min_size=1,
        max_size=9,
    )
)
def test_a_table_comes_back_through_a_file(texts: list[str]) -> None:
    texts = [text.strip() for text in texts]  # the reader strips
    with TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        write_csv(pd.DataFrame({"=id": ["x"] * len(texts), "text": texts}), path)
        written = io.StringIO(path.read_bytes().decode(), newline="")
        cells = [cell for row in csv.reader(written) for cell in row]
        read = read_own(path)
    assert len(cells) == 2 * (len(texts) + 1)
    assert not any(cell.startswith(("=", "@")) for cell in cells)
    assert read["text"].tolist() == texts


def test_numbers_missing_values_and_categories_are_written_as_before(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "number": [-1.5, 0.1 + 0.2],
            "object": pd.Series([-0.1 - 0.2, None], dtype=object),
            "text": ["-x", None],
            "kind": pd.Categorical(["=a", "b"]),
        }
    )
    write_csv(frame, tmp_path / "t.csv")
    expected = "number,object,text,kind\n-1.5,-0.30000000000000004,'-x,'=a\n0.3,,,b\n"
    assert (tmp_path / "t.csv").read_text() == expected
    assert frame["text"][0] == "-x"


def test_control_characters_become_escapes() -> None:
    assert printable("a\x1b[31m\n\t\x9b\udce9é[b]") == r"a\x1b[31m\n\t\x9b\udce9é[b]"


@given(st.text())
def test_printable_text_has_no_control_characters(text: str) -> None:
    assert printable(text).isprintable()
