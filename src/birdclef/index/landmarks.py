"""Find recordings that share sound by their fingerprints, without comparing all with all.

Two peaks within a second or so make a landmark, named by a hash of both bins and the time between
them. The landmarks of all recordings are sorted by hash; recordings that share enough of them at
one offset in time are candidates, and only these are compared peak by peak. A rare hash costs
little, a common one is skipped, so that the cost grows with the number of recordings and hardly
faster.

Source: A. Wang, "An industrial-strength audio search algorithm", ISMIR 2003.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from birdclef.index.fingerprints import BIN_BITS, FRAME_S, Peaks

Ints = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]

TARGET_BITS = 8  # a landmark spans 1 to 255 frames, up to 2.7 s
TARGETS = 100  # peaks after the first that are looked at; 2.7 s hold about 46
KEPT_SHARE = 1 / 16  # of landmarks: the same ones in every recording, since the hash decides
MAX_MEETINGS = 32  # hashes met more often tell little and cost the square of their number
MIN_VOTES = 5  # shared landmarks at one offset that make a candidate ...
MIN_VOTE_SHARE = 0.01  # ... and that share of those of the one with fewer; copies keep 5 % and more
MIN_PEAKS = 12  # of a recording, about 0.7 s: fewer agree by chance
PART_FRAMES = round(0.5 / FRAME_S)
MIN_PEAKS_A_PART, AGREEING = 4, 0.15
TOLERANCE = (-1, 0, 1)  # frames and bins by which a peak may move
_OFFSET_BITS = 24  # frames: a day each way
_RECORDING_BITS = 20
_RECORDINGS_AT_ONCE = 1024  # whose meetings are in memory
MAX_RECORDINGS = 2**_RECORDING_BITS


class Match(NamedTuple):
    """Two recordings that share sound, by their positions in the list of fingerprints."""

    first: int
    second: int
    similarity: float  # 0..1, see `similarity`
    offset_s: float  # time in the first less time in the second, of what both hold


class Landmarks(NamedTuple):
    """Landmarks as columns, (landmark,) each."""

    hashes: npt.NDArray[np.uint32]
    recordings: npt.NDArray[np.int32]
    frames: npt.NDArray[np.int32]  # of their first peaks
    sizes: Ints  # (recording,): landmarks of each, those left out among them


def find_matches(fingerprints: Sequence[Peaks], min_similarity: float) -> list[Match]:
    """Pairs of recordings that share sound, in order of their positions.

    Args:
        fingerprints: Peaks of each recording; one with fewer than MIN_PEAKS matches nothing.
        min_similarity: Least similarity of a pair, 0..1.

    Raises:
        ValueError: There are more than MAX_RECORDINGS.
    """
    if len(fingerprints) > MAX_RECORDINGS:
        raise ValueError(f"{len(fingerprints)} recordings, at most {MAX_RECORDINGS} are matched")
    found = []
    for first, second, offset in _candidates(_collect(fingerprints)):
        one, other = fingerprints[first], fingerprints[second]
        near = [(similarity(one, other, o), o) for o in (offset, offset + 1)]
        best, at = max(near, key=lambda pair: pair[0])
        if best >= min_similarity:
            found.append(Match(first, second, best, at * FRAME_S))
    return found


def similarity(one: Peaks, other: Peaks, offset: int) -> float:
    """Share of the shorter one's half-seconds that the other holds too, at one offset.

    One is held when AGREEING of its peaks lie in the other, give or take TOLERANCE. Parts in time
    tell the same audio, background and all, from a bird that repeats itself: there the peaks of
    a phrase agree, and those before and after it do not. A half-second with fewer than
    MIN_PEAKS_A_PART peaks says nothing and is not counted.

    Args:
        one: Peaks of a recording, sorted.
        other: Peaks of another.
        offset: Frames from the start of `one` to that of `other`.

    Returns:
        0..1: 1 for an exact copy or an excerpt of either; for recordings that overlap in part,
        the part.
    """
    wanted, there = _places(one), _places(other) + (offset << BIN_BITS)
    if len(wanted) > len(there):
        wanted, there = there, wanted
    moved = np.array([(frame << BIN_BITS) + bin_ for frame in TOLERANCE for bin_ in TOLERANCE])
    agree = np.isin(wanted[:, None] + moved, there).any(axis=1)
    parts = ((wanted - wanted.min(initial=0)) >> BIN_BITS) // PART_FRAMES
    peaks, agreeing = np.bincount(parts), np.bincount(parts, weights=agree)
    counted = peaks >= MIN_PEAKS_A_PART
    held = agreeing[counted] >= AGREEING * peaks[counted]
    return float(held.mean()) if len(held) else 0.0


def _places(peaks: Peaks) -> Ints:
    return peaks.astype(np.int64)


def find_landmarks(peaks: Peaks) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int32]]:
    """Hashes of a recording's landmarks, and the frames where they start."""
    if not len(peaks):
        return np.zeros(0, np.uint32), np.zeros(0, np.int32)
    places = np.pad(_places(peaks), (0, TARGETS))
    targets = np.lib.stride_tricks.sliding_window_view(places, TARGETS + 1)
    frames, bins = targets >> BIN_BITS, targets & (2**BIN_BITS - 1)  # (peak, target)
    apart = frames[:, 1:] - frames[:, :1]
    hashes = ((bins[:, :1] << BIN_BITS | bins[:, 1:]) << TARGET_BITS | apart).astype(np.uint32)
    kept = (apart > 0) & (apart < 2**TARGET_BITS) & (_mix(hashes) < KEPT_SHARE * 2**32)
    return hashes[kept], np.broadcast_to(frames[:, :1], kept.shape)[kept].astype(np.int32)


def _mix(hashes: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Scatter, so that a threshold keeps a fair share of any kind. Source: Knuth, TAOCP 3, 6.4."""
    return (hashes ^ hashes >> np.uint32(15)) * np.uint32(2_654_435_769)


def _collect(fingerprints: Sequence[Peaks]) -> Landmarks:
    """Landmarks of all recordings, sorted by hash; those met once or too often are left out."""
    parts = [find_landmarks(p if len(p) >= MIN_PEAKS else p[:0]) for p in fingerprints]
    empty: Ints = np.zeros(0, np.int64)
    hashes = np.concatenate([empty.astype(np.uint32), *(own for own, _ in parts)])
    order = _sort_order(hashes)
    hashes = hashes[order]
    counts = _runs(hashes)[1]
    kept = np.repeat((counts > 1) & (counts <= MAX_MEETINGS), counts)
    order = order[kept]
    frames = np.concatenate([empty.astype(np.int32), *(own for _, own in parts)])
    sizes = np.array([len(own) for own, _ in parts], np.int64)
    recordings = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    return Landmarks(hashes[kept], recordings[order], frames[order], sizes)


def _sort_order(hashes: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """As np.argsort(kind="stable"), but many times faster: one sort of hash and position."""
    keys = (hashes.astype(np.uint64) << np.uint64(32)) | np.arange(len(hashes), dtype=np.uint64)
    keys.sort()
    return keys.astype(np.uint32)


def _runs(values: npt.NDArray[Any]) -> tuple[Ints, Ints]:
    """Where each value of a sorted array starts, and how often it is there."""
    starts = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
    return starts, np.diff(np.append(starts, len(values)))


def _meetings(landmarks: Landmarks, rows: Ints) -> Iterator[Keys]:
    """Pairs of the landmarks in `rows` and later ones of the same hash, of two recordings.

    Yields:
        Both recordings and the offset, packed.
    """
    hashes, recordings, frames, _ = landmarks
    for step in range(1, MAX_MEETINGS):
        rows = rows[rows + step < len(hashes)]
        rows = rows[hashes[rows] == hashes[rows + step]]
        if not len(rows):
            return
        one, other = recordings[rows], recordings[rows + step]  # ascending: the sort was stable
        offset = frames[rows].astype(np.int64) - frames[rows + step] + 2 ** (_OFFSET_BITS - 1)
        pair = one.astype(np.int64) << _RECORDING_BITS | other
        yield (pair << _OFFSET_BITS | offset)[one != other].astype(np.uint64)


def _candidates(landmarks: Landmarks) -> Iterator[tuple[int, int, int]]:
    """Pairs of recordings with enough votes for one offset, which is in frames, or one more."""
    block = landmarks.recordings // _RECORDINGS_AT_ONCE
    for number in range(int(block.max(initial=-1)) + 1):
        rows = np.flatnonzero(block == number)
        meetings = np.concatenate([np.zeros(0, np.uint64), *_meetings(landmarks, rows)])
        if len(meetings):
            yield from _elect(meetings, landmarks.sizes)


def _elect(meetings: Keys, sizes: Ints) -> Iterator[tuple[int, int, int]]:
    """Count votes; of each pair of recordings the offset with the most, where they suffice."""
    meetings.sort()
    starts, votes = _runs(meetings)
    keys = meetings[starts]
    # A cut that falls within a frame spreads the votes over two neighbouring offsets.
    beside = np.append(keys[1:] == keys[:-1] + np.uint64(1), False)
    votes = votes + np.where(beside, np.append(votes[1:], 0), 0)
    first = keys >> np.uint64(_OFFSET_BITS + _RECORDING_BITS)
    second = (keys >> np.uint64(_OFFSET_BITS)) % np.uint64(2**_RECORDING_BITS)
    fewer = np.minimum(sizes[first.astype(np.int64)], sizes[second.astype(np.int64)])
    enough = votes >= np.maximum(MIN_VOTES, MIN_VOTE_SHARE * fewer)
    keys, votes = keys[enough], votes[enough]
    order = np.lexsort((keys, -votes))
    pairs, best = np.unique(keys[order] >> np.uint64(_OFFSET_BITS), return_index=True)
    for pair, key in zip(pairs.tolist(), keys[order][best].tolist(), strict=True):
        offset = key % 2**_OFFSET_BITS - 2 ** (_OFFSET_BITS - 1)
        yield pair >> _RECORDING_BITS, pair % MAX_RECORDINGS, offset
