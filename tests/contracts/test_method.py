"""docs/method.md agrees with the recipe's values, and names files and functions that exist."""

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest
import yaml

from birdclef.common.nested import flatten
from paths import ROOT

TEXT = (ROOT / "docs/method.md").read_text()
RECIPE = dict(flatten(yaml.safe_load((ROOT / "recipes/birdclef-2024.yaml").read_text())))
SECTIONS = ("folds", "models", "clips", "mel", "train", "train_l1", "pseudo_label", "train_l2")
REQUIRED = {key for key in RECIPE if key.split(".")[0] in SECTIONS}
REQUIRED |= {"index.max_recordings_per_species"}
HEADER = ["step", "original", "here", "where", "why it differs"]


class Row(NamedTuple):
    """One step of the method; each field is the text of a cell."""

    step: str
    original: str
    here: str
    where: str
    why: str

    @property
    def key(self) -> str | None:
        """The key of the recipe that `where` names."""
        found = re.search(r"`params: ([\w.]+)`", self.where)
        return found[1] if found else None


def _rows(text: str) -> Iterator[Row]:
    """The rows of all tables with the columns of HEADER."""
    inside = False
    for line in text.splitlines():
        cells = [cell.strip() for cell in line[1:-1].split("|")] if line.startswith("|") else []
        inside = bool(cells) and (inside or cells == HEADER)
        if inside and cells != HEADER and set(cells) != {"---"}:
            yield Row(*cells)


def _value(cell: str) -> Any:
    """The value in backticks that a cell begins with."""
    found = re.match(r"`([^`]+)`", cell)
    assert found, f"begin the cell with its value in backticks: {cell!r}"
    return yaml.safe_load(found[1])


def _problems(text: str, recipe: Mapping[str, Any]) -> list[str]:
    """Every disagreement between the tables of a text and the values of a recipe."""
    rows = {row.key: row for row in _rows(text) if row.key}
    counts = Counter(row.key for row in _rows(text) if row.key)
    problems = [f"{key} has {n} rows" for key, n in counts.items() if n > 1]
    problems += [f"{key} has no row" for key in sorted(REQUIRED - rows.keys())]
    problems += [f"{key} is not in the recipe" for key in sorted(rows.keys() - recipe.keys())]
    for key, row in rows.items():
        here = _value(row.here)
        if key in recipe and (here, type(here)) != (recipe[key], type(recipe[key])):
            problems.append(f"{key} = {recipe[key]!r}, but `here` has {here!r}")
        if (_value(row.original) == here) == bool(row.why):
            problems.append(f"{key}: say why the values differ, and nothing if they are equal")
    return problems


def test_the_tables_have_the_recipes_values() -> None:
    problems = _problems(TEXT, RECIPE)
    assert not problems, "docs/method.md and recipes/birdclef-2024.yaml: " + "; ".join(problems)


@pytest.mark.parametrize("key", ["mel.n_fft", "train_l2.clip_grad", "train.pretrained"])
def test_a_wrong_value_on_either_side_is_found(key: str) -> None:
    (row,) = (row for row in _rows(TEXT) if row.key == key)
    assert _problems(TEXT, RECIPE | {key: 7}) == [f"{key} = 7, but `here` has {_value(row.here)!r}"]
    line = next(x for x in TEXT.splitlines() if x.startswith("|") and f"`params: {key}`" in x)
    wrong = TEXT.replace(line, line.replace(f"| {row.here} | {row.where}", f"| `7` | {row.where}"))
    assert f"{key} = {RECIPE[key]!r}, but `here` has 7" in _problems(wrong, RECIPE)
    assert _problems(TEXT.replace(f"{line}\n", ""), RECIPE) == [f"{key} has no row"]
    assert _problems(TEXT.replace(line, f"{line}\n{line}"), RECIPE) == [f"{key} has 2 rows"]


def test_a_step_without_a_key_is_the_same_or_has_a_reason() -> None:
    for row in _rows(TEXT):
        if not row.key:
            is_same = row.here.startswith("the same")
            assert is_same != bool(row.why), f"{row.step}: say why it differs, if it does"


def _names(source: str) -> set[str]:
    """The functions, classes and constants of a module."""
    names: set[str] = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


def test_files_and_functions_exist() -> None:
    references = re.findall(r"`([\w/]+\.py)(?:: (\w+))?`", "\n".join(r.where for r in _rows(TEXT)))
    assert len(references) > 50
    for file, name in references:
        path = ROOT / "src/birdclef" / file
        assert path.is_file(), f"docs/method.md names {file}, which does not exist"
        assert not name or name in _names(path.read_text()), f"{file} has no {name}"


def test_every_row_says_where() -> None:
    for row in _rows(TEXT):
        assert re.search(r"`params: |\.py[`:]", row.where), f"{row.step}: name a file or a key"
