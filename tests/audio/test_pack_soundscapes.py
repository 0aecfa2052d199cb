"""Soundscapes are re-coded whole or set aside with a reason."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from birdclef.audio.pack_soundscapes import store_soundscape
from sounds import RATE_HZ, tone, write


def test_overdriven_sound_is_clipped_not_wrapped(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([0.5, 1.5, -1.5] * 100), RATE_HZ, subtype="FLOAT")
    store_soundscape(tmp_path / "a.wav", tmp_path / "a.flac", RATE_HZ)
    found, _ = soundfile.read(tmp_path / "a.flac")
    assert found[1] > 0.99
    assert found[2] < -0.99


@pytest.mark.parametrize("content", [b"", b"OggS" + bytes(300)])
def test_broken_soundscape_leaves_a_reason_and_no_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.ogg").write_bytes(content)
    stored = store_soundscape(tmp_path / "a.ogg", tmp_path / "a.flac", RATE_HZ)
    assert stored.samples == 0
    assert "unreadable" in stored.reason
    assert [p.name for p in tmp_path.iterdir()] == ["a.ogg"]


def test_the_copy_of_a_source_that_went_bad_is_removed(tmp_path: Path) -> None:
    source = write(tmp_path / "a.wav", tone(1))
    store_soundscape(source, tmp_path / "a.flac", RATE_HZ)
    source.write_bytes(b"")
    assert store_soundscape(source, tmp_path / "a.flac", RATE_HZ).reason
    assert not (tmp_path / "a.flac").exists()
