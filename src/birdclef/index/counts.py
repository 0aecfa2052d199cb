"""Count recordings per source, licence and species, for metrics, plots and the screen."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from birdclef.common.names import NO_FOLD
from birdclef.common.text import printable
from birdclef.index.layouts import COMPETITION, SOURCES
from birdclef.index.soundscapes import Soundscapes
from birdclef.index.sources import Extras, Loaded, count_reasons

FEW_RECORDINGS = 10  # the original method repeats rarer species up to this; a metric's name has it


def count_licenses(recordings: pd.DataFrame) -> dict[str, int]:
    """Count recordings per licence, as the sources spell it; the most common licence is first."""
    counts = recordings["license"].replace("", "unknown").value_counts().sort_index()
    counts = counts.sort_values(ascending=False, kind="stable")
    return {printable(str(license_)): int(count) for license_, count in counts.items()}


def count_indexed(loaded: Loaded, found: Soundscapes, set_aside: pd.DataFrame) -> dict[str, Any]:
    """Count what the competition's table and folders contain; the metrics of `index`.

    Args:
        loaded: The competition's recordings.
        found: The competition's soundscapes.
        set_aside: Rows of recordings and soundscapes that cannot be used.
    """
    per_species = loaded.recordings["primary_label"].value_counts()
    per_species = per_species.reindex(loaded.species["species"], fill_value=0)
    kinds = found.soundscapes["kind"].value_counts()
    return {
        "recordings": len(loaded.recordings),
        "species": len(loaded.species),
        "species_below_10_recordings": int((per_species < FEW_RECORDINGS).sum()),
        "species_without_recordings": int((per_species == 0).sum()),
        "unlabeled_soundscapes": int(kinds.get("unlabeled", 0)),
        "labeled_soundscapes": int(kinds.get("labeled", 0)),
        "labeled_windows": len(found.labels),
        "set_aside": len(set_aside),
        "sources": {COMPETITION.source: loaded.counts},
        "unknown_soundscape_labels": found.unknown_labels,
        "set_aside_by_reason": count_reasons(set_aside),
        "licenses": count_licenses(loaded.recordings),
    }


def count_extras(own: pd.DataFrame, extras: Extras) -> dict[str, Any]:
    """Count what earlier years and Xeno-Canto add to the competition's own recordings."""
    return {
        "extra_recordings": len(extras.recordings),
        "recordings": len(own) + len(extras.recordings),
        "set_aside": len(extras.set_aside),
        "sources": extras.counts,
        "set_aside_by_reason": count_reasons(extras.set_aside),
        "licenses": count_licenses(extras.recordings),
    }


def summarize(
    before: pd.DataFrame, kept: pd.DataFrame, species: pd.Series, folds: pd.DataFrame
) -> dict[str, Any]:
    """Count the recordings that remain after duplicates are removed, in total and per source.

    Args:
        before: All recordings.
        kept: The recordings that remain.
        species: Species codes of the competition.
        folds: Folds and groups of the recordings that remain.
    """
    counts = kept["primary_label"].value_counts().reindex(species, fill_value=0)
    sources = {}
    for source in (name for name in SOURCES if (before["source"] == name).any()):
        n_before, n_kept = (int((rows["source"] == source).sum()) for rows in (before, kept))
        sources[source] = {"before": n_before, "kept": n_kept}
    return {
        "recordings": len(kept),
        "joint_labels": int((kept["joint_labels"] != "").sum()),
        "species_below_10_recordings": int((counts < FEW_RECORDINGS).sum()),
        "species_held_out_by_no_fold": _held_out_by_no_fold(kept, folds),
        "sources": sources,
        "licenses": count_licenses(kept),
        "groups": folds["group"].nunique(),
    }


def _held_out_by_no_fold(kept: pd.DataFrame, folds: pd.DataFrame) -> int:
    """Count the species with recordings that every model trains on, so that no fold scores them."""
    fold = kept["recording_id"].map(folds.set_index("recording_id")["fold"])
    labels = (kept["primary_label"] + " " + kept["joint_labels"]).str.split().explode()
    return int((fold[labels.index].groupby(labels.to_numpy()).max() == NO_FOLD).sum())


def per_species_and_source(recordings: pd.DataFrame, species: pd.Series) -> pd.DataFrame:
    """Count the recordings of each species from each source, for the plot.

    Returns:
        Columns species, source and recordings, in the order of `species` and then of SOURCES. Each
        pair with recordings has one row. A species without any recordings has one row, with a
        count of 0 for the competition.
    """
    counts = pd.crosstab(recordings["primary_label"], recordings["source"])
    counts = counts.reindex(index=list(species), columns=list(SOURCES), fill_value=0)
    rows = [
        (label, source, int(counts.loc[label, source]))
        for label in species
        for source in SOURCES
        if counts.loc[label, source] or (source == SOURCES[0] and not counts.loc[label].any())
    ]
    return pd.DataFrame(rows, columns=["species", "source", "recordings"])


def describe(metrics: Mapping[str, Any]) -> str:
    """Format counts as lines for the screen: single counts first, then one line per section."""
    plain = {name: value for name, value in metrics.items() if not isinstance(value, Mapping)}
    sections = {"": plain, **metrics["sources"], "set aside": metrics["set_aside_by_reason"]}
    sections |= {"licences": metrics["licenses"]}
    return "\n".join(
        f"{title}{': ' if title else ''}"
        + ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items())
        for title, counts in sections.items()
        if counts
    )
