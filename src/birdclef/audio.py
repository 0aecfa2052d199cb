"""Decode any file that libsndfile reads to mono float32 at one rate, or say why not.

What a header declares is not trusted: lengths are those decoded.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

Waveform = npt.NDArray[np.float32]

RESAMPLE_QUALITY = "HQ"
MAX_CHANNELS = 16
SAMPLE_RATES_HZ = (1_000, 768_000)  # telemetry tags to ultrasound; outside it is a broken header
_BLOCK_S = 10


class AudioError(ValueError):
    """A file that cannot be used; the message is the reason, without the path."""


def _open(path: Path) -> soundfile.SoundFile:
    try:
        file = soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, OSError) as error:
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


def _read(file: soundfile.SoundFile, start: int, count: int) -> Waveform:
    """At most `count` samples from `start` at the file's own rate, channels averaged."""
    try:
        file.seek(start)
        samples = file.read(count, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise AudioError(f"unreadable: {error}") from None
    return samples.mean(axis=1, dtype=np.float32)


def _check(waveform: Waveform) -> Waveform:
    if len(waveform) < 2:
        raise AudioError(f"{len(waveform)} samples decoded")
    if not np.isfinite(waveform).all():
        raise AudioError("holds NaN or infinite samples")
    if not waveform.any():
        raise AudioError("silent: every sample is zero")
    return waveform


def read_head_and_tail(path: Path, sample_rate_hz: int, part_s: float) -> Waveform:
    """Read the first and the last `part_s` seconds, decoding little else.

    Returns:
        Mono samples at `sample_rate_hz`: the whole recording when it is shorter than two
        parts, otherwise head and tail one after the other, `part_s` seconds each.

    Raises:
        AudioError: unreadable, empty, silent, not finite, or an absurd header.
    """
    part = round(part_s * sample_rate_hz)
    with _open(path) as file:
        rate = file.samplerate
        need = round(part_s * rate) + rate // 10  # the resampler's edges fall outside the part
        declared = file.frames
        if declared > 2 * need:
            head = _read(file, 0, need)
            tail = _read(file, declared - need, need)
            if len(head) == len(tail) == need:
                ends = [
                    soxr.resample(x, rate, sample_rate_hz, RESAMPLE_QUALITY) for x in (head, tail)
                ]
                return _check(np.concatenate([ends[0][:part], ends[1][-part:]]))
        waveform = np.concatenate(list(_blocks(file)) or [np.zeros(0, np.float32)])
    if len(waveform) > 1:
        waveform = soxr.resample(waveform, rate, sample_rate_hz, RESAMPLE_QUALITY)
    if len(waveform) > 2 * part:
        waveform = np.concatenate([waveform[:part], waveform[-part:]])
    return _check(waveform)


def _blocks(file: soundfile.SoundFile) -> Iterator[Waveform]:
    file.seek(0)
    while len(block := _read(file, file.tell(), _BLOCK_S * file.samplerate)):
        yield block


def stream(path: Path, sample_rate_hz: int) -> Iterator[Waveform]:
    """Decode a file of any length block by block, in flat memory.

    Yields:
        Consecutive mono blocks at `sample_rate_hz`, about ten seconds each.

    Raises:
        AudioError: unreadable, not finite, or an absurd header.
    """
    with _open(path) as file:
        same_rate = file.samplerate == sample_rate_hz
        resampler = soxr.ResampleStream(
            file.samplerate, sample_rate_hz, 1, quality=RESAMPLE_QUALITY
        )
        for block in _blocks(file):
            if not np.isfinite(block).all():
                raise AudioError("holds NaN or infinite samples")
            yield block if same_rate else resampler.resample_chunk(block)
        if not same_rate:
            yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)
