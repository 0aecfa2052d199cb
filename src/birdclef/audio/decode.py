"""Decode any file that libsndfile reads to mono float32 at one sample rate.

The length that a header declares is not trusted: a recording is as long as its decoded samples.
A file that cannot be used raises AudioError with the reason.
"""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr

from birdclef.common.arrays import Waveform

RESAMPLE_QUALITY = "HQ"
MAX_CHANNELS = 16
SAMPLE_RATES_HZ = (1_000, 768_000)  # telemetry tags to ultrasound; other rates: a broken header
SILENCE = 1e-6  # of full scale (-120 dB); lossy codecs leave traces of this size in digital silence
SILENT = "silent: no sample is above 1e-6 of full scale"
# Read beyond the inner edge of head and tail, then cut off: the resampler distorts edges, and
# Vorbis decodes wrong samples after a seek.
_MARGIN_S = 0.1
# Decoded at a time, summed over channels: memory stays constant whatever the header declares.
_BLOCK_VALUES = 2**20


class AudioError(ValueError):
    """An audio file cannot be used; the message is the reason, without the path."""


def _open(path: Path) -> soundfile.SoundFile:
    if not path.is_file():  # opening a named pipe would block
        raise AudioError("missing, or no regular file")
    try:
        file = soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, OSError, TypeError) as error:  # TypeError: headerless .raw
        reason = getattr(error, "error_string", None) or error.__class__.__name__
        raise AudioError(f"unreadable: {reason}") from None
    low, high = SAMPLE_RATES_HZ
    if not low <= file.samplerate <= high:
        file.close()
        raise AudioError(f"sample rate {file.samplerate} Hz is outside {low}..{high} Hz")
    if file.channels > MAX_CHANNELS:
        file.close()
        raise AudioError(f"{file.channels} channels, at most {MAX_CHANNELS} are mixed down")
    return file


def _blocks(file: soundfile.SoundFile, start: int, count: int = sys.maxsize) -> Iterator[Waveform]:
    """Yield at most `count` samples from `start` at the file's own rate, averaged over channels."""
    size = max(1, _BLOCK_VALUES // file.channels)
    try:
        file.seek(start)
        while len(block := file.read(min(size, count), dtype="float32", always_2d=True)):
            count -= len(block)
            yield block[:, 0] if file.channels == 1 else block.mean(axis=1, dtype=np.float32)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise AudioError(f"unreadable: {error}") from None


def _read(file: soundfile.SoundFile, start: int, count: int) -> Waveform:
    blocks = list(_blocks(file, start, count)) or [np.zeros(0, np.float32)]
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def _seek_ends(file: soundfile.SoundFile, count: int) -> list[Waveform] | None:
    """Read the first and last `count` samples by seeking.

    Returns:
        Head and tail; None if the header declares no more samples than both, or more than exist.
    """
    declared = file.frames
    if declared <= 2 * count:
        return None
    with contextlib.suppress(AudioError):
        ends = [_read(file, 0, count), _read(file, declared - count, count)]
        if all(len(end) == count for end in ends):
            return ends
    return None


def _decode_ends(file: soundfile.SoundFile, count: int) -> list[Waveform]:
    """Find the first and last `count` samples by decoding the whole file in constant memory.

    Returns:
        Head and tail; the whole file in one piece if it has no more samples than both.
    """
    kept, is_cut = np.zeros(0, np.float32), False
    for block in _blocks(file, 0):
        kept = np.concatenate([kept, block])
        if len(kept) > 2 * count:
            kept, is_cut = np.concatenate([kept[:count], kept[-count:]]), True
    return [kept[:count], kept[count:]] if is_cut else [kept]


def _resample(waveform: Waveform, from_hz: int, to_hz: int) -> Waveform:
    if from_hz == to_hz or len(waveform) < 2:
        return waveform
    resampled: Waveform = soxr.resample(waveform, from_hz, to_hz, RESAMPLE_QUALITY)
    return resampled


def is_loud(waveform: Waveform) -> bool:
    """Whether any sample is louder than `SILENCE`."""
    return bool((np.abs(waveform) > SILENCE).any())


def _check(waveform: Waveform) -> Waveform:
    if len(waveform) < 2:
        raise AudioError(f"{len(waveform)} samples decoded")
    if not np.isfinite(waveform).all():
        raise AudioError("holds NaN or infinite samples")
    if not is_loud(waveform):
        raise AudioError(SILENT)
    return waveform


def read_head_and_tail(path: Path, sample_rate_hz: int, part_s: float) -> Waveform:
    """Read the first and last `part_s` seconds of a recording and decode little else.

    Returns:
        Mono samples at `sample_rate_hz`, (sample,): the whole recording if it is no longer than
        two parts, otherwise the head followed by the tail, `part_s` seconds each.

    Raises:
        AudioError: the file is missing, unreadable, empty or silent, contains NaN or infinite
            samples, or declares an implausible sample rate or number of channels.
    """
    part = round(part_s * sample_rate_hz)
    with _open(path) as file:
        file_rate_hz = file.samplerate
        count = round((part_s + _MARGIN_S) * file_rate_hz)
        ends = _seek_ends(file, count)
    if ends is None:
        with _open(path) as file:  # again, because a failed seek breaks some decoders
            ends = _decode_ends(file, count)
    waveform = np.concatenate([_resample(end, file_rate_hz, sample_rate_hz) for end in ends])
    if len(waveform) > 2 * part:
        waveform = np.concatenate([waveform[:part], waveform[-part:]])
    return _check(waveform)


def stream(path: Path, sample_rate_hz: int) -> Iterator[Waveform]:
    """Decode a file of any length block by block, in constant memory.

    Yields:
        Consecutive mono blocks at `sample_rate_hz`, (sample,), usually some seconds long.

    Raises:
        AudioError: the file is missing or unreadable, contains NaN or infinite samples, or
            declares an implausible sample rate or number of channels.
    """
    with _open(path) as file:
        same_rate = file.samplerate == sample_rate_hz
        resampler = soxr.ResampleStream(
            file.samplerate, sample_rate_hz, 1, quality=RESAMPLE_QUALITY
        )
        for block in _blocks(file, 0):
            if not np.isfinite(block).all():
                raise AudioError("holds NaN or infinite samples")
            yield block if same_rate else resampler.resample_chunk(block)
        if not same_rate:
            yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)
