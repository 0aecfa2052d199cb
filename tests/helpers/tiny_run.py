"""One run of the whole pipeline through DVC, on a very small demo, in a separate repository."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from repository import Repository, working_copy

TINY: dict[str, dict[str, Any]] = {
    "demo": {
        "species": 4,
        "min_recordings": 3,
        "max_recordings": 6,
        "unlabeled_soundscapes": 3,
        "labeled_soundscapes": 2,
        "soundscape_s": 20,
    },
    "folds": {"count": 2},
    "models": {
        "folds": [0, 1],
        "teacher_backbones": ["default", "test_resnet"],
        "rounds": [{"teachers": "l1", "students": "l2"}, {"teachers": "l2", "students": "l3"}],
    },
    "clips": {"clip_s": 5.0, "shift_s": 0.5},
    "preprocess": {"max_quarantined": 0.2},
    "mel": {"n_mels": 32, "n_frames": 65, "f_min": 200.0},
    "train": {"backbone": "test_efficientnet", "batch": 4, "min_recordings": 3},
    "train_l1": {"epochs": 2},
    "train_l2": {"epochs": 2},
    "runtime": {"device": "cpu", "jobs": 1},
}


def run_tiny(
    factory: pytest.TempPathFactory, params: Mapping[str, Mapping[str, Any]]
) -> Repository:
    """The working tree's tracked and new files, with these parameters, run once."""
    folder, home = (factory.mktemp(name) for name in ("repository", "home"))
    repository = working_copy(folder, home)
    repository.run_and_commit(params)
    return repository


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The repository with the tiny parameters, which has run once."""
    return run_tiny(tmp_path_factory, TINY)


@pytest.fixture
def copy(repository: Repository, tmp_path: Path) -> Repository:
    """A copy of the repository and its cache that a test may change, with an empty remote."""
    shutil.copytree(repository.folder, tmp_path / "copy")
    copy = Repository(tmp_path / "copy", tmp_path / "home")
    remote = tmp_path / "remote"
    copy.run("dvc", "remote", "add", "--local", "-f", "-d", "store", str(remote))
    return copy
