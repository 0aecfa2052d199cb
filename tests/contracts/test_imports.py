"""Each contract on imports in pyproject.toml holds, and is broken by the import that it forbids."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from paths import ROOT
from pipeline_contract import SOURCE, import_closure

pytestmark = pytest.mark.slow

CONTRACTS = {
    contract["id"]: contract
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
}
BROKEN_BY = [  # contract, module, what it must not import
    ("one-way", "common/files", "birdclef.index.rules"),
    ("one-way", "params", "birdclef.common.names"),
    ("one-way", "model/mel", "birdclef.dataset.clips"),
    ("one-way", "dataset/clips", "birdclef.audio.decode"),
    ("one-way", "training/fold", "birdclef.evaluation.scores"),
    ("one-way", "training/fold", "birdclef.export.graph"),
    ("one-way", "export/graph", "birdclef.predict.engines"),
    ("one-way", "evaluation/scores", "birdclef.stages.evaluate"),
    ("one-way", "predict/run", "birdclef.cli.app"),
    ("one-way", "audio/decode", "birdclef.index.rules"),
    ("common", "common/tables", "torch"),
    ("common", "common/tables", "sklearn.metrics"),
    ("demo", "demo/tables", "birdclef.common.names"),
    ("demo", "demo/scenes", "torch"),
    ("data-stages", "index/rules", "torch"),
    ("data-stages", "audio/decode", "torchaudio"),
    ("data-stages", "stages/preprocess", "birdclef.model.mel"),
    ("fingerprints", "index/sources", "birdclef.audio.decode"),
    ("fingerprints", "index/folds", "birdclef.demo.species"),
    ("training", "training/fold", "birdclef.audio.decode"),
    ("training", "evaluation/scores", "birdclef.audio.decode"),
    ("training", "export/graph", "birdclef.demo.scenes"),
    ("pseudo-labels", "pseudo_labels", "birdclef.model.classifier"),
    ("predict", "predict/run", "birdclef.model.classifier"),
    ("predict", "predict/run", "birdclef.audio.store"),
    ("predict", "predict/run", "pandas"),
    ("predict", "common/probabilities", "pandas"),
    ("predict", "predict/detector", "torch"),
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source and its contracts, to be spoiled."""
    folder = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "src/birdclef", folder / "birdclef")
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def _lint(tree: Path, contract: str) -> "subprocess.CompletedProcess[str]":
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    return subprocess.run(
        [*command, "--contract", contract],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("contract", CONTRACTS)
def test_the_contract_holds(tree: Path, contract: str) -> None:
    done = _lint(tree, contract)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("contract", "module", "imported"), BROKEN_BY)
def test_a_forbidden_import_is_caught(
    tree: Path, contract: str, module: str, imported: str
) -> None:
    file = tree / "birdclef" / f"{module}.py"
    good = file.read_text()
    file.write_text(f"{good}\nimport {imported}\n")
    try:
        done = _lint(tree, contract)
    finally:
        file.write_text(good)
    assert done.returncode == 1, done.stdout
    assert f"{CONTRACTS[contract]['name']} BROKEN" in done.stdout
    assert f"birdclef.{module.replace('/', '.')} ->" in done.stdout


def test_every_stage_without_torch_is_held_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """`make reproduce` expects the same bytes from these stages on every machine."""
    monkeypatch.chdir(ROOT)
    scripts = (SOURCE / "stages").glob("[!_]*.py")
    without = {
        f"birdclef.stages.{script.stem}"
        for script in scripts
        if not any("import torch" in file.read_text() for file in import_closure(script))
    }
    listed = {m for m in CONTRACTS["data-stages"]["source_modules"] if ".stages." in m}
    assert listed == without, "name these scripts in pyproject.toml, contract data-stages"


def test_every_contract_is_broken_once() -> None:
    assert {contract for contract, *_ in BROKEN_BY} == set(CONTRACTS)


def test_a_room_that_no_contract_knows_is_refused(tree: Path) -> None:
    (tree / "birdclef" / "attic.py").write_text('"""A module without a place."""\n')
    try:
        done = _lint(tree, "one-way")
    finally:
        (tree / "birdclef" / "attic.py").unlink()
    assert done.returncode == 1
    assert "birdclef.attic" in done.stdout + done.stderr
