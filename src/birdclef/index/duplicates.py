"""What becomes of recordings that are the same sound under other ids.

Of those that share a species one is kept. Those that share none are all kept, since an excerpt
need not hold what its whole is named for; each becomes positive for the labels of the others.
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
    offset_s: float  # where the other's start lies in the one


class Resolved(NamedTuple):
    """The recordings that are left, and how they came to be so few."""

    kept: pd.DataFrame  # as the recordings, sorted by recording_id
    report: pd.DataFrame  # REPORT_COLUMNS, a row a pair
    together: list[Pair]  # recordings kept that no fold may part


def deduplicate(
    recordings: pd.DataFrame, fingerprints: Mapping[str, Fingerprint], min_similarity: float
) -> Resolved:
    """Find recordings that share sound, and resolve them.

    Args:
        recordings: A table of recordings, lists as text, with unique ids.
        fingerprints: By recording id, of those that could be decoded.
        min_similarity: 0..1, from which on two recordings are the same sound.
    """
    length_s = {recording: own.length_s for recording, own in fingerprints.items()}
    return resolve(recordings, find_pairs(fingerprints, min_similarity), length_s)


def find_pairs(fingerprints: Mapping[str, Fingerprint], min_similarity: float) -> list[SoundPair]:
    """Recordings that share sound, by id."""
    ids = sorted(fingerprints)
    matches = find_matches([fingerprints[name].peaks for name in ids], min_similarity)
    return [SoundPair(ids[m.first], ids[m.second], m.similarity, m.offset_s) for m in matches]


def resolve(
    recordings: pd.DataFrame, pairs: Sequence[SoundPair], length_s: Mapping[str, float]
) -> Resolved:
    """Drop duplicates within a species and join labels across species.

    Args:
        recordings: A table of recordings, lists as text, with unique ids.
        pairs: Those that share sound.
        length_s: How long each is; one without a length counts as 0 s long.

    Returns:
        `report` names the preferred recording of a pair first, and in `dropped` those of the two
        that are gone; either may be gone for the sake of a third.
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

    joint, background = [], []
    for recording, primary in zip(rows["recording_id"], rows["primary_label"], strict=True):
        same = [recording, *partners[recording]]
        labels = set().union(*(positive[other] for other in same))
        heard = set().union(*(secondary[other] for other in same))
        joint.append(" ".join(sorted(labels - {primary})))
        background.append(" ".join(sorted(heard - labels)))
    kept = rows.assign(joint_labels=joint, secondary_labels=background)
    kept = kept[[keeper[recording] == recording for recording in kept["recording_id"]]]

    ends = {tuple(sorted((keeper[pair.one], keeper[pair.other]))) for pair in pairs}
    return Resolved(
        kept=kept.sort_index().reset_index(drop=True),
        report=_report(pairs, rank, positive, keeper),
        together=sorted((one, other) for one, other in ends if one != other),
    )


def preference(recordings: pd.DataFrame, length_s: Mapping[str, float]) -> list[str]:
    """Ids, the one to keep first: by source, the competition first, then length, then id.

    Lengths count in tenths of a second: an mp3 is a little longer than what it encodes.
    """
    ranks = {source: rank for rank, source in enumerate(SOURCES)}
    shorter = -recordings["recording_id"].map(length_s).fillna(0.0).round(1)
    rows = recordings.assign(_rank=recordings["source"].map(ranks), _shorter=shorter)
    return rows.sort_values(["_rank", "_shorter", "recording_id"])["recording_id"].tolist()


def choose_keepers(
    order: Sequence[str], labels: Mapping[str, set[str]], partners: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """For each recording itself, or the one that is kept instead.

    Each is dropped only for one that it shares sound and species with, not for a duplicate of its
    duplicate: two excerpts of one recording need have nothing in common.

    Args:
        order: Ids, the preferred ones first.
        labels: Positive labels of each.
        partners: Recordings that share sound with each.
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
        gone = " ".join(recording for recording in ids if keeper[recording] != recording)
        rows.append((*ids, round(similarity, 3), round(sign * offset_s, 2) + 0.0, action, gone))
    report = pd.DataFrame(rows, columns=list(REPORT_COLUMNS))
    return report.sort_values(["recording_id", "duplicate_id"], ignore_index=True)


def count_duplicates(
    recordings: pd.DataFrame,
    fingerprints: Mapping[str, Fingerprint],
    resolved: Resolved,
    folds: pd.DataFrame,
) -> dict[str, int]:
    """What deduplication did, and the leak report of the folds, which must be 0."""
    return {
        "pairs": len(resolved.report),
        "dropped": len(recordings) - len(resolved.kept),
        "not_decoded": len(recordings) - len(fingerprints),  # left in: `preprocess` judges them
        "straddling_groups": count_straddling(resolved.kept, folds, resolved.together),
    }
