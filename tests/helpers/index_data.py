"""Make small data.root folders in the layouts of the real sources, for the tests of the index."""

from pathlib import Path
from typing import Any

import pandas as pd

from birdclef.index.layouts import Layout
from birdclef.index.rules import CORRECTION_COLUMNS

Row = dict[str, Any]
NO_CORRECTIONS = pd.DataFrame(columns=list(CORRECTION_COLUMNS), dtype="str")


def competition_row(label: str, number: int, **changes: Any) -> Row:
    """A row of train_metadata.csv with the columns of 2024, 2023 and 2022."""
    row = {
        "primary_label": label,
        "secondary_labels": "[]",
        "type": "['song']",
        "latitude": "10.5",
        "longitude": "76.25",
        "scientific_name": f"Genus {label}",
        "common_name": f"Common {label}",
        "author": f"Recordist {number}",
        "license": "CC BY",
        "rating": "4.0",
        "url": f"https://xeno-canto.org/{number}",
        "filename": f"{label}/XC{number}.ogg",
    }
    return row | changes


def row_2021(label: str, number: int, **changes: Any) -> Row:
    """A row of 2021: the file name has no folder."""
    bare = {"filename": f"XC{number}.ogg", "date": "2019-05-01", "time": "06:30"}
    return competition_row(label, number, **bare) | changes


def row_2020(label: str, number: int, **changes: Any) -> Row:
    """A row of 2020, with only the columns that the index reads."""
    row = {
        "ebird_code": label,
        "primary_label": f"Genus {label}_Common {label}",
        "secondary_labels": "[]",
        "filename": f"XC{number}.mp3",
        "species": f"Common {label}",
        "sci_name": f"Genus {label}",
        "author": "someone else",
        "recordist": f"Recordist {number}",
        "rating": "4.0",
        "date": "2013-05-25",
        "license": "CC BY",
    }
    return row | changes


def xeno_canto_row(label: str, number: int, **changes: Any) -> Row:
    """A row of Xeno-Canto, with only the columns of its API that the index reads."""
    row = {
        "id": str(number),
        "gen": "Genus",
        "sp": label,
        "en": f"Common {label}",
        "rec": f"Recordist {number}",
        "lat": "10.5",
        "lng": "76.25",
        "file-name": f"XC{number}-{label} 01 song.mp3",
        "lic": "CC BY",
        "q": "B",
        "date": "2013-05-25",
        "also": "[]",
        "primary_label": label,
    }
    return row | changes


def write_table(path: Path, rows: list[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, index=False)


def touch_audio(path: Path, data: bytes = b"audio") -> Path:
    """Write a file of any bytes, because the index only checks that the file exists."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def add_source(root: Path, layout: Layout, rows: list[Row]) -> Path:
    """Write a source's table and every file that its rows name; return the source's folder."""
    folder = root / layout.source
    write_table(folder / layout.table, rows)
    (folder / layout.audio).mkdir(exist_ok=True)
    table = layout.tidy(pd.DataFrame(rows))
    columns = (table[layout.columns[name]] for name in ("primary_label", "file"))
    for label, file in zip(*columns, strict=True):
        touch_audio(folder / layout.audio / (file if "/" in file else f"{label}/{file}"))
    return folder


def corrections(*moves: tuple[str, str, str]) -> pd.DataFrame:
    """Make a table of corrections from rows of (recording_id, from_label, to_label)."""
    return pd.DataFrame([(*move, "heard") for move in moves], columns=list(CORRECTION_COLUMNS))
