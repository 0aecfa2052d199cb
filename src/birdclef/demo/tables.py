"""The demo's tables: one row per recording, in the layout of each year's source."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from birdclef.common.files import write_csv
from birdclef.demo.recordings import COMPETITION, FIRST_NAMES, LAST_NAMES, XENO_CANTO, Take
from birdclef.demo.species import SPECIES, Species
from birdclef.demo.synthesis import stream


def _bird_name(species: Species) -> str:
    return f"{species.scientific_name}_{species.common_name}"


def _details(take: Take, seed: int) -> dict[str, Any]:
    """Metadata common to all sources, drawn from the recording's id so that they agree."""
    rng = stream(seed, "details", take.recording.xc_id)
    present = [SPECIES[i] for i in take.recording.species]
    by_label = (species for species in present if species.code == take.label)
    species = next(by_label, present[0])  # no species has the label if it is the old code
    recordist = take.recording.recordist
    first, last = divmod(recordist, len(LAST_NAMES))
    day = pd.Timestamp("2012-01-01") + pd.Timedelta(days=int(rng.integers(3000)))
    return {
        "species": species,
        "listed": [SPECIES[i] for i in take.recording.listed],
        "type": [str(rng.choice(["song", "call"])), *(["male"] if rng.uniform() < 0.3 else [])],
        "latitude": round(float(rng.uniform(8.5, 20.0)), 4),
        "longitude": round(float(rng.uniform(73.5, 77.5)), 4),
        "author": f"{FIRST_NAMES[first]} {LAST_NAMES[last]}",
        "license": "Creative Commons CC0 1.0",
        "rating": float(rng.integers(4, 11)) / 2.0,
        "url": f"https://xeno-canto.example/{take.xc_id}",
        "date": day.strftime("%Y-%m-%d"),
        "time": f"{rng.integers(5, 19):02d}:{rng.integers(60):02d}",
    }


def row_2024(take: Take, seed: int) -> dict[str, Any]:
    """A row in the columns of 2024 and 2023."""
    details = _details(take, seed)
    return {
        "primary_label": take.label,
        "secondary_labels": str([species.code for species in details["listed"]]),
        "type": str(details["type"]),
        "latitude": details["latitude"],
        "longitude": details["longitude"],
        "scientific_name": details["species"].scientific_name,
        "common_name": details["species"].common_name,
        "author": details["author"],
        "license": details["license"],
        "rating": details["rating"],
        "url": details["url"],
        "filename": f"{take.label}/{Path(take.path).name}",
    }


def row_2022(take: Take, seed: int) -> dict[str, Any]:
    """A row of 2022: the columns of 2023, and the time of day."""
    return {**row_2024(take, seed), "time": _details(take, seed)["time"]}


def row_2021(take: Take, seed: int) -> dict[str, Any]:
    """A row of 2021: the file name has no folder, and the columns have another order."""
    row, details = row_2024(take, seed), _details(take, seed)
    row |= {"date": details["date"], "time": details["time"], "filename": Path(take.path).name}
    columns = "primary_label secondary_labels type latitude longitude scientific_name common_name"
    columns += " author date filename license rating time url"
    return {column: row[column] for column in columns.split()}


def row_2020(take: Take, seed: int) -> dict[str, Any]:
    """A row of 2020: 35 columns; `ebird_code` is the label, other names `Scientific_Common`."""
    details = _details(take, seed)
    species, listed = details["species"], details["listed"]
    return {
        "rating": details["rating"],
        "playback_used": "no",
        "ebird_code": take.label,
        "channels": "1 (mono)" if take.channels == 1 else "2 (stereo)",
        "date": details["date"],
        "pitch": "Not specified",
        "duration": int(take.recording.length_s),
        "filename": Path(take.path).name,
        "speed": "Not specified",
        "species": species.common_name,
        "number_of_notes": "Not specified",
        "title": f"XC{take.xc_id} {species.common_name} ({species.scientific_name})",
        "secondary_labels": str([_bird_name(secondary) for secondary in listed]),
        "bird_seen": "yes",
        "sci_name": species.scientific_name,
        "location": "A wood, somewhere",
        "latitude": details["latitude"],
        "sampling_rate": f"{take.rate_hz} (Hz)",
        "type": ", ".join(details["type"]),
        "elevation": "100 m",
        "description": np.nan,
        "bitrate_of_mp3": "128000 (bps)",
        "file_type": "mp3",
        "volume": "Not specified",
        "background": str([f"{s.common_name} ({s.scientific_name})" for s in listed]),
        "xc_id": take.xc_id,
        "url": details["url"],
        "country": "Nowhere",
        "author": details["author"],
        "primary_label": _bird_name(species),
        "longitude": details["longitude"],
        "length": "Not specified",
        "time": details["time"],
        "recordist": details["author"],
        "license": details["license"],
    }


def row_xeno_canto(take: Take, seed: int) -> dict[str, Any]:
    """A row of Xeno-Canto: the columns of its API, and the label."""
    details = _details(take, seed)
    genus, epithet = details["species"].scientific_name.split()
    minutes, seconds = divmod(round(take.length_s), 60)
    return {
        "id": take.xc_id,
        "gen": genus,
        "sp": epithet,
        "ssp": np.nan,
        "group": "birds",
        "en": details["species"].common_name,
        "rec": details["author"],
        "cnt": "Nowhere",
        "loc": "A wood, somewhere",
        "lat": details["latitude"],
        "lng": details["longitude"],
        "alt": 100,
        "type": ", ".join(details["type"]),
        "sex": np.nan,
        "stage": np.nan,
        "method": "field recording",
        "url": details["url"].removeprefix("https:"),
        "file": f"{details['url']}/download",
        "file-name": Path(take.path).name,
        "lic": details["license"],
        "q": "ABC"[take.xc_id % 3],
        "length": f"{minutes}:{seconds:02d}",
        "time": details["time"],
        "date": details["date"],
        "uploaded": details["date"],
        "also": str([species.scientific_name for species in details["listed"]]),
        "rmk": np.nan,
        "animal-seen": "yes",
        "playback-used": "no",
        "smp": take.rate_hz,
        "primary_label": take.label,
        "numRecordings": 1,
    }


TABLES: dict[str, tuple[str, Callable[[Take, int], dict[str, Any]]]] = {
    COMPETITION: ("train_metadata.csv", row_2024),
    "birdclef-2023": ("train_metadata.csv", row_2024),
    "birdclef-2022": ("train_metadata.csv", row_2022),
    "birdclef-2021": ("train_metadata.csv", row_2021),
    "birdsong-recognition": ("train.csv", row_2020),
    XENO_CANTO: ("BirdClef2024_additional.csv", row_xeno_canto),
}


def write_tables(root: Path, takes: list[Take], seed: int) -> None:
    """Write one table per source, with rows in the order of its files."""
    for source, (name, row) in TABLES.items():
        listed = sorted((t for t in takes if t.source == source), key=lambda t: (t.label, t.xc_id))
        rows = pd.DataFrame([row(take, seed) for take in listed])
        write_csv(rows, root / source / name, float_format=None)


def write_taxonomy(root: Path) -> None:
    """Write eBird's taxonomy, which has more species than the competition."""
    rows = [
        {
            "TAXON_ORDER": order,
            "CATEGORY": "species",
            "SPECIES_CODE": species.code,
            "PRIMARY_COM_NAME": species.common_name,
            "SCI_NAME": species.scientific_name,
            "ORDER1": "Passeriformes",
            "FAMILY": f"{species.scientific_name.split()[0]}idae",
            "SPECIES_GROUP": "",
            "REPORT_AS": "",
        }
        for order, species in enumerate(SPECIES, start=1)
    ]
    table = root / COMPETITION / "eBird_Taxonomy_v2021.csv"
    write_csv(pd.DataFrame(rows), table, float_format=None)
