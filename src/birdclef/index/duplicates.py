"""Resolve duplicates: recordings that contain the same sound under different ids.

Of two duplicates that share a species, at most one is kept. Duplicates without a common species
are all kept, because an excerpt need not contain the species that the full recording is labelled
with; each becomes positive for the labels of the others.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from birdclef.index.fingerprints import Fingerprint
from birdclef.index.folds import count_straddling
from birdclef.index.landmarks import find_matches
from birdclef.index.layouts import SOURCES

REPORT_COLUMNS = ("recording_id", "duplicate_id", "similarity", "offset_s", "action", "dropped")

Pair = tuple[str, str]


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


def deduplicate(
    recordings: pd.DataFrame, fingerprints: Mapping[str, Fingerprint], min_similarity: float
) -> Resolved:
    """Find recordings that share sound, and resolve these pairs.

    Args:
        recordings: A table of recordings with unique ids; lists are text.
        fingerprints: Recording id -> fingerprint, for the recordings that could be decoded.
        min_similarity: Minimum similarity of two duplicates, 0..1.
    """
    length_s = {recording: found.length_s for recording, found in fingerprints.items()}
    return resolve(recordings, find_pairs(fingerprints, min_similarity), length_s)


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
        report=_report(pairs, rank, positive, keeper),
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


def _report(
    pairs: Sequence[SoundPair],
    rank: Mapping[str, int],
    positive: Mapping[str, set[str]],
    keeper: Mapping[str, str],
) -> pd.DataFrame:
    rows = []
    for one, other, similarity, offset_s in pairs:
        sign = 1.0 if rank[one] < rank[other] else -1.0
        ids = sorted((one, other), key=rank.__getitem__)
        action = "dropped" if positive[one] & positive[other] else "joined"
        dropped = " ".join(recording for recording in ids if keeper[recording] != recording)
        rows.append((*ids, round(similarity, 3), round(sign * offset_s, 2) + 0.0, action, dropped))
    report = pd.DataFrame(rows, columns=list(REPORT_COLUMNS))
    return report.sort_values(["recording_id", "duplicate_id"], ignore_index=True)


def count_duplicates(
    recordings: pd.DataFrame,
    fingerprints: Mapping[str, Fingerprint],
    resolved: Resolved,
    folds: pd.DataFrame,
) -> dict[str, int]:
    """Count what deduplication did, and the leaks between folds, which must be 0."""
    return {
        "pairs": len(resolved.report),
        "dropped": len(recordings) - len(resolved.kept),
        "not_decoded": len(recordings) - len(fingerprints),  # kept; `preprocess` checks them
        "straddling_groups": count_straddling(resolved.kept, folds, resolved.together),
    }
