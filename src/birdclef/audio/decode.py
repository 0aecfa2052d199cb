"""Decode any file that libsndfile reads to mono float32 at one rate, or say why not.

What a header declares is not trusted: lengths are those decoded.
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
SAMPLE_RATES_HZ = (1_000, 768_000)  # telemetry tags to ultrasound; outside it is a broken header
SILENCE = 1e-6  # of full scale, -120 dB; lossy codecs leave traces of this size in digital silence
SILENT = "silent: no sample is above 1e-6 of full scale"
_MARGIN_S = 0.1  # cut off inside: edges of the resampler; wrong samples after a seek in Vorbis
_BLOCK_VALUES = 2**20  # decoded at once, over all channels: memory stays flat for any header


class AudioError(ValueError):
    """A file that cannot be used; the message is the reason, without the path."""


def _open(path: Path) -> soundfile.SoundFile:
    if not path.is_file():  # a pipe would be waited for
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
    """At most `count` samples from `start` at the file's own rate, channels averaged."""
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


def _seek_ends(file: soundfile.SoundFile, need: int) -> list[Waveform] | None:
    """First and last `need` samples; None where the file is no longer or its header lies."""
    declared = file.frames
    if declared <= 2 * need:
        return None
    with contextlib.suppress(AudioError):
        ends = [_read(file, 0, need), _read(file, declared - need, need)]
        if all(len(end) == need for end in ends):
            return ends
    return None


def _decode_ends(file: soundfile.SoundFile, need: int) -> list[Waveform]:
    """First and last `need` samples, in flat memory; one piece when there are no more."""
    kept, long = np.zeros(0, np.float32), False
    for block in _blocks(file, 0):
        kept = np.concatenate([kept, block])
        if len(kept) > 2 * need:
            kept, long = np.concatenate([kept[:need], kept[-need:]]), True
    return [kept[:need], kept[need:]] if long else [kept]


def _resampled(waveform: Waveform, rate: int, sample_rate_hz: int) -> Waveform:
    if rate == sample_rate_hz or len(waveform) < 2:
        return waveform
    resampled: Waveform = soxr.resample(waveform, rate, sample_rate_hz, RESAMPLE_QUALITY)
    return resampled


def is_loud(waveform: Waveform) -> bool:
    """Whether any sample is above silence."""
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
    """Read the first and the last `part_s` seconds, decoding little else.

    Returns:
        Mono samples at `sample_rate_hz`: the whole recording when it is shorter than two
        parts, otherwise head and tail one after the other, `part_s` seconds each.

    Raises:
        AudioError: missing, unreadable, empty, silent, not finite, or an absurd header.
    """
    part = round(part_s * sample_rate_hz)
    with _open(path) as file:
        rate = file.samplerate
        need = round((part_s + _MARGIN_S) * rate)
        ends = _seek_ends(file, need)
    if ends is None:
        with _open(path) as file:  # anew: some decoders are lost after a failed seek
            ends = _decode_ends(file, need)
    waveform = np.concatenate([_resampled(end, rate, sample_rate_hz) for end in ends])
    if len(waveform) > 2 * part:
        waveform = np.concatenate([waveform[:part], waveform[-part:]])
    return _check(waveform)


def stream(path: Path, sample_rate_hz: int) -> Iterator[Waveform]:
    """Decode a file of any length block by block, in flat memory.

    Yields:
        Consecutive mono blocks at `sample_rate_hz`, seconds each.

    Raises:
        AudioError: missing, unreadable, not finite, or an absurd header.
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
