"""Time the search for duplicates: fingerprints of real audio, and matching of made-up peaks.

python benchmarks/speed/deduplicate.py [FOLDER of recordings, default data/demo]
"""

import resource
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from birdclef.common.names import AUDIO_SUFFIXES
from birdclef.index.fingerprints import BIN_BITS, FRAME_S, Fingerprint, Peaks, try_fingerprint
from birdclef.index.landmarks import find_landmarks, find_matches
from birdclef.index.overlaps import find_overlaps

MEAN_S = 40.0  # mean length of a recording
PEAKS_PER_S, BINS = (
    13.0,
    413,
)  # peaks of noise; one phrase per 3 s brings the peaks to 17 per second
PHRASES, PHRASE_PEAKS = 200, 12  # a few songs that occur in many recordings
SIZES = (3_125, 6_250, 12_500, 25_000)
FILES = 100
LABELED, UNLABELED, SOUNDSCAPE_S = 100, 500, 240.0


def random_peaks(
    rng: np.random.Generator, phrases: list[npt.NDArray[np.int64]], seconds: float
) -> Peaks:
    """Peaks of a made-up recording: noise, and one species' phrase at random times."""
    frames = seconds / FRAME_S
    count = rng.poisson(frames * FRAME_S * PEAKS_PER_S)
    noise = rng.integers(0, int(frames), count) << BIN_BITS | rng.integers(1, BINS + 1, count)
    phrase = phrases[rng.integers(len(phrases))]
    starts = rng.integers(0, int(frames), int(frames * FRAME_S / 3)) << BIN_BITS
    return np.unique([*noise, *(phrase + starts[:, None]).ravel()]).astype(np.uint32)


def random_phrases(rng: np.random.Generator) -> list[npt.NDArray[np.int64]]:
    """Peaks of made-up songs."""
    return [
        np.sort(rng.integers(0, 100, PHRASE_PEAKS)) << BIN_BITS
        | rng.integers(1, BINS, PHRASE_PEAKS)
        for _ in range(PHRASES)
    ]


def match_times() -> None:
    """Print the time to match made-up recordings, for each number in SIZES."""
    rng = np.random.default_rng(0)
    phrases = random_phrases(rng)
    lengths_s = np.round(rng.exponential(MEAN_S, max(SIZES)) + 3.0)
    peaks = [random_peaks(rng, phrases, length_s) for length_s in lengths_s]
    for size in SIZES:
        recordings = [*peaks[: size - size // 100], *peaks[: size // 100]]  # 1 % are copies
        landmarks = sum(len(find_landmarks(own)[0]) for own in recordings)
        start = time.process_time()
        found = find_matches(recordings, 0.8)
        seconds = time.process_time() - start
        peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"{size:,} recordings, {landmarks / 1e6:.1f} million landmarks:"
            f" {seconds:.1f} s on one core, {len(found)} of {size // 100} copies found,"
            f" at most {peak_gb:.2f} GB",
            flush=True,
        )


def overlap_time() -> None:
    """Print the time to compare made-up unlabelled soundscapes with LABELED labelled ones."""
    rng = np.random.default_rng(0)
    phrases = random_phrases(rng)
    own, others = (
        [(str(i), Fingerprint(random_peaks(rng, phrases, SOUNDSCAPE_S), 0.0)) for i in range(count)]
        for count in (LABELED, UNLABELED)
    )
    start = time.process_time()
    found = find_overlaps(dict(own), others, 2.0)
    seconds = time.process_time() - start
    print(
        f"{UNLABELED:,} soundscapes of {SOUNDSCAPE_S:.0f} s with {LABELED}:"
        f" {seconds:.1f} s on one core, {len(found)} overlaps found",
        flush=True,
    )


def fingerprint_rate(folder: Path) -> None:
    """Print how fast the first FILES recordings of a folder are fingerprinted."""
    files = sorted(p for p in folder.rglob("*") if p.suffix in AUDIO_SUFFIXES)[:FILES]
    start = time.process_time()
    lengths = [
        own.length_s
        for own in (try_fingerprint(path.parent, path.name, 120.0) for path in files)
        if own
    ]
    seconds = time.process_time() - start
    print(
        f"{len(lengths)} files, {sum(lengths):.0f} s of sound: {seconds:.2f} s on one core,"
        f" {sum(lengths) / seconds:.0f} times real time",
        flush=True,
    )


if __name__ == "__main__":
    fingerprint_rate(Path(sys.argv[1] if len(sys.argv) > 1 else "data/demo"))
    overlap_time()
    match_times()
