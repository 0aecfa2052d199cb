"""Resolve duplicates: files that contain the same sound under different ids.

Recordings and unlabelled soundscapes that hold sound of a labelled soundscape are dropped, because
models are scored on it. Of two other recordings with the same sound that share a species, at most
one is kept. Duplicates without a common species are all kept, because an excerpt need not contain
the species that the full recording is labelled with; each becomes positive for the labels of the
others.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from birdclef.index.fingerprints import Fingerprint, fingerprint_all
from birdclef.index.landmarks import find_matches
from birdclef.index.layouts import SOURCES
from birdclef.index.overlaps import Overlaps, compare_soundscapes
from birdclef.params import DeduplicateParams

REPORT_COLUMNS = (
    "recording_id",  # the preferred recording, or a labelled soundscape
    "duplicate_id",
    "reason",  # why the pair matters
    "similarity",  # of two recordings
    "shared_s",  # seconds shared with a labelled soundscape ...
    "start_s",  # ... and where in it this part starts ...
    "end_s",  # ... and ends
    "offset_s",  # time in the first file at which the second starts
    "action",
    "dropped",  # ids of the two that were dropped
)

Pair = tuple[str, str]
Row = dict[str, Any]


class SoundPair(NamedTuple):
    """Two recordings that share sound."""

    one: str
    other: str
    similarity: float  # 0..1
    offset_s: float  # time in `one` at which `other` starts


class Resolved(NamedTuple):
    """The recordings that are kept, and a report of the pairs that were resolved."""

    kept: pd.DataFrame  # columns as in the table of recordings, sorted by recording_id
    report: pd.DataFrame  # REPORT_COLUMNS, one row per pair
    together: list[Pair]  # pairs of kept recordings that must be in the same fold


class Deduplicated(NamedTuple):
    """The recordings and soundscapes that are kept, and what was found."""

    kept: pd.DataFrame  # columns as in the table of recordings, sorted by recording_id
    soundscapes: pd.DataFrame  # columns as in the table of soundscapes; every labelled one
    report: pd.DataFrame  # REPORT_COLUMNS, one row per pair
    together: list[Pair]  # pairs of kept recordings that must be in the same fold
    counts: dict[str, int]


def deduplicate(
    recordings: pd.DataFrame,
    soundscapes: pd.DataFrame,
    root: Path,
    limits: DeduplicateParams,
    jobs: int,
) -> Deduplicated:
    """Drop what shares sound with labelled soundscapes, then resolve pairs of recordings.

    Args:
        recordings: A table of recordings with unique ids; lists are text.
        soundscapes: A table of soundscapes: soundscape_id, kind and path.
        root: data.root.
        limits: How much sound two files may share, and how much of a recording is decoded.
        jobs: Number of processes that decode.
    """
    paths = recordings.set_index("recording_id")["path"]
    sounds = dict(fingerprint_all(paths, root, jobs, "recordings", limits.max_s))
    overlaps = compare_soundscapes(soundscapes, sounds, root, limits.max_shared_s, jobs)
    shared, shared_soundscapes = ({o.other_id for o in found} for found in overlaps)
    usable = {name: own for name, own in sounds.items() if name not in shared}
    rest = recordings[~recordings["recording_id"].isin(shared)]
    length_s = {name: own.length_s for name, own in usable.items()}
    resolved = resolve(rest, find_pairs(usable, limits.min_similarity), length_s)
    return Deduplicated(
        kept=resolved.kept,
        soundscapes=soundscapes[~soundscapes["soundscape_id"].isin(shared_soundscapes)],
        report=_report([*_rows(resolved.report), *_overlap_rows(overlaps)]),
        together=resolved.together,
        counts={
            "pairs": len(resolved.report),
            "dropped": len(rest) - len(resolved.kept),
            "recordings_with_labeled_sound": len(shared),
            "soundscapes_with_labeled_sound": len(shared_soundscapes),
            "not_decoded": len(recordings) - len(sounds),  # kept; `preprocess` checks them
        },
    )


def find_pairs(fingerprints: Mapping[str, Fingerprint], min_similarity: float) -> list[SoundPair]:
    """Find pairs of recordings that share sound, named by their ids."""
    ids = sorted(fingerprints)
    matches = find_matches([fingerprints[name].peaks for name in ids], min_similarity)
    return [SoundPair(ids[m.first], ids[m.second], m.similarity, m.offset_s) for m in matches]


def resolve(
    recordings: pd.DataFrame, pairs: Sequence[SoundPair], length_s: Mapping[str, float]
) -> Resolved:
    """Drop duplicates within a species, and join the labels of duplicates across species.

    Args:
        recordings: A table of recordings with unique ids; lists are text.
        pairs: Pairs of recordings that share sound.
        length_s: Recording id -> length in seconds; a recording without a length counts as 0 s.

    Returns:
        The kept recordings. `report` names the preferred recording of each pair first. Its column
        `dropped` lists the recordings of the pair that were dropped; each of the two may have been
        dropped in favour of a third recording.
    """
    order = preference(recordings, length_s)
    rank = {recording: position for position, recording in enumerate(order)}
    rows = recordings.set_index("recording_id", drop=False)
    positive = _label_sets(rows["primary_label"] + " " + rows["joint_labels"])
    secondary = _label_sets(rows["secondary_labels"])
    partners: dict[str, list[str]] = defaultdict(list)
    for pair in pairs:
        partners[pair.one].append(pair.other)
        partners[pair.other].append(pair.one)
    keeper = choose_keepers(order, positive, partners)

    joint_labels, secondary_labels = [], []
    for recording, primary in zip(rows["recording_id"], rows["primary_label"], strict=True):
        duplicates = [recording, *partners[recording]]
        labels = set().union(*(positive[other] for other in duplicates))
        background = set().union(*(secondary[other] for other in duplicates))
        joint_labels.append(" ".join(sorted(labels - {primary})))
        secondary_labels.append(" ".join(sorted(background - labels)))
    kept = rows.assign(joint_labels=joint_labels, secondary_labels=secondary_labels)
    kept = kept[[keeper[recording] == recording for recording in kept["recording_id"]]]

    keepers = {tuple(sorted((keeper[pair.one], keeper[pair.other]))) for pair in pairs}
    return Resolved(
        kept=kept.sort_index().reset_index(drop=True),
        report=_report(_pair_rows(pairs, rank, positive, keeper)),
        together=sorted((one, other) for one, other in keepers if one != other),
    )


def preference(recordings: pd.DataFrame, length_s: Mapping[str, float]) -> list[str]:
    """Sort recording ids by preference, the best one to keep first.

    The order is by source with the competition first, then by length with the longest first, then
    by id. Lengths are rounded to 0.1 s, because an mp3 is slightly longer than its sound.
    """
    ranks = {source: rank for rank, source in enumerate(SOURCES)}
    shorter = -recordings["recording_id"].map(length_s).fillna(0.0).round(1)
    rows = recordings.assign(_rank=recordings["source"].map(ranks), _shorter=shorter)
    return rows.sort_values(["_rank", "_shorter", "recording_id"])["recording_id"].tolist()


def choose_keepers(
    order: Sequence[str], labels: Mapping[str, set[str]], partners: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """Choose for each recording the one to keep: the recording itself or a preferred duplicate.

    A recording is dropped only in favour of one that shares sound and a species with it, never in
    favour of a duplicate of its duplicate: two excerpts of one recording may share no sound.

    Args:
        order: Recording ids, in order of preference.
        labels: Recording id -> its positive labels.
        partners: Recording id -> ids of the recordings that share sound with it.

    Returns:
        Recording id -> id of the recording to keep.
    """
    keeper: dict[str, str] = {}
    rank = {recording: position for position, recording in enumerate(order)}
    for recording in order:
        better = [
            other
            for other in partners.get(recording, ())
            if keeper.get(other) == other and labels[other] & labels[recording]
        ]
        keeper[recording] = min(better, key=rank.__getitem__) if better else recording
    return keeper


def _label_sets(cells: pd.Series) -> dict[str, set[str]]:
    return {str(recording): set(cell.split()) for recording, cell in cells.items()}


def _pair_rows(
    pairs: Sequence[SoundPair],
    rank: Mapping[str, int],
    positive: Mapping[str, set[str]],
    keeper: Mapping[str, str],
) -> list[Row]:
    rows: list[Row] = []
    for one, other, similarity, offset_s in pairs:
        sign = 1.0 if rank[one] < rank[other] else -1.0
        first, second = sorted((one, other), key=rank.__getitem__)
        same = positive[one] & positive[other]
        row: Row = {
            "recording_id": first,
            "duplicate_id": second,
            "reason": "same species" if same else "other species",
            "similarity": round(similarity, 3),
            "offset_s": round(sign * offset_s, 2) + 0.0,
            "action": "dropped" if same else "joined",
            "dropped": " ".join(name for name in (first, second) if keeper[name] != name),
        }
        rows.append(row)
    return rows


def _overlap_rows(overlaps: Overlaps) -> list[Row]:
    return [
        {
            "recording_id": overlap.soundscape_id,
            "duplicate_id": overlap.other_id,
            "reason": f"{kind} with sound of a labeled soundscape",
            "shared_s": round(overlap.shared.seconds, 1),
            "start_s": round(overlap.shared.start_s, 1),
            "end_s": round(overlap.shared.end_s, 1),
            "offset_s": round(overlap.offset_s, 2) + 0.0,
            "action": "dropped",
            "dropped": overlap.other_id,
        }
        for kind, found in zip(("recording", "soundscape"), overlaps, strict=True)
        for overlap in found
    ]


def _rows(report: pd.DataFrame) -> list[Row]:
    return [{str(name): cell for name, cell in row.items()} for row in report.to_dict("records")]


def _report(rows: Sequence[Row]) -> pd.DataFrame:
    report = pd.DataFrame(rows, columns=list(REPORT_COLUMNS))
    return report.sort_values(["recording_id", "duplicate_id"], ignore_index=True)
