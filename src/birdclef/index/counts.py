"""Counts of recordings that people look at: by source, by licence, by species."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from birdclef.index.layouts import SOURCES


def count_licenses(recordings: pd.DataFrame) -> dict[str, int]:
    """Recordings by licence as their sources spell it, the commonest first."""
    counts = recordings["license"].replace("", "unknown").value_counts().sort_index()
    counts = counts.sort_values(ascending=False, kind="stable")
    return {str(license_): int(count) for license_, count in counts.items()}


def summarize(before: pd.DataFrame, kept: pd.DataFrame, species: pd.Series) -> dict[str, Any]:
    """What the removal of duplicates left, in all and by source.

    Args:
        before: All recordings.
        kept: Those left.
        species: Codes of the competition.
    """
    counts = kept["primary_label"].value_counts().reindex(species, fill_value=0)
    sources = {}
    for source in (name for name in SOURCES if (before["source"] == name).any()):
        n_before, n_kept = (int((rows["source"] == source).sum()) for rows in (before, kept))
        sources[source] = {"before": n_before, "kept": n_kept}
    return {
        "recordings": len(kept),
        "joint_labels": int((kept["joint_labels"] != "").sum()),
        "species_below_10_recordings": int((counts < 10).sum()),
        "sources": sources,
        "licenses": count_licenses(kept),
    }


def per_species_and_source(recordings: pd.DataFrame, species: pd.Series) -> pd.DataFrame:
    """Recordings of each species from each source, for the plot: a row a pair that has any.

    Returns:
        species, source and recordings, in the order of `species` and of SOURCES; a species
        without recordings has a row of 0 for the competition.
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


def count_reasons(set_aside: pd.DataFrame) -> dict[str, int]:
    """Rows set aside by reason, in alphabetical order, the reasons as keys."""
    counts = set_aside["reason"].value_counts().sort_index()
    return {str(reason).replace(" ", "_"): int(count) for reason, count in counts.items()}


def describe(metrics: Mapping[str, Any]) -> str:
    """Counts as lines for the screen: the plain ones, then one line a section."""
    plain = {name: value for name, value in metrics.items() if not isinstance(value, Mapping)}
    sections = {"": plain, **metrics["sources"], "set aside": metrics["set_aside_by_reason"]}
    sections |= {"licences": metrics["licenses"]}
    return "\n".join(
        f"{title}{': ' if title else ''}"
        + ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items())
        for title, counts in sections.items()
        if counts
    )
