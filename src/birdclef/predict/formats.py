"""The output formats of `birdclef predict`: one entry per format, shown by --help and README."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from birdclef.predict.selection import ChoiceError
from birdclef.predict.writers import (
    Report,
    label_track,
    require_pyarrow,
    sample_species,
    write_audacity,
    write_long,
    write_parquet,
    write_raven,
    write_submission,
    write_wide,
)


def _nothing(_: Report) -> None:
    """Require nothing."""


class Format(NamedTuple):
    """One output format."""

    write: Callable[[Report, Path], int]  # returns the number of rows
    what: str  # for --help and README
    suffix: str = ""  # suffix of --out that selects this format
    every_window: bool = False  # no window is left out
    require: Callable[[Report], object] = _nothing  # raises ChoiceError if something is missing
    name_of: Callable[[Path], str] | None = None  # name that must be unique; None: the path is used
    is_folder: bool = False  # whether it writes a file `name_of` per recording into a folder

    def files(self, out: Path, recordings: Iterable[Path]) -> list[Path]:
        """The files that this format writes."""
        if not self.is_folder or self.name_of is None:
            return [out]
        return [out / self.name_of(recording) for recording in recordings]


FORMATS = {
    "csv": Format(write_long, "a row per detection", ".csv"),
    "wide": Format(write_wide, "a row per window, a column per species", every_window=True),
    "parquet": Format(
        write_parquet,
        "as csv, typed; needs the extra `parquet`",
        ".parquet",
        require=lambda _: require_pyarrow(),
    ),
    "raven": Format(write_raven, "a selection table for Raven", ".txt"),
    "audacity": Format(
        write_audacity,
        "a folder with a label track per recording, for Audacity",
        name_of=label_track,
        is_folder=True,
    ),
    "submission": Format(
        write_submission,
        "Kaggle's table; needs `--sample-submission`",
        every_window=True,
        require=sample_species,
        name_of=lambda path: path.stem,
    ),
}
_OF_SUFFIX = {form.suffix: name for name, form in FORMATS.items() if form.suffix}


def format_of(out: Path, name: str | None) -> str:
    """The name of the format; if `name` is None, the suffix of `out` selects the format.

    Raises:
        ChoiceError: the format is unknown, or the suffix selects none.
    """
    if name is None:
        name = _OF_SUFFIX.get(out.suffix.lower())
        if name is None:
            raise ChoiceError(
                f"{out}: the suffix selects no format ({', '.join(_OF_SUFFIX)} do); give --format,"
                f" one of {', '.join(FORMATS)}"
            )
    if name not in FORMATS:
        raise ChoiceError(f"format {name!r} is not one of {', '.join(FORMATS)}")
    return name


def check(report: Report, form: str, recordings: Sequence[Path]) -> None:
    """Find errors that would otherwise stop the writer after hours of work.

    Raises:
        ChoiceError: something that the format needs is missing or does not fit the model, or
            recordings share a name that must be unique in this format.
    """
    FORMATS[form].require(report)
    name_of = FORMATS[form].name_of
    if name_of is None:
        return
    shared = [name for name, count in Counter(map(name_of, recordings)).items() if count > 1]
    if shared:
        raise ChoiceError(
            f"format {form} distinguishes recordings only by file name, and {len(shared)} names"
            f" belong to several recordings: {', '.join(shared[:10])}; process one folder at a"
            " time"
        )
