"""Audio fingerprints: the positions of spectrogram peaks in time and frequency.

Peaks survive changes to a file that keep its sound: level, codec, sample rate, cuts.

Source: A. Wang, "An industrial-strength audio search algorithm", ISMIR 2003.
"""

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


def fingerprint(path: Path, max_s: float) -> Fingerprint:
    """Decode a recording and find its peaks.

    Args:
        path: Any file that `birdclef.audio.decode` decodes.
        max_s: Length in seconds to use from the start; duplicates of later sound are not found.

    Raises:
        AudioError: The file cannot be decoded, or is empty or silent.
    """
    waveform = _read(path, max_s)
    if not waveform.any():
        raise AudioError(f"silent or empty: {len(waveform)} samples decoded, all of them zero")
    return Fingerprint(find_peaks(waveform), len(waveform) / SAMPLE_RATE_HZ)


def try_fingerprint(path: Path, max_s: float) -> Fingerprint | None:
    """Call `fingerprint`, but return None for a file that cannot be decoded or is silent."""
    try:
        return fingerprint(path, max_s)
    except AudioError:
        return None


def fingerprint_all(
    recordings: pd.DataFrame, root: Path, max_s: float, jobs: int
) -> dict[str, Fingerprint]:
    """Map recording ids to fingerprints in the order of the table; undecodable files are absent."""
    calls = [delayed(try_fingerprint)(root / path, max_s) for path in recordings["path"]]
    results = Parallel(jobs, return_as="generator")(calls)
    found = track(results, "fingerprints", len(calls))
    pairs = zip(recordings["recording_id"], found, strict=True)
    return {recording: result for recording, result in pairs if result is not None}


def _read(path: Path, max_s: float) -> Waveform:
    count, blocks = round(max_s * SAMPLE_RATE_HZ), []
    for block in stream(path, SAMPLE_RATE_HZ):
        blocks.append(block)
        count -= len(block)
        if count <= 0:
            break
    waveform = np.concatenate([np.zeros(0, np.float32), *blocks])
    return waveform[: len(waveform) + min(count, 0)]


def find_peaks(waveform: Waveform) -> Peaks:
    """Find spectrogram peaks: points that are the highest in their neighbourhood.

    Args:
        waveform: Shape (sample,) at SAMPLE_RATE_HZ, at any level.

    Returns:
        Shape (peak,), packed as frame * 2**BIN_BITS + bin and sorted; empty for a silent waveform.
    """
    power = _band_power(waveform)  # (frame, bin)
    highest = maximum_filter(power, size=(2 * PEAK_RADIUS_FRAMES + 1, 2 * PEAK_RADIUS_BINS + 1))
    floor = power.max(initial=0.0) * 10 ** (FLOOR_DB / 10)
    frames, bins = np.nonzero((power == highest) & (power > floor))
    return ((frames << BIN_BITS) + bins + 1).astype(np.uint32)


def _band_power(waveform: Waveform) -> npt.NDArray[np.float32]:
    """Power in BAND_HZ, (frame, bin), without padding at the ends; computed block by block."""
    first, last = (round(hz * N_FFT / SAMPLE_RATE_HZ) for hz in BAND_HZ)
    padded = np.pad(waveform, (0, max(0, N_FFT - len(waveform))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP_LENGTH]
    window = hann(N_FFT, sym=False).astype(np.float32)
    power = np.empty((len(frames), last - first), np.float32)
    for start in range(0, len(frames), _FRAMES_AT_ONCE):
        part = slice(start, start + _FRAMES_AT_ONCE)
        power[part] = np.abs(rfft(frames[part] * window, axis=1)[:, first:last]) ** 2
    return power
