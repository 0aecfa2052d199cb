"""Find recordings that share sound by their fingerprints, without comparing every pair.

Two peaks that are at most 2.7 s apart make a landmark. Its hash is formed from both frequency bins
and the time between the peaks. The landmarks of all recordings are sorted by hash. Two recordings
that share enough landmarks at one time offset are candidates, and only candidates are compared
peak by peak. A rare hash costs little and a common hash is skipped, so that the cost grows little
faster than the number of recordings.

Source: A. Wang, "An industrial-strength audio search algorithm", ISMIR 2003.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from birdclef.index.fingerprints import BIN_BITS, FRAME_S, Peaks

Ints = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]

TARGET_BITS = 8  # bits for the length of a landmark: 1 to 255 frames, up to 2.7 s
TARGETS = 100  # following peaks to pair each peak with; 2.7 s contain about 46
KEPT_SHARE = 1 / 16  # share of landmarks kept; chosen by hash, so the same ones everywhere
# A more frequent hash gives little evidence, and its cost grows with the square of its count.
MAX_OCCURRENCES = 32
# A candidate needs this many shared landmarks at one offset, and also this share of the landmarks
# of the recording that has fewer; copies share 5 % or more.
MIN_VOTES, MIN_VOTE_SHARE = 5, 0.01
MIN_PEAKS = 12  # per recording, about 0.7 s of sound; fewer peaks agree by chance
PART_FRAMES = round(0.5 / FRAME_S)  # half a second
MIN_PEAKS_PER_PART, MIN_AGREEING_SHARE = 4, 0.15  # see `compare_parts`
TOLERANCE = (-1, 0, 1)  # frames and bins by which a peak may be shifted
_OFFSET_BITS = 24  # of an offset in frames: about a day in each direction
_RECORDING_BITS = 20
_RECORDINGS_AT_ONCE = 1024  # recordings whose votes are in memory at the same time
MAX_RECORDINGS = 2**_RECORDING_BITS


class Match(NamedTuple):
    """Two recordings that share sound, given by their positions in the list of fingerprints."""

    first: int
    second: int
    similarity: float  # 0..1, see `similarity`
    offset_s: float  # time in the first minus time in the second, for the shared sound


class Landmarks(NamedTuple):
    """Landmarks of all recordings, as one array of shape (landmark,) per field."""

    hashes: npt.NDArray[np.uint32]
    recordings: npt.NDArray[np.int32]
    frames: npt.NDArray[np.int32]  # frame of the first peak
    sizes: Ints  # (recording,), landmarks per recording, including those left out here


def find_matches(fingerprints: Sequence[Peaks], min_similarity: float) -> list[Match]:
    """Find pairs of recordings that share sound.

    Args:
        fingerprints: Peaks of each recording; a recording with fewer than MIN_PEAKS has no match.
        min_similarity: Minimum similarity of a pair, 0..1.

    Raises:
        ValueError: There are more than MAX_RECORDINGS recordings.
    """
    if len(fingerprints) > MAX_RECORDINGS:
        count = len(fingerprints)
        raise ValueError(f"at most {MAX_RECORDINGS} recordings can be matched, got {count}")
    found = []
    for first, second, offset in _candidates(collect(fingerprints)):
        one, other = fingerprints[first], fingerprints[second]
        scores = [(similarity(one, other, o), o) for o in (offset, offset + 1)]
        best, best_offset = max(scores, key=lambda pair: pair[0])
        if best >= min_similarity:
            found.append(Match(first, second, best, best_offset * FRAME_S))
    return found


def similarity(one: Peaks, other: Peaks, offset: int) -> float:
    """Share of half-seconds of the shorter recording that the other contains too, at one offset.

    Of recordings whose peaks span the same time, within half a second, the one with fewer peaks is
    compared with the other: a copy whose codec cut off high frequencies has lost their peaks.

    Args:
        one: Peaks of a recording, sorted.
        other: Peaks of another recording, sorted.
        offset: Frames from the start of `one` to the start of `other`.

    Returns:
        0..1. It is 1 for an exact copy and for an excerpt, whichever of the two is the excerpt. For
        recordings that overlap partly, it is the share that overlaps.
    """
    query, reference = signed(one), signed(other) + (offset << BIN_BITS)
    longer = _frames_spanned(query) - _frames_spanned(reference)
    if longer > PART_FRAMES or (longer >= -PART_FRAMES and len(query) > len(reference)):
        query, reference = reference, query
    parts = compare_parts(query, reference)
    return float((parts > 0).sum() / max(1, np.count_nonzero(parts)))


def compare_parts(query: Ints, reference: Ints) -> Ints:
    """Say for each half-second of a recording whether another recording contains it.

    The other recording contains a half-second if it has MIN_AGREEING_SHARE of its peaks, within
    TOLERANCE. The division in time distinguishes the same audio, with the same background, from a
    bird that repeats itself: in repeated song the peaks of one phrase agree, but those before and
    after it do not.

    Args:
        query: Positions of the recording's peaks, sorted.
        reference: Positions of the other's peaks on the same time axis, sorted.

    Returns:
        Shape (half-second,) from the first peak of `query`: 1 if contained, -1 if not, 0 if it has
        fewer than MIN_PEAKS_PER_PART peaks, which gives no evidence.
    """
    shifts = np.array([(frame << BIN_BITS) + bin_ for frame in TOLERANCE for bin_ in TOLERANCE])
    agree = np.isin(query[:, None] + shifts, reference).any(axis=1)
    parts = ((query >> BIN_BITS) - (query[:1] >> BIN_BITS)) // PART_FRAMES
    peaks, agreeing = np.bincount(parts), np.bincount(parts, weights=agree)
    contained = np.where(agreeing >= MIN_AGREEING_SHARE * peaks, 1, -1)
    return np.where(peaks >= MIN_PEAKS_PER_PART, contained, 0)


def _frames_spanned(peaks: Ints) -> int:
    """Frames from the first to the last peak."""
    return int(np.diff(peaks[[0, -1]] >> BIN_BITS)[0]) if len(peaks) else 0


def signed(peaks: Peaks) -> Ints:
    """Packed peaks as signed numbers, which can be moved in time by `offset << BIN_BITS`."""
    return peaks.astype(np.int64)


def find_landmarks(peaks: Peaks) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int32]]:
    """Find the hashes of a recording's landmarks, and the frames where the landmarks start."""
    if not len(peaks):
        return np.zeros(0, np.uint32), np.zeros(0, np.int32)
    positions = np.pad(signed(peaks), (0, TARGETS))
    targets = np.lib.stride_tricks.sliding_window_view(positions, TARGETS + 1)
    frames, bins = targets >> BIN_BITS, targets & (2**BIN_BITS - 1)  # (peak, target)
    gaps = frames[:, 1:] - frames[:, :1]
    hashes = ((bins[:, :1] << BIN_BITS | bins[:, 1:]) << TARGET_BITS | gaps).astype(np.uint32)
    kept = (gaps > 0) & (gaps < 2**TARGET_BITS) & (_mix(hashes) < KEPT_SHARE * 2**32)
    return hashes[kept], np.broadcast_to(frames[:, :1], kept.shape)[kept].astype(np.int32)


def _mix(hashes: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Scramble hashes, so that a threshold samples them evenly. Source: Knuth, TAOCP 3, 6.4."""
    return (hashes ^ hashes >> np.uint32(15)) * np.uint32(2_654_435_769)


def collect(fingerprints: Sequence[Peaks], min_occurrences: int = 2) -> Landmarks:
    """Collect all landmarks, sorted by hash; omit hashes that occur too rarely or too often."""
    found = [find_landmarks(p if len(p) >= MIN_PEAKS else p[:0]) for p in fingerprints]
    empty: Ints = np.zeros(0, np.int64)
    hashes = np.concatenate([empty.astype(np.uint32), *(own for own, _ in found)])
    order = _sort_order(hashes)
    hashes = hashes[order]
    counts = _runs(hashes)[1]
    kept = np.repeat((counts >= min_occurrences) & (counts <= MAX_OCCURRENCES), counts)
    order = order[kept]
    frames = np.concatenate([empty.astype(np.int32), *(own for _, own in found)])
    sizes = np.array([len(own) for own, _ in found], np.int64)
    recordings = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    return Landmarks(hashes[kept], recordings[order], frames[order], sizes)


def _sort_order(hashes: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Like np.argsort(kind="stable"), but many times faster: sorts hash and position as one key."""
    keys = (hashes.astype(np.uint64) << np.uint64(32)) | np.arange(len(hashes), dtype=np.uint64)
    keys.sort()
    return keys.astype(np.uint32)


def _runs(values: npt.NDArray[Any]) -> tuple[Ints, Ints]:
    """Return where each value of a sorted array starts, and how often it occurs."""
    starts = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
    return starts, np.diff(np.append(starts, len(values)))


def _find_votes(landmarks: Landmarks, rows: Ints) -> Iterator[Keys]:
    """Pair the landmarks in `rows` with later ones of the same hash from other recordings.

    Yields:
        One vote per pair: the two recordings and their time offset, packed in one key.
    """
    hashes, recordings, frames, _ = landmarks
    for step in range(1, MAX_OCCURRENCES):
        rows = rows[rows + step < len(hashes)]
        rows = rows[hashes[rows] == hashes[rows + step]]
        if not len(rows):
            return
        one, other = recordings[rows], recordings[rows + step]  # one <= other: the sort was stable
        votes = pack_votes(one, other, frames[rows] - frames[rows + step])
        yield votes[one != other]


def pack_votes(
    one: npt.NDArray[np.int32], other: npt.NDArray[np.int32], offsets: npt.NDArray[np.int32]
) -> Keys:
    """Pack pairs of recordings and their offsets in frames, so that keys sort in this order."""
    pairs = one.astype(np.int64) << _RECORDING_BITS | other
    return (pairs << _OFFSET_BITS | (offsets + 2 ** (_OFFSET_BITS - 1))).astype(np.uint64)


def _candidates(landmarks: Landmarks) -> Iterator[tuple[int, int, int]]:
    """Yield two recordings and an offset in frames; the best offset is this one or the next."""
    block = landmarks.recordings // _RECORDINGS_AT_ONCE
    for number in range(int(block.max(initial=-1)) + 1):
        rows = np.flatnonzero(block == number)
        votes = np.concatenate([np.zeros(0, np.uint64), *_find_votes(landmarks, rows)])
        if len(votes):
            yield from _count_votes(votes, landmarks.sizes)


def _count_votes(votes: Keys, sizes: Ints) -> Iterator[tuple[int, int, int]]:
    """Choose the offset with the most votes for each pair of recordings with enough votes."""
    keys, counts = tally(votes)
    first = keys >> np.uint64(_OFFSET_BITS + _RECORDING_BITS)
    second = (keys >> np.uint64(_OFFSET_BITS)) % np.uint64(2**_RECORDING_BITS)
    fewer = np.minimum(sizes[first.astype(np.int64)], sizes[second.astype(np.int64)])
    enough = counts >= np.maximum(MIN_VOTES, MIN_VOTE_SHARE * fewer)
    yield from best_offsets(keys[enough], counts[enough])


def tally(votes: Keys) -> tuple[Keys, Ints]:
    """Sort the votes in place; return distinct ones, and how many there are of each.

    A cut inside a frame spreads the votes over two neighbouring offsets, so that the votes for the
    next offset are counted as well.
    """
    votes.sort()
    starts, counts = _runs(votes)
    keys = votes[starts]
    has_next = np.append(keys[1:] == keys[:-1] + np.uint64(1), False)
    return keys, counts + np.where(has_next, np.append(counts[1:], 0), 0)


def best_offsets(keys: Keys, counts: Ints) -> Iterator[tuple[int, int, int]]:
    """Yield each pair of recordings with the offset in frames that has the most votes."""
    order = np.lexsort((keys, -counts))
    pairs, best = np.unique(keys[order] >> np.uint64(_OFFSET_BITS), return_index=True)
    for pair, key in zip(pairs.tolist(), keys[order][best].tolist(), strict=True):
        offset = key % 2**_OFFSET_BITS - 2 ** (_OFFSET_BITS - 1)
        yield pair >> _RECORDING_BITS, pair % MAX_RECORDINGS, offset
