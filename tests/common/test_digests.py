"""Equal inputs give equal keys, and different inputs give different keys."""

from pathlib import Path

from birdclef.common.digests import digest
from birdclef.params import Params


def test_a_section_a_file_and_a_value_each_change_the_key(tmp_path: Path, params: Params) -> None:
    train, file = params.train.model_dump(), tmp_path / "index.csv"
    file.write_text("a")
    key = digest(train, file, "l1", 0)
    assert digest(train, file, "l1", 0) == key
    assert digest({**train, "max_lr": 0.1}, file, "l1", 0) != key
    assert digest(train, file, "l1", 1) != key
    file.write_text("b")
    assert digest(train, file, "l1", 0) != key


def test_a_path_is_its_content_and_a_string_itself(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("same")
    other.write_text("same")
    assert digest(one) == digest(other)
    assert digest(str(one)) != digest(str(other))


def test_where_one_part_ends_matters() -> None:
    assert digest("ab", "c") != digest("a", "bc") != digest("abc")
    assert digest(1) != digest("1")
    assert digest("\udce9.wav") != digest("?.wav")  # a name that is not UTF-8
