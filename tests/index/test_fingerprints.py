"""Peaks follow the sound: a tone has a peak where it is, at any level and after any cut."""

from pathlib import Path

import numpy as np
import pytest

from birdclef.audio.decode import AudioError
from birdclef.index import fingerprints
from birdclef.index.fingerprints import (
    BIN_BITS,
    FRAME_S,
    N_FFT,
    SAMPLE_RATE_HZ,
    find_peaks,
    fingerprint,
    try_fingerprint,
)
from sounds import song, tone, write


def test_a_burst_is_a_peak_at_its_time_and_frequency() -> None:
    sound = np.zeros(3 * SAMPLE_RATE_HZ, np.float32)
    burst = tone(0.1, 3000.0, SAMPLE_RATE_HZ) * np.hanning(round(0.1 * SAMPLE_RATE_HZ))
    sound[SAMPLE_RATE_HZ : SAMPLE_RATE_HZ + len(burst)] = burst
    peaks = find_peaks(sound)
    frames, bins = peaks >> BIN_BITS, peaks & (2**BIN_BITS - 1)
    middle_s = frames * FRAME_S + N_FFT / 2 / SAMPLE_RATE_HZ
    low_bin = round(300 * N_FFT / SAMPLE_RATE_HZ) - 1  # the band's first bin is number 1
    hz = (bins + low_bin) * SAMPLE_RATE_HZ / N_FFT
    nearest = np.argmin(np.abs(middle_s - 1.05) + np.abs(hz - 3000) / 1000)
    assert middle_s[nearest] == pytest.approx(1.05, abs=0.02)
    assert hz[nearest] == pytest.approx(3000, abs=30)


def test_the_level_does_not_matter() -> None:
    sound = song(5, seed=0, rate_hz=SAMPLE_RATE_HZ)
    assert np.array_equal(find_peaks(sound), find_peaks(sound * np.float32(2.0**-10)))


def test_a_cut_of_whole_frames_moves_the_peaks() -> None:
    sound = song(6, seed=0, rate_hz=SAMPLE_RATE_HZ)
    cut = 100
    whole, rest = find_peaks(sound), find_peaks(sound[cut * round(FRAME_S * SAMPLE_RATE_HZ) :])
    inside = whole[(whole >> BIN_BITS) > cut + 20] - (cut << BIN_BITS)
    assert len(inside) > 50
    assert np.isin(inside, rest).all()


@pytest.mark.parametrize("at_once", [1, 7, 100, 300])
def test_peaks_are_those_of_the_whole_however_long_the_blocks(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = song(4, seed=0, rate_hz=SAMPLE_RATE_HZ)
    whole = find_peaks(sound)
    monkeypatch.setattr(fingerprints, "_FRAMES_AT_ONCE", at_once)
    assert np.array_equal(find_peaks(sound), whole)


def test_silence_and_shorter_than_a_frame_have_no_peaks_or_few() -> None:
    assert not len(find_peaks(np.zeros(SAMPLE_RATE_HZ, np.float32)))
    assert len(find_peaks(tone(0.01, 2000.0, SAMPLE_RATE_HZ))) <= 10
    assert not len(find_peaks(np.zeros(0, np.float32)))


def test_noise_has_about_as_many_peaks_as_the_constants_say() -> None:
    """The estimates of memory and time for matching are based on this number."""
    noise = np.random.default_rng(0).standard_normal(20 * SAMPLE_RATE_HZ).astype(np.float32)
    assert 12 * 20 < len(find_peaks(noise)) < 40 * 20


def test_decoding_stops_at_max_s(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ogg", song(25, seed=1))
    whole, part = fingerprint(path, 100.0), fingerprint(path, 12.5)
    assert (whole.length_s, part.length_s) == (pytest.approx(25, abs=0.01), 12.5)
    assert np.array_equal(fingerprint(path).peaks, whole.peaks)
    assert 0.3 < len(part.peaks) / len(whole.peaks) < 0.7


@pytest.mark.parametrize("data", [b"", b"no sound at all"])
def test_what_cannot_be_decoded_has_no_fingerprint(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bad.ogg"
    path.write_bytes(data)
    with pytest.raises(AudioError, match="unreadable"):
        fingerprint(path, 10.0)
    assert try_fingerprint(tmp_path, path.name, 10.0) is None


def test_a_file_that_became_a_link_out_is_not_opened(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside.wav", tone(3.0, 3000.0))
    (tmp_path / "root").mkdir()
    (tmp_path / "root/link.wav").symlink_to(outside)
    assert try_fingerprint(tmp_path, "root/link.wav", 10.0) is not None
    assert try_fingerprint(tmp_path / "root", "link.wav", 10.0) is None


def test_silence_has_no_fingerprint(tmp_path: Path) -> None:
    path = write(tmp_path / "silent.wav", np.zeros(32_000, np.float32))
    with pytest.raises(AudioError, match="silent"):
        fingerprint(path, 10.0)
