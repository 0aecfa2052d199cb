"""The contract between dvc.yaml and the code: what a stage tracks is what it uses."""

import ast
import json
import textwrap
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NoReturn

import pytest
import yaml

from paths import ROOT
from pipeline_contract import (
    LEFT_OUT,
    SOURCE,
    block,
    code_deps,
    expand,
    import_closure,
    params_read,
)

PIPELINE: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())
STAGES: dict[str, Any] = PIPELINE["stages"]


@pytest.fixture(autouse=True)
def _in_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def _fail(message: str) -> NoReturn:
    """Fail with the message alone, which contains the lines to paste."""
    pytest.fail(message, pytrace=False)


def _script(stage: str) -> Path:
    return SOURCE / "stages" / f"{stage}.py"


def test_each_stage_is_a_script_of_its_name_and_each_script_a_stage() -> None:
    scripts = {p.stem for p in (SOURCE / "stages").glob("*.py")} - {"__init__", "__main__"}
    assert set(STAGES) == scripts
    for name, stage in STAGES.items():
        argument = '"$DVC_STAGE"' if "matrix" in stage else name
        assert stage["cmd"] == f"PYTHONPATH=src python -m birdclef.stages {argument}"


# Modules that a stage depends on by their room, and does not import. Each is cheap to edit: DVC
# stops where the outputs come out unchanged.
OVER_DEPENDENCES = {
    "demo": [
        "common: allocator arrays digests lengths names nested portable probabilities",
        "common: recordings tables",
    ],
    "index": [
        "common: allocator arrays digests lengths nested portable probabilities",
        "index: duplicates fingerprints folds landmarks overlaps",
    ],
    "index_extra": [
        "common: allocator arrays digests lengths nested portable probabilities",
        "index: duplicates fingerprints folds landmarks overlaps",
    ],
    "deduplicate": [
        "audio: incremental inputs pack_clips pack_soundscapes quarantine store",
        "common: allocator digests lengths nested portable probabilities",
    ],
    "preprocess": [
        "common: lengths nested portable probabilities recordings",
    ],
    "train_l1": [
        "common: nested",
    ],
    "pseudo_label": [
        "common: digests nested portable recordings",
        "dataset: labeled labels metrics",
    ],
    "train_l2": [
        "common: nested",
    ],
    "evaluate": [
        "common: digests nested portable",
    ],
    "export_onnx": [
        "common: nested portable",
        "evaluation: predictions",
        "model: batch_inference",
    ],
}


@pytest.mark.parametrize("stage", STAGES)
def test_code_deps_are_the_rooms_that_the_script_imports(stage: str) -> None:
    found = [dep for dep in STAGES[stage]["deps"] if dep.startswith("src/")]
    needed = code_deps(_script(stage))
    data = [dep for dep in STAGES[stage]["deps"] if dep not in found]
    if found != needed:
        _fail(f"paste into dvc.yaml, stage {stage}:\n{block('deps', data + needed)}")


@pytest.mark.parametrize("stage", STAGES)
def test_what_a_stage_imports_is_inside_its_deps(stage: str) -> None:
    tracked, used = expand(STAGES[stage]["deps"]), import_closure(_script(stage))
    assert used - set(LEFT_OUT) <= tracked
    assert not tracked & set(LEFT_OUT)


def _over_dependences(stage: str) -> list[str]:
    """Modules of a stage's rooms that it does not import, in short `room: modules` lines."""
    over = sorted(expand(code_deps(_script(stage))) - import_closure(_script(stage)))
    rooms = groupby(over, lambda path: path.parent.name)
    lines = ((room, textwrap.wrap(" ".join(p.stem for p in files), 75)) for room, files in rooms)
    return [f"{room}: {line}" for room, wrapped in lines for line in wrapped]


def _entry(stage: str, lines: Sequence[str]) -> str:
    """The entry of a stage in OVER_DEPENDENCES, as ruff formats it."""
    return "\n".join([f'    "{stage}": [', *(f'        "{line}",' for line in lines), "    ],"])


@pytest.mark.parametrize("stage", STAGES)
def test_over_dependences_are_those_on_the_list(stage: str) -> None:
    found = _over_dependences(stage)
    if found != OVER_DEPENDENCES.get(stage, []):
        entry = f"OVER_DEPENDENCES of {Path(__file__).relative_to(ROOT)}"
        what = f"set in {entry}\n{_entry(stage, found)}" if found else f"delete it from {entry}"
        _fail(
            f"stage {stage} tracks the modules below by their rooms and does not import them, so"
            f" an edit of them re-runs it. If that is right, {what}"
        )


def test_no_entry_of_the_list_is_without_a_stage() -> None:
    assert OVER_DEPENDENCES.keys() <= STAGES.keys()


def test_code_deps_are_few() -> None:
    lines = [dep for stage in STAGES.values() for dep in stage["deps"] if dep.startswith("src/")]
    assert len(lines) <= 70


@pytest.mark.parametrize("stage", STAGES)
def test_params_that_a_stage_tracks_are_those_it_reads(stage: str) -> None:
    read = sorted(c for c in params_read(_script(stage)) if not c.startswith("runtime"))
    found = sorted(STAGES[stage].get("params", []))
    if found != read:
        _fail(f"paste into dvc.yaml, stage {stage}:\n{block('params', read)}")


def test_a_stage_script_holds_no_logic_worth_a_test() -> None:
    for stage in STAGES:
        lines = len(_script(stage).read_text().splitlines())
        assert lines <= 40, f"{_script(stage)} has {lines} lines of 40: move its logic into a room"


def test_functions_and_modules_stay_short() -> None:
    for path in SOURCE.rglob("*.py"):
        text = path.read_text()
        assert text.count("\n") <= 300, f"{path} has more than 300 lines: split it"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno is not None
                lines = node.end_lineno - node.lineno + 1
                assert lines < 50, f"{path}: {node.name} has {lines} lines, 49 are allowed"


@pytest.mark.parametrize("stage", STAGES)
def test_params_are_read_in_the_open(stage: str) -> None:
    """Only as `params.section...`, where the test above sees it; never renamed or passed whole."""
    tree = ast.parse(_script(stage).read_text())
    attributes = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    functions = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
    own = {id(a) for call in calls if call.func.id in functions for a in call.args}  # type: ignore[attr-defined]
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == "params" and isinstance(node.ctx, ast.Load):
            assert id(node) in attributes | own, f"line {node.lineno} hides what it reads"


def test_a_package_file_holds_no_code() -> None:
    """Package files are no deps, so nothing in them may matter."""
    for path in SOURCE.rglob("__init__.py"):
        body = ast.parse(path.read_text()).body
        assert len(body) == 1
        assert isinstance(body[0], ast.Expr)


def test_closure_and_chains_are_found(tmp_path: Path) -> None:
    """The measure itself: an import inside a function, and the longest of nested chains."""
    closure = import_closure(SOURCE / "cli/app.py")
    assert {SOURCE / "cli/report.py", SOURCE / "audio/decode.py"} <= closure
    script = tmp_path / "s.py"
    script.write_text("f(params.a.b.c, params.d)\ng(params.d.e)\nh(other.x)\n")
    assert params_read(script) == {"a.b.c", "d"}


def _outputs(stage: str, kind: str) -> list[str]:
    return [next(iter(o)) if isinstance(o, dict) else o for o in STAGES[stage].get(kind, [])]


def test_every_output_is_kept_from_git_by_name() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    for stage in STAGES:
        for output in _outputs(stage, "outs"):
            parents = {f"/{p}" for p in [Path(output), *Path(output).parents]}
            in_git = output.startswith("metrics/")  # small counts, not cached
            assert in_git or parents & set(ignored), f"{output} is not in .gitignore"
    assert not [line for line in ignored if "*" in line and line.startswith(("/", "data"))]


def test_every_output_is_described_in_the_folder_where_it_lies() -> None:
    outputs = [Path(output) for stage in STAGES for output in _outputs(stage, "outs")]
    for output in (path for path in outputs if path.parts[0] in ("data", "models")):
        readme = ROOT / output.parts[0] / "README.md"
        assert f"| `{output.parts[1]}" in readme.read_text(), f"{readme} has no row for {output}"


def test_metrics_and_plotted_tables_live_in_git() -> None:
    in_git = set()
    for stage in STAGES.values():
        assert "plots" not in stage  # each table would be drawn a second time, without template
        items = [item for kind in ("metrics", "outs") for item in stage.get(kind, [])]
        for path, options in (pair for i in items if isinstance(i, dict) for pair in i.items()):
            if path.startswith("metrics/"):
                assert options == {"cache": False}
                in_git.add(path)
    for plot in PIPELINE["plots"]:
        ((_, options),) = plot.items()
        assert set(options["y"]) <= in_git
        assert (ROOT / f".dvc/plots/{options['template']}.json").is_file()


@pytest.mark.parametrize(("template", "axis"), [("bars_by_level", "x"), ("roc_auc_by_model", "y")])
def test_plots_of_roc_auc_start_at_chance_and_show_what_is_worse(template: str, axis: str) -> None:
    """The domain is a union, so a value below 0.5 extends the axis."""
    shown = {next(iter(plot)): next(iter(plot.values())) for plot in PIPELINE["plots"]}
    assert {o["template"] for name, o in shown.items() if "ROC-AUC" in name} >= {template}
    encoding = json.loads((ROOT / f".dvc/plots/{template}.json").read_text())["encoding"]
    assert encoding[axis]["scale"] == {"zero": False, "domain": {"unionWith": [0.5, 1]}}
