"""Decoding gives the right samples and lengths, and a reason for each file that cannot be used."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from birdclef.audio.decode import AudioError, read_head_and_tail, stream
from sounds import RATE_HZ, ramp, tone, write


def test_long_recording_gives_its_two_ends(tmp_path: Path) -> None:
    whole = ramp(20)
    found = read_head_and_tail(write(tmp_path / "a.wav", whole), RATE_HZ, 6.0)
    assert len(found) == 12 * RATE_HZ
    np.testing.assert_allclose(found[: 6 * RATE_HZ], whole[: 6 * RATE_HZ], atol=1e-4)
    np.testing.assert_allclose(found[6 * RATE_HZ :], whole[-6 * RATE_HZ :], atol=1e-4)


@pytest.mark.parametrize("seconds", [0.5, 6.0, 11.9, 12.0])
def test_short_recording_is_kept_whole(tmp_path: Path, seconds: float) -> None:
    found = read_head_and_tail(write(tmp_path / "a.wav", ramp(seconds)), RATE_HZ, 6.0)
    np.testing.assert_allclose(found, ramp(seconds), atol=1e-4)


@pytest.mark.parametrize("suffix", ["ogg", "mp3", "flac", "wav"])
@pytest.mark.parametrize("rate_hz", [22_050, 32_000, 44_100, 48_000])
def test_any_format_and_rate_keeps_pitch_and_length(
    tmp_path: Path, suffix: str, rate_hz: int
) -> None:
    path = write(tmp_path / f"a.{suffix}", tone(20, 1000, rate_hz), rate_hz)
    found = read_head_and_tail(path, RATE_HZ, 6.0)
    assert len(found) == 12 * RATE_HZ
    for part in (found[: 6 * RATE_HZ], found[6 * RATE_HZ :]):
        middle = part[RATE_HZ:-RATE_HZ]
        spectrum = np.abs(np.fft.rfft(middle))
        assert spectrum.argmax() * RATE_HZ / len(middle) == pytest.approx(1000, abs=1)


def test_stereo_is_averaged(tmp_path: Path) -> None:
    sides = np.stack([ramp(1), -0.5 * ramp(1)], axis=1)
    with soundfile.SoundFile(tmp_path / "a.wav", "w", RATE_HZ, 2) as file:
        file.write(sides)
    found = read_head_and_tail(tmp_path / "a.wav", RATE_HZ, 6.0)
    np.testing.assert_allclose(found, 0.25 * ramp(1), atol=1e-4)


def _float_wav(path: Path, samples: np.ndarray, rate_hz: int = RATE_HZ) -> None:
    soundfile.write(path, samples, rate_hz, subtype="FLOAT")


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.zeros(1000), "silent"),
        (np.array([0.1] * 50 + [np.nan]), "NaN"),
        (np.array([0.1] * 50 + [np.inf]), "infinite"),
        (np.array([0.1] * 50 + [1e20]), "1e\\+20 times full scale"),
        (np.array([0.1] * 50 + [-1e20]), "1e\\+20 times full scale"),
        (np.array([0.5]), "1 samples"),
        (np.zeros(0), "0 samples"),
        (np.full((100, 32), 0.1), "32 channels"),
    ],
)
def test_useless_sound_is_refused_with_the_reason(
    tmp_path: Path, samples: np.ndarray, reason: str
) -> None:
    _float_wav(tmp_path / "a.wav", samples)
    with pytest.raises(AudioError, match=reason):
        read_head_and_tail(tmp_path / "a.wav", RATE_HZ, 6.0)
    if reason in ("silent", "1 samples", "0 samples"):  # no error for windows of a recording
        return
    with pytest.raises(AudioError, match=reason):
        list(stream(tmp_path / "a.wav", RATE_HZ))


def test_absurd_rate_and_broken_files_are_refused(tmp_path: Path) -> None:
    _float_wav(tmp_path / "slow.wav", np.full(100, 0.1), 8)
    with pytest.raises(AudioError, match="sample rate 8 Hz"):
        read_head_and_tail(tmp_path / "slow.wav", RATE_HZ, 6.0)
    for content in (b"", b"OggS" + bytes(200), b"not audio"):
        (tmp_path / "broken.ogg").write_bytes(content)
        with pytest.raises(AudioError, match="unreadable"):
            read_head_and_tail(tmp_path / "broken.ogg", RATE_HZ, 6.0)


def test_pipes_folders_and_missing_files_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.ogg")  # opening a named pipe would block forever
    (tmp_path / "folder.ogg").mkdir()
    for name in ("pipe.ogg", "folder.ogg", "none.ogg"):
        with pytest.raises(AudioError, match="missing, or no regular file"):
            read_head_and_tail(tmp_path / name, RATE_HZ, 6.0)
    (tmp_path / "headerless.raw").write_bytes(bytes(100))
    with pytest.raises(AudioError, match="unreadable"):
        read_head_and_tail(tmp_path / "headerless.raw", RATE_HZ, 6.0)


def test_a_rate_of_zero_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(1))
    content = bytearray(path.read_bytes())
    content[24:28] = bytes(4)  # the sample rate in a WAV header
    path.write_bytes(content)
    with pytest.raises(AudioError):
        read_head_and_tail(path, RATE_HZ, 6.0)


@pytest.mark.parametrize("suffix", ["ogg", "mp3"])
def test_digital_silence_is_silent_after_a_lossy_codec(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a.{suffix}", np.zeros(20 * RATE_HZ, np.float32))
    with pytest.raises(AudioError, match="silent"):
        read_head_and_tail(path, RATE_HZ, 6.0)


@pytest.mark.parametrize("suffix", ["ogg", "mp3", "flac"])
def test_seeking_gives_the_samples_that_decoding_everything_gives(
    tmp_path: Path, suffix: str
) -> None:
    """Vorbis decodes the first samples after a seek wrongly, by up to 60 % of the peak."""
    rng = np.random.default_rng(0)
    for i in range(8):
        noise = (0.1 * rng.standard_normal(rng.integers(13, 20) * RATE_HZ + i)).astype(np.float32)
        path = write(tmp_path / f"{i}.{suffix}", noise)
        whole, _ = soundfile.read(path, dtype="float32")
        expected = np.concatenate([whole[: 6 * RATE_HZ], whole[-6 * RATE_HZ :]])
        found = read_head_and_tail(path, RATE_HZ, 6.0)
        np.testing.assert_allclose(found, expected, atol=1e-6)


def _ogg_checksum(page: bytes) -> int:
    """CRC-32 of a page. Source: RFC 3533, section 6, polynomial 0x04c11db7."""
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1) ^ (0x04C11DB7 if crc & 0x80000000 else 0)
    return crc & 0xFFFFFFFF


def _declare(path: Path, samples: int) -> None:
    """Rewrite the last page of an Ogg file so that the file declares `samples` samples."""
    content = path.read_bytes()
    at = content.rindex(b"OggS")
    page = bytearray(content[at:])
    page[6:14] = samples.to_bytes(8, "little")
    page[22:26] = bytes(4)
    page[22:26] = _ogg_checksum(bytes(page)).to_bytes(4, "little")
    path.write_bytes(content[:at] + page)


@pytest.mark.parametrize("seconds", [9, 12, 30])
@pytest.mark.parametrize("declared_s", [60, 60_000])
def test_a_declared_length_beyond_the_end_is_not_believed(
    tmp_path: Path, seconds: int, declared_s: int
) -> None:
    path = write(tmp_path / "a.ogg", tone(seconds, 50))
    whole, _ = soundfile.read(path, dtype="float32")
    _declare(path, declared_s * RATE_HZ)
    assert soundfile.info(path).frames == declared_s * RATE_HZ
    found = read_head_and_tail(path, RATE_HZ, 6.0)
    assert len(found) == pytest.approx(min(seconds, 12) * RATE_HZ, abs=4096)  # a Vorbis block
    np.testing.assert_allclose(found[: 3 * RATE_HZ], whole[: 3 * RATE_HZ], atol=1e-6)
    assert np.abs(found[-RATE_HZ:]).max() > 0.4  # the tail is the end of the sound, without padding


def test_truncated_file_gives_what_can_be_decoded_or_a_reason(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ogg", tone(20))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    try:
        found = read_head_and_tail(path, RATE_HZ, 6.0)
    except AudioError:
        return
    assert 0 < len(found) <= 12 * RATE_HZ


@pytest.mark.parametrize("rate_hz", [32_000, 44_100])
def test_stream_is_the_whole_file_in_pieces(tmp_path: Path, rate_hz: int) -> None:
    path = write(tmp_path / "a.flac", tone(70, 1000, rate_hz), rate_hz)
    blocks = list(stream(path, RATE_HZ))
    assert len(blocks) > 1
    whole = np.concatenate(blocks)
    assert len(whole) == pytest.approx(70 * RATE_HZ, abs=2)
    expected = tone(70)[: len(whole)]
    np.testing.assert_allclose(whole[100:-100], expected[100 : len(whole) - 100], atol=2e-3)


@pytest.mark.parametrize(
    ("form", "subtype", "rate_hz"),
    [("WAV", "GSM610", 8000), ("AU", "G721_32", 8000), ("XI", "DPCM_16", 44_100)],
)
def test_codecs_that_cannot_seek_are_decoded(
    tmp_path: Path, form: str, subtype: str, rate_hz: int
) -> None:
    sound, path = tone(20, 500, rate_hz), tmp_path / "a.x"
    soundfile.write(path, sound, rate_hz, format=form, subtype=subtype)
    whole = np.concatenate(list(stream(path, rate_hz)))
    assert len(whole) == pytest.approx(len(sound), abs=500)
    assert np.corrcoef(whole[: len(sound)], sound[: len(whole)])[0, 1] > 0.9
    ends = read_head_and_tail(path, rate_hz, 6.0)
    np.testing.assert_array_equal(ends[: 6 * rate_hz], whole[: 6 * rate_hz])
    np.testing.assert_array_equal(ends[6 * rate_hz :], whole[-6 * rate_hz :])


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_joined_files_are_decoded_one_after_the_other(tmp_path: Path, suffix: str) -> None:
    sounds = [tone(5, 400), tone(3, 900, 44_100)]
    paths = [
        write(tmp_path / f"{i}.{suffix}", sound, rate_hz)
        for i, (sound, rate_hz) in enumerate(zip(sounds, (RATE_HZ, 44_100), strict=True))
    ]
    joined = tmp_path / f"joined.{suffix}"
    joined.write_bytes(b"".join(path.read_bytes() for path in paths))
    notes: list[str] = []
    found = np.concatenate(list(stream(joined, RATE_HZ, notes.append)))
    apart = np.concatenate([block for path in paths for block in stream(path, RATE_HZ)])
    assert not notes
    assert len(found) == pytest.approx(len(apart), abs=RATE_HZ // 10)
    assert np.abs(np.fft.rfft(found[:RATE_HZ])).argmax() == 400
    assert np.abs(np.fft.rfft(found[-RATE_HZ:])).argmax() == 900


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "aiff", "au", "w64", "caf"])
def test_a_file_that_is_cut_short_is_noted(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a.{suffix}", tone(20))
    notes: list[str] = []
    assert sum(map(len, stream(path, RATE_HZ, notes.append))) == 20 * RATE_HZ
    assert not notes
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    try:
        read_s = sum(map(len, stream(path, RATE_HZ, notes.append))) / RATE_HZ
    except AudioError:
        return
    assert read_s < 19
    (note,) = notes
    assert note.startswith(f"{read_s:.1f} ")
    assert ("end of the file is missing" if suffix == "ogg" else f"{read_s:.1f} of 20.0 s") in note


def test_an_mp3_file_without_a_length_is_noted_if_it_is_left_early(tmp_path: Path) -> None:
    """libsndfile estimates the length from the bitrate of the first frame, and stops there."""
    path = write(tmp_path / "a.mp3", np.concatenate([tone(10), np.zeros(10 * RATE_HZ, np.float32)]))
    content = path.read_bytes()
    frame = content.index(content[:2], 4)
    notes: list[str] = []
    for start, is_early in ((0, False), (frame, True)):
        path.write_bytes(content[start:])
        notes.clear()
        read_s = sum(map(len, stream(path, RATE_HZ, notes.append))) / RATE_HZ
        assert (read_s < 19) == bool(notes) == is_early


def test_tags_behind_the_sound_are_no_sound_and_no_fault(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", tone(20))
    path.write_bytes(path.read_bytes() + b"TAG" + bytes(125))
    notes: list[str] = []
    assert sum(map(len, stream(path, RATE_HZ, notes.append))) == 20 * RATE_HZ
    assert not notes
