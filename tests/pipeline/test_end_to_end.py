"""The whole pipeline through DVC, on a very small demo, in a separate repository."""

import csv
import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from repository import Repository, stages_run

pytestmark = pytest.mark.slow


def test_every_stage_writes_its_metrics(repository: Repository) -> None:
    scores = repository.metrics("evaluate")
    assert set(scores.pop("calibration")) == {"before", "after"}
    none = {"species_with": 0, "species_without": 4}  # too few positives
    assert scores.pop("thresholds") == none
    every = ("l1", "l2", "l3")
    levels = {name: [n for n in part if n in every] for name, part in scores.items()}
    assert levels == {
        "out_of_fold": ["l1"],
        "seen_through_teachers": ["l2", "l3"],  # the demo's students learn from the mean
        "soundscapes": ["l1", "l2", "l3"],
    }
    assert all(0 <= scores[section][n] <= 1 for section, names in levels.items() for n in names)
    table = (repository.folder / "metrics/levels.csv").read_text().splitlines()
    assert [line.split(",")[:2] for line in table[1:]] == [["l1", "0"], ["l2", "0"], ["l3", "0"]]
    assert repository.metrics("export_onnx")["parity_below"] == 1e-4
    found = repository.metrics("deduplicate")
    assert (found["pairs"], found["dropped"], found["straddling_groups"]) == (2, 2, 0)
    shared = (found["recordings_with_labeled_sound"], found["soundscapes_with_labeled_sound"])
    assert shared == (1, 1)  # as planted in the demo
    assert repository.metrics("preprocess")["quarantined"] == 1  # the corrupt file of the demo
    shown = repository.run("birdclef", "report")
    assert "seen through teachers" in shown
    assert "labelled soundscapes" in shown
    assert "ONNX against PyTorch" in shown


def test_a_single_fold_can_be_exported(repository: Repository, tmp_path: Path) -> None:
    out = tmp_path / "one.onnx"
    command = ("birdclef", "model", "export", str(out), "--level", "l1", "--fold")
    shown = " ".join(repository.run(*command, "1").split())
    assert "differs from PyTorch by" in shown
    metadata = json.loads(repository.run("birdclef", "model", "info", str(out), "--json"))
    assert (metadata["level"], metadata["folds"]) == ("l1", [1])
    assert metadata["metrics"]["onnx"]["parity_below"] == 1e-4
    ensemble = repository.run("birdclef", "model", "info", "models/birdclef.onnx", "--json")
    assert metadata["species"] == json.loads(ensemble)["species"]
    assert "missing models/trained/l1" in repository.run(*command, "77", fails=True)


def test_nothing_runs_twice(repository: Repository) -> None:
    assert "up to date" in repository.run("dvc", "repro")
    assert "Running stage" not in repository.run("dvc", "repro")


def _would_run(
    repository: Repository, section: str, values: dict[str, Any], *options: str
) -> set[str]:
    """The stages that `dvc repro` with these options would run after a change of parameters."""
    params = (repository.folder / "params.yaml").read_text()
    repository.change(section, **values)
    try:
        shown = repository.run("dvc", "repro", "--dry", *options)
    finally:
        (repository.folder / "params.yaml").write_text(params)
    return {line.split("'")[1] for line in shown.splitlines() if "Running" in line}


@pytest.mark.parametrize(
    ("section", "values", "first", "untouched"),
    [
        ("train", {"backbone": "mnasnet_100"}, "train_l1", ("demo", "index", "preprocess")),
        ("train_l2", {"pseudo_ratio": 0.5}, "train_l2", ("train_l1", "pseudo_label@round0")),
        ("pseudo_label", {"transform": "none"}, "pseudo_label", ("train_l1",)),
        ("evaluate", {"group": "site"}, "evaluate", ("train_l1", "train_l2", "pseudo_label")),
    ],
)
def test_a_changed_param_reruns_only_the_stages_that_depend_on_it(
    repository: Repository,
    section: str,
    values: dict[str, Any],
    first: str,
    untouched: tuple[str, ...],
) -> None:
    stages = _would_run(repository, section, values, "--force-downstream")
    assert first in {name.split("@")[0] for name in stages}
    assert not [name for name in stages if name.startswith(untouched)]


@pytest.mark.parametrize(
    ("name", "values", "new"),
    [
        (
            "seeds",
            [0, 3],
            [f"train_l1@3-{name}-{fold}" for name in ("default", "test_resnet") for fold in (0, 1)],
        ),
        (
            "teacher_backbones",
            ["default", "test_resnet", "test_vit"],
            ["train_l1@0-test_vit-0", "train_l1@0-test_vit-1"],
        ),
    ],
)
def test_a_longer_list_trains_only_the_new_models(
    repository: Repository, name: str, values: list[Any], new: list[str]
) -> None:
    assert _would_run(repository, "models", {name: values}, "train_l1") == set(new)


def test_runtime_settings_run_nothing(repository: Repository) -> None:
    assert not _would_run(
        repository, "runtime", {"workers": 3, "device": "auto", "inference_batch": 4}
    )


def test_metrics_and_plots_are_shown(repository: Repository) -> None:
    shown = json.loads(repository.run("dvc", "metrics", "show", "--json"))

    def numbers(value: Any) -> int:
        return sum(map(numbers, value.values())) if isinstance(value, dict) else 1

    files = shown[""]["data"]
    another_round = 2  # this run has one round more than params.yaml, which adds two numbers
    shown_numbers = sum(numbers(file["data"]) for file in files.values())
    assert shown_numbers <= 20 + another_round, "list counts under `outs` of a stage, not `metrics`"
    plots = json.loads(repository.run("dvc", "plots", "show", "--json"))
    assert not plots.get("errors")
    assert "file://" in repository.run("dvc", "plots", "show")


def test_another_machine_pulls_and_runs_nothing(repository: Repository, tmp_path: Path) -> None:
    remote = tmp_path / "remote"
    repository.run("dvc", "remote", "add", "--local", "--force", "-d", "store", str(remote))
    repository.run("dvc", "push")
    other = repository.clone(tmp_path / "clone", tmp_path / "home")
    refused = other.run("make", "pull", "INSTALLED=", fails=True)
    assert "dvc remote add --local --default store" in refused
    assert "data/clips" not in refused
    other.run("dvc", "remote", "add", "--local", "-d", "store", str(remote))
    other.run("make", "pull", "INSTALLED=")
    assert "up to date" in other.run("dvc", "status")
    assert "Running stage" not in other.run("dvc", "repro")
    assert other.hashes() == repository.hashes()


def test_a_clone_without_data_fetches_only_the_inputs_of_stages_that_run(
    copy: Repository, tmp_path: Path
) -> None:
    """`dvc repro --pull --allow-missing` stops here: several stages share one models folder."""
    copy.run("dvc", "push")
    other = copy.clone(tmp_path / "clone", tmp_path / "another-home")
    other.run("dvc", "remote", "add", "--local", "-d", "store", str(tmp_path / "remote"))
    other.change("evaluate", min_positives=9)
    ran = stages_run(other.run("birdclef", "repro", "--pull"))
    assert "evaluate" in ran
    assert set(ran) <= {"evaluate", "export_onnx"}
    assert not [p for p in ("demo", "pseudo_labels") if (other.folder / "data" / p).exists()]
    assert "Running" not in other.run("birdclef", "repro", "--pull", "--jobs", "1")
    other.run("dvc", "pull")
    assert "up to date" in other.run("dvc", "status")


def test_missing_folds_are_named(repository: Repository, tmp_path: Path) -> None:
    """DVC itself would start a fan-in stage on an empty folder."""
    clone = repository.clone(tmp_path / "clone", tmp_path / "home")
    shown = clone.run(
        "python", "-m", "birdclef.stages", "pseudo_label", "l1", "l2", "0", fails=True
    )
    assert "models/trained/l1/seed_0/default/fold_0/model.safetensors" in shown
    assert "dvc pull" in shown


def test_the_same_inputs_give_the_same_bytes_two_stages_at_once(
    repository: Repository, tmp_path: Path
) -> None:
    """A run of everything without a cache writes the same dvc.lock."""
    again = repository.clone(tmp_path / "again", tmp_path / "home")
    (again.folder / "dvc.lock").unlink()
    shown = again.run("birdclef", "repro", "--jobs", "2")
    line = r"train_l1@0-default-1: l1 seed 0 test_efficientnet fold 1: \d+/\d+ loss .* epoch 2/2"
    assert re.search(line, shown)
    lock, expected = (r.folder / "dvc.lock" for r in (again, repository))
    assert lock.read_text() == expected.read_text()
    assert "up to date" in again.run("dvc", "status")


def test_a_model_trained_on_everything_has_no_out_of_fold_scores(
    repository: Repository, tmp_path: Path
) -> None:
    """With one full fit and one round, only the out-of-fold scores are absent."""
    shutil.copytree(repository.folder, tmp_path / "copy")
    copy = Repository(tmp_path / "copy", tmp_path / "home")
    one = {"folds": ["full_0"], "teacher_backbones": ["default"]}
    copy.change("models", **one, rounds=[{"teachers": "l1", "students": "l2"}])
    shown = copy.run("dvc", "repro")
    assert "images/s" in shown
    assert not re.search(r"loss .* ROC-AUC", shown)
    assert set(copy.metrics("evaluate")) == {"soundscapes"}
    rows = {
        name: list(csv.DictReader((copy.folder / f"metrics/{name}.csv").open()))
        for name in ("calibration", "reliability", "levels", "species", "learning_curves")
    }
    assert rows["calibration"] == rows["reliability"] == []
    assert {row["out_of_fold"] for row in rows["levels"] + rows["species"]} == {""}
    assert {row["macro_roc_auc"] for row in rows["learning_curves"]} == {""}
    metadata = json.loads(copy.run("birdclef", "model", "info", "--json"))
    assert metadata["calibration"] is None
    assert "out_of_fold" not in metadata["metrics"]
    assert "out of fold" not in copy.run("birdclef", "report")
    copy.run("birdclef", "docs")


def test_without_labelled_soundscapes_only_their_scores_are_missing(copy: Repository) -> None:
    """The competition of 2024 has no labelled soundscapes."""
    for name in ("index/soundscape_labels.csv", "soundscapes/labeled.csv"):
        table = copy.folder / "data" / name
        table.write_text(table.read_text().splitlines()[0] + "\n")
    for stage in ("evaluate", "export_onnx"):
        copy.run("python", "-m", "birdclef.stages", stage)
    expected = {"out_of_fold", "seen_through_teachers", "calibration", "thresholds"}
    assert set(copy.metrics("evaluate")) == expected
    levels = list(csv.DictReader((copy.folder / "metrics/levels.csv").open()))
    assert {row["soundscapes"] for row in levels} == {""}
    assert all(row["out_of_fold"] or row["seen_through_teachers"] for row in levels)
    assert "labelled soundscapes" not in copy.run("birdclef", "report")
    metadata = json.loads(copy.run("birdclef", "model", "info", "--json"))
    assert "soundscapes" not in metadata["metrics"]
    copy.run("birdclef", "docs")


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_killed_training_resumes_and_gives_the_same_bytes(
    repository: Repository, tmp_path: Path
) -> None:
    shutil.copytree(repository.folder, tmp_path / "copy")
    copy = Repository(tmp_path / "copy", tmp_path / "home")
    copy.change("train_l1", epochs=40)
    command = ("python", "-m", "birdclef.stages", "train_l1", "0", "default", "0")
    outputs = copy.folder / "models/trained/l1/seed_0/default/fold_0"
    copy.run(*command)
    expected = _contents(outputs)
    shutil.rmtree(outputs)
    process = subprocess.Popen(command, cwd=copy.folder, env=copy.environment)
    while not list(copy.folder.glob(".resume/*.pt")):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not outputs.exists()
    copy.run(*command)
    assert _contents(outputs) == expected
    assert not list(copy.folder.glob(".resume/*.pt"))
