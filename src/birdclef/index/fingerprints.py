"""Audio fingerprints: the positions of spectrogram peaks in time and frequency.

Peaks survive changes to a file that keep its sound: level, codec, sample rate, cuts.

Source: A. Wang, "An industrial-strength audio search algorithm", ISMIR 2003.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from joblib import Parallel, delayed
from scipy.fft import rfft
from scipy.ndimage import maximum_filter
from scipy.signal.windows import hann

from birdclef.audio.decode import AudioError, stream
from birdclef.common.arrays import Waveform
from birdclef.common.files import OutsideError, find_inside
from birdclef.progress import track

Peaks = npt.NDArray[np.uint32]

SAMPLE_RATE_HZ = 24_000  # nearly all birds sing below 10 kHz; all sources' rates cover that
N_FFT, HOP_LENGTH = 1024, 256  # 23 Hz per bin, 11 ms per frame
FRAME_S = HOP_LENGTH / SAMPLE_RATE_HZ
BAND_HZ = (300.0, 10_000.0)  # below are hum and wind; codecs cut off what is above
# A peak is the highest point within this distance; this gives about 17 peaks per second.
PEAK_RADIUS_FRAMES, PEAK_RADIUS_BINS = 14, 24
FLOOR_DB = -70.0  # relative to the highest peak; lower ones are rounding errors and dither
# A packed peak is frame * 2**BIN_BITS + bin; one more bin at each end still fits.
BIN_BITS = 10
_FRAMES_AT_ONCE = 4096


class Fingerprint(NamedTuple):
    """Peaks of a recording, sorted by frame and then bin, and the decoded length."""

    peaks: Peaks  # (peak,)
    length_s: float  # length of the decoded part


def fingerprint(path: Path, max_s: float | None = None) -> Fingerprint:
    """Decode a recording and find its peaks.

    Args:
        path: Any file that `birdclef.audio.decode` decodes.
        max_s: Length in seconds to use from the start; the same sound is not found later in the
            file. None: the whole file.

    Raises:
        AudioError: The file cannot be decoded, or is empty or silent.
    """
    waveform = _read(path, max_s)
    if not waveform.any():
        raise AudioError(f"silent or empty: {len(waveform)} samples decoded, all of them zero")
    return Fingerprint(find_peaks(waveform), len(waveform) / SAMPLE_RATE_HZ)


def try_fingerprint(root: Path, path: str, max_s: float | None = None) -> Fingerprint | None:
    """Call `fingerprint`, but return None for a file that cannot be decoded or lies outside root.

    The stage preprocess sets such a file aside, with the reason.
    """
    try:
        return fingerprint(find_inside(root, path), max_s)
    except (AudioError, OutsideError):
        return None


def fingerprint_all(
    paths: pd.Series, root: Path, jobs: int, what: str, max_s: float | None = None
) -> Iterator[tuple[str, Fingerprint]]:
    """Make the fingerprints of many files in parallel, with progress.

    Args:
        paths: Path of each file relative to `root`; the index has its id.
        root: data.root.
        jobs: Number of processes.
        what: What the files are called on the screen, in the plural.
        max_s: As for `fingerprint`.

    Yields:
        Id and fingerprint, in the order of `paths`; a file that cannot be decoded is left out.
    """
    calls = [delayed(try_fingerprint)(root, path, max_s) for path in paths]
    results = Parallel(jobs, return_as="generator")(calls)
    found = track(results, f"fingerprints of {what}", len(calls))
    for name, result in zip(paths.index, found, strict=True):
        if result is not None:
            yield str(name), result


def _read(path: Path, max_s: float | None) -> Waveform:
    count = sys.maxsize if max_s is None else round(max_s * SAMPLE_RATE_HZ)
    blocks = []
    for block in stream(path, SAMPLE_RATE_HZ):
        blocks.append(block[:count])
        count -= len(block)
        if count <= 0:
            break
    return np.concatenate([np.zeros(0, np.float32), *blocks])


def find_peaks(waveform: Waveform) -> Peaks:
    """Find spectrogram peaks: points that are the highest in their neighbourhood.

    The spectrogram is computed block by block, each with the neighbourhood of its first and last
    frames, so that memory stays small however long the waveform is.

    Args:
        waveform: Shape (sample,) at SAMPLE_RATE_HZ, at any level.

    Returns:
        Shape (peak,), packed as frame * 2**BIN_BITS + bin and sorted; empty for a silent waveform.
    """
    padded = np.pad(waveform, (0, max(0, N_FFT - len(waveform))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP_LENGTH]
    size = (2 * PEAK_RADIUS_FRAMES + 1, 2 * PEAK_RADIUS_BINS + 1)
    found, powers = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
    for start in range(0, len(frames), _FRAMES_AT_ONCE):
        first = max(0, start - PEAK_RADIUS_FRAMES)
        end = start + _FRAMES_AT_ONCE
        power = _band_power(frames[first : end + PEAK_RADIUS_FRAMES])  # (frame, bin)
        is_peak = (power == maximum_filter(power, size)) & (power > 0)
        own = slice(start - first, end - first)
        at_frame, at_bin = np.nonzero(is_peak[own])
        found.append((at_frame + start << BIN_BITS) + at_bin + 1)
        powers.append(power[own][is_peak[own]])
    power = np.concatenate(powers)
    high = power > power.max(initial=0.0) * 10 ** (FLOOR_DB / 10)
    return np.concatenate(found)[high].astype(np.uint32)


def _band_power(frames: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Power of each frame in BAND_HZ, (frame, bin), from samples (frame, N_FFT)."""
    first, last = (round(hz * N_FFT / SAMPLE_RATE_HZ) for hz in BAND_HZ)
    window = hann(N_FFT, sym=False).astype(np.float32)
    power: npt.NDArray[np.float32] = np.abs(rfft(frames * window, axis=1)[:, first:last]) ** 2
    return power
