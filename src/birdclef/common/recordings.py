"""Readers for the tables of recordings and species that the pipeline itself writes."""

from pathlib import Path

import pandas as pd

from birdclef.common.tables import read_table, to_numbers

COLUMNS = (
    "recording_id",  # unique; the file name without its suffix
    "source",
    "path",  # POSIX path relative to data.root
    "primary_label",
    "joint_labels",  # more positive labels; a list is codes separated by spaces
    "secondary_labels",  # species in the background; never positive labels
    "recordist",
    "license",
    "latitude",
    "longitude",
    "date",
    "rating",
    "scientific_name",
    "common_name",
)
SPECIES_COLUMNS = ("species", "scientific_name", "common_name")

NUMBER_COLUMNS = ("latitude", "longitude", "rating")

_HINT = "run `dvc repro preprocess` to create it"


def read_recordings(path: str | Path) -> pd.DataFrame:
    """Read a table of recordings written by `index`, `index_extra` or `deduplicate`.

    Returns:
        A table with at least COLUMNS. Empty cells are NaN in NUMBER_COLUMNS and "" elsewhere.
    """
    table = read_table(Path(path), COLUMNS, _HINT).reset_index(drop=True)
    return table.assign(**{name: to_numbers(table[name]) for name in NUMBER_COLUMNS})


def read_species(path: str | Path) -> pd.DataFrame:
    """Read the species table written by `index`; its order is the order of the model's outputs."""
    return read_table(Path(path), SPECIES_COLUMNS, _HINT).reset_index(drop=True)
