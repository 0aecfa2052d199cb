"""The tables of recordings and species come back as they were written."""

from pathlib import Path

import pandas as pd

from birdclef.common.files import write_csv
from birdclef.common.recordings import COLUMNS, read_recordings, read_species
from birdclef.index.rules import (
    to_table,
)


def test_a_table_comes_back_as_it_was_written(tmp_path: Path) -> None:
    row = dict.fromkeys(COLUMNS, "") | {
        "recording_id": "XC1",
        "primary_label": "null",  # a code like any other
        "joint_labels": ("b", "c"),
        "secondary_labels": (),
        "recordist": 'Ana "NA", Ñuñoa',
        "latitude": 10.25,
        "longitude": float("nan"),
        "rating": 4.0,
    }
    other = row | {"recording_id": "XC0", "joint_labels": ()}
    table = to_table(pd.DataFrame([row, other]))
    write_csv(table, tmp_path / "recordings.csv")
    read = read_recordings(tmp_path / "recordings.csv")
    assert list(read["recording_id"]) == ["XC0", "XC1"]
    assert list(read["joint_labels"]) == ["", "b c"]
    pd.testing.assert_frame_equal(read, table, check_dtype=False)


def test_the_species_table_comes_back(tmp_path: Path) -> None:
    rows = pd.DataFrame({"species": ["nan", "b"], "scientific_name": "", "common_name": "B"})
    write_csv(rows, tmp_path / "species.csv")
    assert list(read_species(tmp_path / "species.csv")["species"]) == ["nan", "b"]
