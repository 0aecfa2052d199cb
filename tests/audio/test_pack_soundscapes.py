"""Soundscapes are re-coded whole or set aside with a reason."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from birdclef.audio.pack_soundscapes import store_soundscape
from sounds import RATE_HZ, tone, write


def test_overdriven_sound_is_clipped_not_wrapped(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([0.5, 1.5, -1.5] * 100), RATE_HZ, subtype="FLOAT")
    store_soundscape(tmp_path, "a.wav", tmp_path / "a.flac", RATE_HZ)
    found, _ = soundfile.read(tmp_path / "a.flac")
    assert found[1] > 0.99
    assert found[2] < -0.99


@pytest.mark.parametrize(
    ("peak", "stored"), [(1.9, True), (10.5, False), (32767, False), (1e20, False)]
)
def test_sound_of_an_absurd_level_is_set_aside(tmp_path: Path, peak: float, stored: bool) -> None:
    soundfile.write(tmp_path / "a.wav", 2 * peak * tone(1), RATE_HZ, subtype="FLOAT")
    found = store_soundscape(tmp_path, "a.wav", tmp_path / "a.flac", RATE_HZ)
    assert (found.reason == "") == stored
    assert stored or "times full scale" in found.reason
    assert (tmp_path / "a.flac").exists() == stored


def test_a_link_that_leads_out_is_set_aside(tmp_path: Path) -> None:
    write(tmp_path / "secret.wav", tone(1))
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.wav").symlink_to(tmp_path / "secret.wav")
    stored = store_soundscape(tmp_path / "raw", "a.wav", tmp_path / "a.flac", RATE_HZ)
    assert stored == (0, "link leaves the data folder")
    assert not (tmp_path / "a.flac").exists()


FULL = """
import resource, sys
from pathlib import Path
from birdclef.audio.pack_soundscapes import store_soundscape
from birdclef.errors import plain_errors

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
with plain_errors():
    store_soundscape(Path("."), "a.wav", Path("a.flac"), 32_000)
"""


@pytest.mark.parametrize("limit_bytes", [0, 10, 1000, 50_000, 250_000])
def test_a_full_disk_ends_in_one_sentence_and_leaves_no_half_file(
    tmp_path: Path, limit_bytes: int
) -> None:
    """A limit of the file size stands for the disk: writing fails in the same places."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 5 * RATE_HZ).astype(np.float32)
    write(tmp_path / "a.wav", noise)  # 290 kB as FLAC
    command = [sys.executable, "-c", FULL, str(limit_bytes)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("a.flac cannot be written (")
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


@pytest.mark.parametrize("content", [b"", b"OggS" + bytes(300)])
def test_broken_soundscape_leaves_a_reason_and_no_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.ogg").write_bytes(content)
    stored = store_soundscape(tmp_path, "a.ogg", tmp_path / "a.flac", RATE_HZ)
    assert stored.samples == 0
    assert "unreadable" in stored.reason
    assert [p.name for p in tmp_path.iterdir()] == ["a.ogg"]


def test_the_copy_of_a_source_that_went_bad_is_removed(tmp_path: Path) -> None:
    source = write(tmp_path / "a.wav", tone(1))
    store_soundscape(tmp_path, source.name, tmp_path / "a.flac", RATE_HZ)
    source.write_bytes(b"")
    assert store_soundscape(tmp_path, source.name, tmp_path / "a.flac", RATE_HZ).reason
    assert not (tmp_path / "a.flac").exists()
