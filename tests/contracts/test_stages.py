"""The contract between dvc.yaml and the code: what a stage tracks is what it uses."""

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml

from paths import ROOT
from pipeline_contract import SOURCE, import_closure, params_read

PIPELINE: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())
STAGES: dict[str, Any] = PIPELINE["stages"]


@pytest.fixture(autouse=True)
def _in_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def _script(stage: str) -> Path:
    return SOURCE / "stages" / f"{stage}.py"


def test_each_stage_is_a_script_of_its_name_and_each_script_a_stage() -> None:
    scripts = {p.stem for p in (SOURCE / "stages").glob("*.py")} - {"__init__"}
    assert set(STAGES) == scripts
    for name, stage in STAGES.items():
        assert stage["cmd"].startswith(f"PYTHONPATH=src python -m birdclef.stages.{name}")


@pytest.mark.parametrize("stage", STAGES)
def test_code_that_a_stage_depends_on_is_its_import_closure(stage: str) -> None:
    tracked = {Path(dep) for dep in STAGES[stage]["deps"] if dep.endswith(".py")}
    assert tracked == import_closure(_script(stage))


@pytest.mark.parametrize("stage", STAGES)
def test_params_that_a_stage_tracks_are_those_it_reads(stage: str) -> None:
    read = {chain for chain in params_read(_script(stage)) if not chain.startswith("runtime")}
    assert set(STAGES[stage]["params"]) == read


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


def test_imports_point_one_way() -> None:
    files = [p for p in SOURCE.rglob("*.py") if p.name != "__init__.py"]
    for file in files:
        for other in import_closure(file) - {file}:
            assert file not in import_closure(other), f"{file} and {other} import each other"
        assert not [p for p in import_closure(file) - {file} if p.parent.name == "stages"]


def test_closure_and_chains_are_found(tmp_path: Path) -> None:
    """The measure itself: an import inside a function, and the longest of nested chains."""
    closure = import_closure(SOURCE / "cli.py")
    assert {SOURCE / "report.py", SOURCE / "audio.py"} <= closure
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


def test_data_stages_load_no_torch() -> None:
    for stage in ("demo", "index", "index_extra", "deduplicate", "preprocess"):
        for file in import_closure(_script(stage)):
            assert "import torch" not in file.read_text(), f"{stage} imports torch by {file}"
