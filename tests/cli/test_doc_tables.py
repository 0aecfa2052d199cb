"""Figures between two marks are filled from files, and the prose around them stays."""

from pathlib import Path

import pytest

from birdclef.cli.doc_tables import FiguresError, fill_all, filled


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def _asking(path: Path, request: str) -> Path:
    return _write(
        path, f"Before.\n<!-- figures: {request} -->\nold\n<!-- end of figures -->\nAfter."
    )


def test_figures_are_filled_once_and_prose_stays(tmp_path: Path) -> None:
    scores = _write(tmp_path / "s.json", '{"auc": 0.98765, "by": {"a": {"n": 1}, "b": {"m": 2}}}')
    readme, document = tmp_path / "README.md", tmp_path / "docs/d.md"
    document.parent.mkdir()
    for path in (readme, document):
        _asking(path, str(scores))
    assert fill_all(tmp_path) == [readme, document]
    assert readme.read_text() == document.read_text()
    lines = document.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("Before.", "After.")
    assert "| auc | 0.9877 |" in lines
    assert "| by / b / m | 2 |" in lines
    assert "old" not in lines
    assert fill_all(tmp_path) == []


def test_parts_and_tables_are_chosen(tmp_path: Path) -> None:
    scores = _write(
        tmp_path / "s.json", '{"by": {"a": {"n": 1}, "b": {"m": 2}}, "of all": {"n": 7}}'
    )
    text = filled(_asking(tmp_path / "s.md", f"{scores} of all"))
    assert "| n | 7 |" in text
    text = filled(_asking(tmp_path / "d.md", f"{scores} by"))
    assert "|  | n | m |\n| --- | --- | --- |\n| a | 1 |  |\n| b |  | 2 |\n" in text
    table = _write(tmp_path / "t.csv", "species,auc\nrobin,0.90\n")
    text = filled(_asking(tmp_path / "e.md", str(table)))
    assert "| species | auc |\n| --- | --- |\n| robin | 0.90 |\n" in text


@pytest.mark.parametrize("request_", ["{}/none.json", "{}/s.json none"])
def test_figures_that_are_not_there_are_named(tmp_path: Path, request_: str) -> None:
    _write(tmp_path / "s.json", "{}")
    with pytest.raises(FiguresError, match=r"d\.md asks for figures: .*none"):
        filled(_asking(tmp_path / "d.md", request_.format(tmp_path)))


BASE = (
    "# One model.\n# Two lines.\n\nmodels: # to train\n  folds: [0] # a\n\nmel:\n  n_fft: 8 # b\n"
)
ENSEMBLE = "# Nine models.\n\nmodels: # many\n  folds: # c\n    - 0\n    # why\n    - 1\n\nmel:\n"


def test_an_ensemble_recipe_is_the_other_with_models_and_first_comment_of_its_own(
    tmp_path: Path,
) -> None:
    (tmp_path / "recipes").mkdir()
    _write(tmp_path / "README.md", "")
    _write(tmp_path / "recipes/birds.yaml", BASE)
    recipe = _write(tmp_path / "recipes/birds-ensemble.yaml", ENSEMBLE)
    assert fill_all(tmp_path) == [recipe]
    assert recipe.read_text() == ENSEMBLE + "  n_fft: 8 # b\n"
    assert fill_all(tmp_path) == []


@pytest.mark.parametrize("text", ["models:\n  folds: [0]\n", "# A comment.\nmel:\n  n_fft: 8\n"])
def test_a_recipe_without_its_own_parts_is_refused(tmp_path: Path, text: str) -> None:
    _write(tmp_path / "birds.yaml", BASE)
    recipe = _write(tmp_path / "birds-ensemble.yaml", text)
    with pytest.raises(FiguresError, match=r"birds-ensemble\.yaml and .*must each begin with a"):
        filled(recipe)


def test_the_demo_s_table_has_the_keys_that_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes").mkdir()
    recipe = "mel: {n_fft: 8, f_min: 1.0}\ntrain: {ema: 0.9}\nruntime: {threads: 1}\n"
    _write(tmp_path / "recipes/birdclef-2024.yaml", recipe)
    demo = "mel: {n_fft: 4, f_min: 1.0}\ntrain: {ema: null}\nruntime: {threads: 2}\n"
    _write(tmp_path / "params.yaml", demo)
    lines = filled(_asking(tmp_path / "d.md", "demo")).splitlines()
    assert lines[4:-2] == ["| `mel.n_fft` | `8` | `4` |", "| `train.ema` | `0.9` | `null` |"]
