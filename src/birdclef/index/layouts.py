"""Layout of each source on disk, and the conversion of its table to common columns.

A `Layout` contains everything that is specific to a source; no other code tests for a source.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from birdclef.common.tables import (
    CODE,
    FAULTS,
    parse_name_lists,
    read_checked,
    to_numbers,
)
from birdclef.index.folders import SOUND_SUFFIXES, AudioFiles, SourceError, require_inside

FILE = rf"{CODE}/{CODE}(?i:{'|'.join(SOUND_SUFFIXES)})".replace(".", r"\.")
ODD_LABEL = "odd label"
UNTRUSTED = (ODD_LABEL, *FAULTS)  # reasons for which a row's label names no species
QUALITY = {"A": "5", "B": "4", "C": "3", "D": "2", "E": "1"}  # Xeno-Canto grade -> our rating
Translate = Callable[[str], str]  # a name in secondary labels -> a species code, or the same name


def _unchanged(table: pd.DataFrame) -> pd.DataFrame:
    return table


def _no_translation(*_: pd.DataFrame | None) -> Translate:
    return str


@dataclass(frozen=True)
class Layout:
    """One source of recordings under data.root."""

    source: str  # name of the source and of its folder
    aliases: tuple[str, ...]  # other accepted names of the folder
    audio: str  # folder that contains <label>/<file>
    table: str
    columns: Mapping[str, str]  # our name -> the table's; columns not in `required` are optional
    required: tuple[str, ...] = ("file", "primary_label", "secondary_labels", "recordist")
    table_optional: bool = False  # if True, the directory tree can replace the table
    # repairs the table before `columns` is applied
    tidy: Callable[[pd.DataFrame], pd.DataFrame] = _unchanged
    # (tidied table, the competition's species) -> the function that maps names in secondary labels
    # to codes; the species are None for the competition itself
    names: Callable[[pd.DataFrame, pd.DataFrame | None], Translate] = _no_translation


def _one_to_one(names: pd.Series, codes: pd.Series) -> dict[str, str]:
    """Map names to codes; omit names with several codes, because any choice would be a guess."""
    pairs = pd.DataFrame({"name": names, "code": codes}).drop_duplicates()
    pairs = pairs[pairs["name"] != ""].drop_duplicates("name", keep=False)
    return dict(zip(pairs["name"], pairs["code"], strict=True))


def _names_of_2020(table: pd.DataFrame, _: pd.DataFrame | None) -> Translate:
    """Translate <scientific name>_<common name>; the table has the codes of common names."""
    codes = _one_to_one(table["species"], table["ebird_code"])
    return lambda name: codes.get(name.partition("_")[2], name)


def _scientific_names(_: pd.DataFrame, species: pd.DataFrame | None) -> Translate:
    """Translate scientific names to the competition's codes."""
    if species is None:
        return str
    codes = _one_to_one(species["scientific_name"], species["species"])
    return lambda name: codes.get(name, name)


def _tidy_xeno_canto(table: pd.DataFrame) -> pd.DataFrame:
    """Make file names from ids, and scientific names from genus and species if it has both."""
    table = table.assign(id="XC" + table["id"].str.removeprefix("XC") + ".mp3")
    if {"gen", "sp"} <= set(table.columns):
        table["scientific_name"] = (table["gen"] + " " + table["sp"]).str.strip()
    return table


COMPETITION_COLUMNS = {
    "file": "filename",
    "primary_label": "primary_label",
    "secondary_labels": "secondary_labels",
    "recordist": "author",
    "license": "license",
    "latitude": "latitude",
    "longitude": "longitude",
    "date": "date",
    "rating": "rating",
    "scientific_name": "scientific_name",
    "common_name": "common_name",
}
COLUMNS_2020 = COMPETITION_COLUMNS | {
    "primary_label": "ebird_code",  # in 2020 primary_label is <scientific name>_<common name>
    "recordist": "recordist",
    "scientific_name": "sci_name",
    "common_name": "species",
}
XENO_CANTO_COLUMNS = COMPETITION_COLUMNS | {
    "file": "id",
    "secondary_labels": "also",
    "recordist": "rec",
    "license": "lic",
    "latitude": "lat",
    "longitude": "lng",
    "rating": "q",
    "common_name": "en",
}

COMPETITION = Layout("birdclef-2024", (), "train_audio", "train_metadata.csv", COMPETITION_COLUMNS)
BIRDCLEF_2023 = Layout(
    "birdclef-2023", ("Birdclef23",), "train_audio", "train_metadata.csv", COMPETITION_COLUMNS
)
BIRDCLEF_2022 = Layout(
    "birdclef-2022", ("Birdclef22",), "train_audio", "train_metadata.csv", COMPETITION_COLUMNS
)
BIRDCLEF_2021 = Layout(
    "birdclef-2021", ("Birdclef21",), "train_short_audio", "train_metadata.csv", COMPETITION_COLUMNS
)
BIRDSONG_2020 = Layout(
    "birdsong-recognition",
    ("Birdclef20",),
    "train_audio",
    "train.csv",
    COLUMNS_2020,
    required=("file", "primary_label", "secondary_labels", "recordist", "common_name"),
    names=_names_of_2020,
)
XENO_CANTO = Layout(
    "birdclef2024-additional-mp3",
    (),
    "additional_audio",
    "BirdClef2024_additional.csv",
    XENO_CANTO_COLUMNS,
    required=("file", "primary_label", "recordist"),
    table_optional=True,
    tidy=_tidy_xeno_canto,
    names=_scientific_names,
)
EXTRAS = (  # newest first; if two of them have the same recording, the first one is kept
    BIRDCLEF_2023,
    BIRDCLEF_2022,
    BIRDCLEF_2021,
    BIRDSONG_2020,
    XENO_CANTO,
)
SOURCES = tuple(layout.source for layout in (COMPETITION, *EXTRAS))  # the preferred ones first


def expected(layout: Layout) -> str:
    """Describe the expected layout of a source, for error messages."""
    return (
        f"expected {layout.source}/{layout.table}"
        f" and {layout.source}/{layout.audio}/<label>/<recording> under data.root"
    )


def read_rows(
    layout: Layout, folder: Path, root: Path, files: AudioFiles, species: pd.DataFrame | None
) -> pd.DataFrame:
    """Read a source's table into our columns, and mark rows that cannot be used.

    Args:
        layout: Layout of the source.
        folder: Folder of the source.
        root: data.root; the table must be inside it.
        files: Audio files of the source, used in place of a missing optional table.
        species: The competition's species; None for the competition itself.

    Returns:
        One row per row of the table. `row` is the row number in the table, missing without a
        table. `file` is `<label>/<name>`. `secondary_labels` are tuples of species codes; a name
        without a code stays as it is. `reason` is why a row cannot be used, "" for a usable row.

    Raises:
        SourceError: The table is missing and required, or a link that points outside `root`.
        TableError: The table is malformed.
    """
    path = folder / layout.table
    if path.is_file() or not layout.table_optional:
        table = _read_table(layout, path, root)
    else:
        table = _from_tree(layout, files)
    rows = pd.DataFrame({name: table[column] for name, column in layout.columns.items()})
    rows["source"] = layout.source
    rows["row"] = table["row"]
    bare = ~rows["file"].str.contains("/", regex=False)
    rows["file"] = rows["file"].where(~bare, rows["primary_label"] + "/" + rows["file"])
    rows["recording_id"] = [PurePosixPath(file).stem for file in rows["file"]]
    rows["path"] = f"{folder.name}/{layout.audio}/" + rows["file"]
    rows["latitude"] = to_numbers(rows["latitude"])
    rows["longitude"] = to_numbers(rows["longitude"])
    rows["rating"] = to_numbers(rows["rating"].replace(QUALITY))
    secondary = parse_name_lists(rows["secondary_labels"])
    rows["reason"] = _first_reason(rows, secondary, table["fault"])
    translate = layout.names(table, species)
    codes = [tuple(map(translate, names or ())) for names in secondary]
    return rows.assign(secondary_labels=pd.Series(codes, index=rows.index, dtype=object))


def _read_table(layout: Layout, path: Path, root: Path) -> pd.DataFrame:
    if not path.is_file():
        raise SourceError(f"{path} not found; {expected(layout)}")
    require_inside(path, root)
    table, faults = read_checked(path, [layout.columns[name] for name in layout.required])
    table["row"] = pd.Series(table.index, index=table.index, dtype="Int64")
    table["fault"] = faults
    table = layout.tidy(table)
    return table.assign(**{c: "" for c in layout.columns.values() if c not in table})


def _from_tree(layout: Layout, files: AudioFiles) -> pd.DataFrame:
    """Make a table from the directory tree: only labels and files are known."""
    table = pd.DataFrame(dict.fromkeys(layout.columns.values(), ""), index=range(len(files)))
    table[layout.columns["file"]] = sorted(files)
    table[layout.columns["primary_label"]] = [file.split("/")[0] for file in sorted(files)]
    return table.assign(row=pd.array([None] * len(files), dtype="Int64"), fault="")


def _first_reason(rows: pd.DataFrame, secondary: pd.Series, faults: pd.Series) -> pd.Series:
    reasons = pd.Series("", index=rows.index)
    reasons[secondary.isna()] = "bad secondary labels"
    reasons[~rows["file"].str.fullmatch(FILE)] = "odd file name"
    reasons[~rows["primary_label"].str.fullmatch(CODE)] = ODD_LABEL
    return reasons.mask(faults != "", faults)
