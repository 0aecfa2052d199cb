"""Two recordings and a model file, in the current folder."""

from pathlib import Path

import pytest

from small_model import write_model
from sounds import ramp, write


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "m.onnx")
    for name, seconds in (("a.wav", 1.0), ("b.flac", 1.7)):
        write(tmp_path / "in" / name, ramp(seconds))
    return tmp_path
