"""How each source lies on disk, and its table brought into one form.

All that is particular to a source is in its `Layout`: no code below asks for one by its name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from birdclef.common.names import AUDIO_SUFFIXES
from birdclef.common.tables import CODE, parse_name_lists, read_table, to_numbers
from birdclef.index.folders import AudioFiles, SourceError, require_inside

FILE = rf"{CODE}/{CODE}(?:{'|'.join(AUDIO_SUFFIXES)})".replace(".", r"\.")
QUALITY = {"A": "5", "B": "4", "C": "3", "D": "2", "E": "1"}  # Xeno-Canto's, on our scale
Translate = Callable[[str], str]  # a name in a source's lists -> a species code, or the same name


def _as_is(table: pd.DataFrame) -> pd.DataFrame:
    return table


def _codes(*_: pd.DataFrame | None) -> Translate:
    return str


@dataclass(frozen=True)
class Layout:
    """One source of recordings under data.root."""

    source: str  # its name, and its folder
    also: tuple[str, ...]  # other accepted names of the folder
    audio: str  # folder of <label>/<file>
    table: str
    columns: Mapping[str, str]  # our name -> the table's; a column that is not required may lack
    required: tuple[str, ...] = ("file", "primary_label", "secondary_labels", "recordist")
    table_optional: bool = False  # without it the directory tree is the index
    tidy: Callable[[pd.DataFrame], pd.DataFrame] = _as_is  # the table as read, before `columns`
    # what names in secondary_labels stand for, by the tidied table and the competition's species,
    # which are None for the competition itself
    names: Callable[[pd.DataFrame, pd.DataFrame | None], Translate] = _codes


def _one_to_one(names: pd.Series, codes: pd.Series) -> dict[str, str]:
    """Names -> codes, without the names that stand for several codes: those would be a guess."""
    pairs = pd.DataFrame({"name": names, "code": codes}).drop_duplicates()
    pairs = pairs[pairs["name"] != ""].drop_duplicates("name", keep=False)
    return dict(zip(pairs["name"], pairs["code"], strict=True))


def _names_of_2020(table: pd.DataFrame, _: pd.DataFrame | None) -> Translate:
    """Sci_Common, through the table's own columns."""
    codes = _one_to_one(table["species"], table["ebird_code"])
    return lambda name: codes.get(name.partition("_")[2], name)


def _scientific_names(_: pd.DataFrame, species: pd.DataFrame | None) -> Translate:
    if species is None:
        return str
    codes = _one_to_one(species["scientific_name"], species["species"])
    return lambda name: codes.get(name, name)


def _tidy_xeno_canto(table: pd.DataFrame) -> pd.DataFrame:
    """File names from ids, and scientific names from genus and species where it has them."""
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
    "primary_label": "ebird_code",  # primary_label there is Sci_Common
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
EXTRAS = (  # newest first: of one recording in two of them, the first is kept
    BIRDCLEF_2023,
    BIRDCLEF_2022,
    BIRDCLEF_2021,
    BIRDSONG_2020,
    XENO_CANTO,
)
SOURCES = tuple(layout.source for layout in (COMPETITION, *EXTRAS))  # the preferred ones first


def expected(layout: Layout) -> str:
    """What a source must look like, for messages."""
    return (
        f"expected under data.root are {layout.source}/{layout.table}"
        f" and {layout.source}/{layout.audio}/<label>/<recording>"
    )


def read_rows(
    layout: Layout, folder: Path, root: Path, files: AudioFiles, species: pd.DataFrame | None
) -> pd.DataFrame:
    """Read a source's table into our columns and mark rows that cannot be used.

    Returns:
        One row a row of the table. `row` is its number, empty without a table; `file` is
        `<label>/<name>`; secondary_labels are tuples of codes, or of names that have none;
        `reason` says why a row cannot be used, else "".
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
    rows["reason"] = _first_reason(rows, secondary)
    translate = layout.names(table, species)
    codes = [tuple(map(translate, names or ())) for names in secondary]
    return rows.assign(secondary_labels=pd.Series(codes, index=rows.index, dtype=object))


def _read_table(layout: Layout, path: Path, root: Path) -> pd.DataFrame:
    if not path.is_file():
        raise SourceError(f"{path} not found; {expected(layout)}")
    require_inside(path, root)
    table = read_table(path, [layout.columns[name] for name in layout.required])
    table["row"] = pd.Series(table.index, index=table.index, dtype="Int64")
    table = layout.tidy(table)
    return table.assign(**{c: "" for c in layout.columns.values() if c not in table})


def _from_tree(layout: Layout, files: AudioFiles) -> pd.DataFrame:
    """The directory tree as a table: labels and files, and nothing else known."""
    table = pd.DataFrame(dict.fromkeys(layout.columns.values(), ""), index=range(len(files)))
    table[layout.columns["file"]] = sorted(files)
    table[layout.columns["primary_label"]] = [file.split("/")[0] for file in sorted(files)]
    return table.assign(row=pd.array([None] * len(files), dtype="Int64"))


def _first_reason(rows: pd.DataFrame, secondary: pd.Series) -> pd.Series:
    reasons = pd.Series("", index=rows.index)
    reasons[secondary.isna()] = "bad secondary labels"
    reasons[~rows["file"].str.fullmatch(FILE)] = "odd file name"
    reasons[~rows["primary_label"].str.fullmatch(CODE)] = "odd label"
    return reasons
