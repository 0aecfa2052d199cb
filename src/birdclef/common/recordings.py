"""The pipeline's own tables of recordings and species, as its stages read them."""

from pathlib import Path

import pandas as pd

from birdclef.common.tables import read_table, to_numbers

COLUMNS = (
    "recording_id",  # the file's stem, unique
    "source",
    "path",  # posix, relative to data.root
    "primary_label",
    "joint_labels",  # further positive labels; lists are codes separated by blanks
    "secondary_labels",  # heard in the background; never a positive
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


NUMBERS = ("latitude", "longitude", "rating")


WRITTEN_BY_THE_PIPELINE = "`dvc repro preprocess` writes it"


def read_recordings(path: str | Path) -> pd.DataFrame:
    """Read a table of recordings that `index`, `index_extra` or `deduplicate` wrote.

    Returns:
        COLUMNS; text cells are "" where empty, numbers NaN.
    """
    table = read_table(Path(path), COLUMNS, WRITTEN_BY_THE_PIPELINE).reset_index(drop=True)
    return table.assign(**{name: to_numbers(table[name]) for name in NUMBERS})


def read_species(path: str | Path) -> pd.DataFrame:
    """Read the species table that `index` wrote; its order is that of the model's outputs."""
    return read_table(Path(path), SPECIES_COLUMNS, WRITTEN_BY_THE_PIPELINE).reset_index(drop=True)
