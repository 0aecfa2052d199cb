"""Shared fixtures: the demo's parameters, and smaller ones for quick models."""

import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

from birdclef.params import Params, load_params
from paths import ROOT

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as a stage does, before torch is loaded

# No test depends on how fast the machine is.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

pytest_plugins = ["dvc_world", "tiny_demo", "tiny_run"]


@pytest.fixture(scope="session")
def params() -> Params:
    """The parameters of params.yaml, unchanged."""
    return load_params(ROOT / "params.yaml")


@pytest.fixture(scope="session")
def small_params(params: Params) -> Params:
    """params.yaml with a half-second clip, a 32x33 mel and the smallest useful backbone."""
    clips = params.clips.model_copy(update={"clip_s": 0.5, "shift_s": 0.1})
    mel = {"n_mels": 32, "n_frames": 33, "f_min": 200.0}
    train = {"backbone": "test_efficientnet", "batch": 8, "min_recordings": 4}
    level = {"epochs": 3, "seed": 7}
    return params.model_copy(
        update={
            "clips": clips,
            "mel": params.mel.model_copy(update=mel),
            "train": params.train.model_copy(update=train),
            "train_l1": params.train_l1.model_copy(update=level),
            "train_l2": params.train_l2.model_copy(update=level),
            "runtime": params.runtime.model_copy(update={"device": "cpu"}),
        }
    )


@pytest.fixture(autouse=True)
def _no_worker_outlives_a_test() -> Iterator[None]:
    """Joblib reuses its worker processes, which would stay in the folder of an earlier test."""
    yield
    loky = sys.modules.get("joblib.externals.loky.reusable_executor")
    if loky is not None and loky._executor is not None:
        loky._executor.shutdown(wait=True, kill_workers=True)
