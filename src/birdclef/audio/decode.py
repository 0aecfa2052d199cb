"""Decode any file that libsndfile reads to mono float32 at one sample rate.

The length that a header declares is not trusted: a recording is as long as its decoded samples.
A file that cannot be used raises AudioError with the reason.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr

from birdclef.audio.containers import Part, declared_frames, lacks_end, parts
from birdclef.common.arrays import Waveform
from birdclef.common.names import NOT_DECODED, OTHER_SOUND_SUFFIXES

RESAMPLE_QUALITY = "HQ"
MAX_CHANNELS = 16
SAMPLE_RATES_HZ = (1_000, 768_000)  # telemetry tags to ultrasound; other rates: a broken header
SILENCE = 1e-6  # of full scale (-120 dB); lossy codecs leave traces of this size in digital silence
SILENT = "silent: no sample is above 1e-6 of full scale"
# Of full scale: the largest value where a file of floats holds 32-bit integers. Above about 1e16
# the power of a spectrum no longer fits in float32.
MAX_LEVEL = 2.0**32
_NOTED_S = 0.1  # missing sound that is noted; codecs work in blocks of less
# Read beyond the inner edge of head and tail, then cut off: the resampler distorts edges, and
# Vorbis decodes wrong samples after a seek.
_MARGIN_S = 0.1
# Decoded at a time, summed over channels: memory stays constant whatever the header declares.
# A block with a fault is lost: 4 s at 32 kHz.
_BLOCK_VALUES = 2**17


class AudioError(ValueError):
    """An audio file cannot be used; the message is the reason, without the path."""


class _FaultError(AudioError):
    """The file cannot be decoded beyond this block."""


class _Forward(soundfile.SoundFile):
    """A file that is read from start to end. Some codecs, such as GSM 6.10, cannot seek.

    soundfile seeks after every block of a file that says that it can.
    """

    def seekable(self) -> bool:
        """Say no, so that no read seeks."""
        return False


def _open(
    path: Path,
    kind: type[soundfile.SoundFile] = soundfile.SoundFile,
    part: Part | None = None,
) -> soundfile.SoundFile:
    """Open a file, or one of the files that are joined in it, and check its format."""
    _require_file(path)
    try:
        file = kind(part or os.fsencode(path))  # bytes, because a name may not be UTF-8
    except (soundfile.LibsndfileError, OSError, TypeError) as error:  # TypeError: headerless .raw
        if path.suffix.lower() in OTHER_SOUND_SUFFIXES:
            raise AudioError(NOT_DECODED) from None
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


def _require_file(path: Path) -> None:
    if path.is_symlink() and not path.exists():
        raise AudioError("missing: the link leads to itself or to nothing")
    if not path.is_file():  # opening a named pipe would block
        raise AudioError("missing, or no regular file")


def declared_s(path: Path) -> float:
    """Seconds that a file's header states, for progress bars; 0 if it states none."""
    try:
        with _open(path) as file:
            return float(file.frames / file.samplerate)
    except AudioError:
        return 0.0


def _blocks(
    file: soundfile.SoundFile, start: int = 0, count: int = sys.maxsize
) -> Iterator[Waveform]:
    """Yield at most `count` samples from `start` at the file's own rate, averaged over channels."""
    size = max(1, _BLOCK_VALUES // file.channels)
    count = min(count, file.frames - start)  # behind them may be tags, which are no sound
    try:
        if start:
            file.seek(start)
        while len(block := file.read(min(size, count), dtype="float32", always_2d=True)):
            count -= len(block)
            with np.errstate(over="ignore"):  # infinite samples are refused later
                yield block[:, 0] if file.channels == 1 else block.mean(axis=1, dtype=np.float32)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise _FaultError(f"unreadable: {error}") from None


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
    for block in _blocks(file):
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


def _require_level(waveform: Waveform) -> None:
    """Refuse samples that no recorder makes, which would give NaN instead of probabilities."""
    if not np.isfinite(waveform).all():
        raise AudioError("holds NaN or infinite samples")
    peak = float(np.abs(waveform).max(initial=0))
    if peak > MAX_LEVEL:
        raise AudioError(f"holds samples of {peak:.3g} times full scale, at most 2^32 are sound")


def _check(waveform: Waveform) -> Waveform:
    if len(waveform) < 2:
        raise AudioError(f"{len(waveform)} samples decoded")
    _require_level(waveform)
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
        with _open(path, _Forward) as file:  # again, because a failed seek breaks some decoders
            ends = _decode_ends(file, count)
    waveform = np.concatenate([_resample(end, file_rate_hz, sample_rate_hz) for end in ends])
    if len(waveform) > 2 * part:
        waveform = np.concatenate([waveform[:part], waveform[-part:]])
    return _check(waveform)


def stream(
    path: Path, sample_rate_hz: int, note: Callable[[str], object] | None = None
) -> Iterator[Waveform]:
    """Decode a file of any length block by block, in constant memory.

    Files that are joined in one, such as chained Ogg, are decoded one after the other.

    Args:
        path: the file.
        sample_rate_hz: sample rate of the blocks.
        note: called at the end of a file that is cut short, with the seconds that were read. With
            None, a file with a fault after some blocks is an error instead.

    Yields:
        Consecutive mono blocks at `sample_rate_hz`, (sample,), usually some seconds long.

    Raises:
        AudioError: the file is missing or unreadable, contains NaN, infinite or absurdly large
            samples, or declares an implausible sample rate or number of channels.
    """
    read_s = stated_s = 0.0
    with _raw(path) as raw:
        is_cut = lacks_end(raw)
        for part in parts(raw):
            with _open(path, _Forward, part) as file:
                read = yield from _resampled(file, sample_rate_hz, note is not None)
                stated = declared_frames(file) if part is None or part.has_length else read
                read_s += read / file.samplerate
                stated_s += max(read, stated) / file.samplerate
            is_cut |= part is not None and part.is_left_early
    if note is None:
        return
    if stated_s - read_s > _NOTED_S:
        note(f"{read_s:.1f} of {stated_s:.1f} s could be read; the file is cut short or damaged")
    elif is_cut:
        note(f"{read_s:.1f} s could be read; the end of the file is missing or cannot be read")


@contextlib.contextmanager
def _raw(path: Path) -> Iterator[BinaryIO]:
    """Open the bytes of a file; what goes wrong with them is the file's fault."""
    _require_file(path)
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise AudioError(f"unreadable: {error.strerror}") from None


def _resampled(
    file: soundfile.SoundFile, sample_rate_hz: int, ends_at_fault: bool
) -> Generator[Waveform, None, int]:
    """Yield a file's blocks at `sample_rate_hz`; returns the number of samples at its own rate.

    Raises:
        AudioError: as in `stream`; but a fault after some blocks ends them if `ends_at_fault`.
    """
    same_rate, read = file.samplerate == sample_rate_hz, 0
    resampler = soxr.ResampleStream(file.samplerate, sample_rate_hz, 1, quality=RESAMPLE_QUALITY)
    try:
        for block in _blocks(file):
            _require_level(block)
            read += len(block)
            yield block if same_rate else resampler.resample_chunk(block)
    except _FaultError:
        if not (read and ends_at_fault):
            raise
    if not same_rate:
        yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)
    return read
