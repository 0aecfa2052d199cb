"""A very small demo, written once for all tests that read it."""

from pathlib import Path

import pytest

from birdclef.demo.competition import write_demo
from birdclef.params import DemoParams

TINY = DemoParams(
    seed=7,
    species=4,
    min_recordings=3,
    max_recordings=6,
    unlabeled_soundscapes=3,
    labeled_soundscapes=2,
    soundscape_s=10,
)


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the demo, to be read."""
    folder = tmp_path_factory.mktemp("one") / "demo"
    write_demo(folder, TINY, jobs=1)
    return folder
