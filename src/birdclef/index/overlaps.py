"""Find files that hold sound of a labelled soundscape, on which models are scored.

Such files would show the test to training: an unlabelled soundscape that holds a part of a labelled
one, or a recording that was cut from one. Each shares only parts with the other, so that the rule
is on shared seconds, and not on a share of the shorter file. Only the landmarks of the labelled
soundscapes are in memory; the other files pass one after another.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from birdclef.index.fingerprints import BIN_BITS, FRAME_S, Fingerprint, Peaks, fingerprint_all
from birdclef.index.landmarks import (
    MIN_PEAKS,
    MIN_VOTES,
    PART_FRAMES,
    Ints,
    Keys,
    Landmarks,
    best_offsets,
    collect,
    compare_parts,
    find_landmarks,
    pack_votes,
    signed,
    tally,
)

PART_S = PART_FRAMES * FRAME_S


class Shared(NamedTuple):
    """The sound that two files share at one offset."""

    seconds: float  # sum of the half-seconds that agree
    start_s: float  # the part from the first to the last of them, in the labelled soundscape
    end_s: float


class Overlap(NamedTuple):
    """A file that shares sound with a labelled soundscape."""

    soundscape_id: str  # of the labelled soundscape
    other_id: str  # of a recording or an unlabelled soundscape
    offset_s: float  # time in the labelled soundscape at which the other file starts
    shared: Shared


class Overlaps(NamedTuple):
    """All files that share sound with labelled soundscapes."""

    recordings: list[Overlap]
    soundscapes: list[Overlap]  # unlabelled ones


def compare_soundscapes(
    soundscapes: pd.DataFrame,
    recordings: Mapping[str, Fingerprint],
    root: Path,
    max_shared_s: float,
    jobs: int,
) -> Overlaps:
    """Compare recordings and unlabelled soundscapes with the labelled soundscapes.

    Soundscapes are decoded whole. Without labelled ones, none is decoded.

    Args:
        soundscapes: Columns soundscape_id, kind and path.
        recordings: Recording id -> fingerprint.
        root: data.root.
        max_shared_s: Seconds that a file may share with a labelled soundscape.
        jobs: Number of processes that decode.
    """
    paths = soundscapes.set_index("soundscape_id")["path"]
    is_labeled = (soundscapes["kind"] == "labeled").to_numpy()
    if not is_labeled.any():
        return Overlaps([], [])
    labeled = dict(fingerprint_all(paths[is_labeled], root, jobs, "labeled soundscapes"))
    unlabeled = fingerprint_all(paths[~is_labeled], root, jobs, "unlabeled soundscapes")
    return Overlaps(
        recordings=find_overlaps(labeled, recordings.items(), max_shared_s),
        soundscapes=find_overlaps(labeled, unlabeled, max_shared_s),
    )


def find_overlaps(
    labeled: Mapping[str, Fingerprint],
    others: Iterable[tuple[str, Fingerprint]],
    max_shared_s: float,
) -> list[Overlap]:
    """Find the files that share more than `max_shared_s` with a labelled soundscape.

    Args:
        labeled: Soundscape id -> fingerprint.
        others: Ids and fingerprints of the other files, which are read one after another.
        max_shared_s: Seconds that are allowed.
    """
    ids = sorted(labeled)
    landmarks = collect([labeled[name].peaks for name in ids], min_occurrences=1)
    found = []
    for other_id, (peaks, _) in others:
        for number, offset in _candidates(peaks, landmarks):
            own = labeled[ids[number]].peaks
            offsets = (offset, offset + 1)
            shared, best = max((share_sound(own, peaks, o), o) for o in offsets)
            if shared.seconds > max_shared_s:
                found.append(Overlap(ids[number], other_id, best * FRAME_S, shared))
    return found


def _candidates(peaks: Peaks, landmarks: Landmarks) -> Iterator[tuple[int, int]]:
    """Yield positions of labelled soundscapes that may share sound, and the offset in frames."""
    votes = _find_votes(peaks, landmarks)
    if len(peaks) >= MIN_PEAKS and len(votes):
        keys, counts = tally(votes)
        enough = counts >= MIN_VOTES
        for number, _, offset in best_offsets(keys[enough], counts[enough]):
            yield number, offset


def _find_votes(peaks: Peaks, landmarks: Landmarks) -> Keys:
    """Look up a file's landmarks among those of the labelled soundscapes."""
    hashes, frames = find_landmarks(peaks)
    first = np.searchsorted(landmarks.hashes, hashes)
    counts = np.searchsorted(landmarks.hashes, hashes, side="right") - first
    rows = np.repeat(first + counts - np.cumsum(counts), counts) + np.arange(counts.sum())
    offsets = landmarks.frames[rows] - np.repeat(frames, counts)
    return pack_votes(landmarks.recordings[rows], np.zeros_like(offsets), offsets)


def share_sound(soundscape: Peaks, other: Peaks, offset: int) -> Shared:
    """Measure the sound that a file shares with a soundscape at one offset.

    Args:
        soundscape: Peaks of the labelled soundscape, sorted.
        other: Peaks of the other file, sorted; at least one.
        offset: Frames from the start of the soundscape to the start of the other file.
    """
    query = signed(other) + (offset << BIN_BITS)
    parts = compare_parts(query, signed(soundscape))
    start, end = best_stretch(parts)
    first_s = float(query[0] >> BIN_BITS) * FRAME_S
    seconds = float((parts[start:end] > 0).sum()) * PART_S
    return Shared(seconds, first_s + start * PART_S, first_s + end * PART_S)


def best_stretch(parts: Ints) -> tuple[int, int]:
    """Start and end of the stretch with the greatest sum; of several, the first that ends.

    The half-seconds that agree exceed the others by most in it. Half-seconds of a long file that
    agree by chance, here and there, do not add up.

    Args:
        parts: Shape (half-second,), -1 to 1, as `compare_parts` gives them.
    """
    sums = np.append(0, np.cumsum(parts))
    end = int(np.argmax(sums - np.minimum.accumulate(sums)))
    return end - int(np.argmin(sums[end::-1])), end
