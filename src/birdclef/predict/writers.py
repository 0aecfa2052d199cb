"""Detections as files: one function per format of predict/formats.py.

File names and the names in a model are foreign text: they are quoted, stripped of control
characters where a format cannot quote, and never begin like a formula of a spreadsheet.
"""

import csv
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from birdclef.common.files import replacing
from birdclef.predict.selection import ChoiceError

if TYPE_CHECKING:  # so that `birdclef --help` loads no engine
    from birdclef.predict.detections import Detection
    from birdclef.predict.detector import RecordingScores

_PARQUET_ROWS = 2**16  # written at once


class Report(NamedTuple):
    """What every format is written from; recordings come one at a time."""

    recordings: "Iterable[RecordingScores]"
    detect: "Callable[[RecordingScores], Iterable[Detection]]"
    species: Sequence[dict[str, str]]  # all outputs of the model, in order
    chosen: Sequence[int]  # positions of those that are of interest
    window_s: tuple[float, float]  # between starts of windows, and length of one
    band_hz: tuple[float, float]  # that the model hears
    sample: Path | None = None  # sample_submission.csv


def _cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _file_cell(path: Path) -> str:
    """A path as a cell: ./ before a name like a formula leaves it the same file."""
    return str(path) if _cell(str(path)) == str(path) else f"./{path}"


def _plain(text: str) -> str:
    """Text for formats that know no quotes: no tabs, line ends or other control characters."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _number(value: float) -> str:
    """Seconds and hertz to a thousandth, without needless zeros."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


@contextmanager
def _text(path: Path) -> Generator[TextIO, None, None]:
    """A text file that appears whole or not; names that are no UTF-8 are escaped."""
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        yield file


def _write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    count = 0
    with _text(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for count, row in enumerate(rows, start=1):  # noqa: B007
            writer.writerow(row)
    return count


def write_long(report: Report, out: Path) -> int:
    """A row for each detection."""
    names = [(_cell(s["species"]), _cell(s["common_name"])) for s in report.species]
    header = ["file", "start_s", "end_s", "species", "common_name", "probability"]
    rows = (
        (_file_cell(scores.path), _number(d.start_s), _number(d.end_s), *names[d.species], p)
        for scores in report.recordings
        for d in report.detect(scores)
        for p in [f"{d.probability:.5g}"]
    )
    return _write_rows(out, header, rows)


def write_wide(report: Report, out: Path) -> int:
    """A row for each window, a column for each species."""
    step_s, length_s = report.window_s
    codes = [_cell(report.species[i]["species"]) for i in report.chosen]
    rows = (
        (
            _file_cell(scores.path),
            _number(number * step_s),
            _number(number * step_s + length_s),
            *(f"{row[i]:.5g}" for i in report.chosen),
        )
        for scores in report.recordings
        for number, row in enumerate(scores.probabilities)
    )
    return _write_rows(out, ["file", "start_s", "end_s", *codes], rows)


def write_submission(report: Report, out: Path) -> int:
    """Kaggle's table: row_id <file's stem>_<end_s>, species in the order of the sample."""
    codes = sample_species(report)
    position = {s["species"]: i for i, s in enumerate(report.species)}
    columns = [position[code] for code in codes]
    step_s, length_s = report.window_s
    rows = (
        (
            f"{scores.path.stem}_{_number(n * step_s + length_s)}",
            *(f"{row[i]:.7g}" for i in columns),
        )
        for scores in report.recordings
        for n, row in enumerate(scores.probabilities)
    )
    return _write_rows(out, ["row_id", *codes], rows)


def sample_species(report: Report) -> list[str]:
    """The species columns of the sample submission.

    Raises:
        ChoiceError: there is no sample, it is no such table, or its species are not the model's.
    """
    if report.sample is None:
        raise ChoiceError("format submission needs --sample-submission FILE, for its columns")
    try:
        with report.sample.open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ChoiceError(f"{report.sample} is no readable CSV table: {error}") from None
    own = {s["species"] for s in report.species}
    if header[:1] != ["row_id"] or len(set(header)) < len(header):
        raise ChoiceError(f"{report.sample}: its columns should be row_id and species, each once")
    if own != set(header[1:]):
        odd = sorted(own ^ set(header[1:]))
        raise ChoiceError(
            f"{report.sample} and the model differ in {len(odd)} species: {', '.join(odd[:10])};"
            " take the sample of the competition that the model was trained for"
        )
    return header[1:]


def write_parquet(report: Report, out: Path) -> int:
    """A row for each detection, typed."""
    arrow, parquet = require_pyarrow()
    names = ("species", "scientific_name", "common_name")
    schema = arrow.schema(
        [("file", arrow.string()), ("start_s", arrow.float64()), ("end_s", arrow.float64())]
        + [(name, arrow.string()) for name in names]
        + [("probability", arrow.float32())]
    )
    count = 0
    rows: list[dict[str, Any]] = []
    with replacing(out) as temporary, parquet.ParquetWriter(temporary, schema) as writer:

        def flush() -> None:
            writer.write_table(arrow.Table.from_pylist(rows, schema))
            rows.clear()

        for scores in report.recordings:
            file = str(scores.path).encode("utf-8", "backslashreplace").decode()
            for d in report.detect(scores):
                about = {name: report.species[d.species][name] for name in names}
                times = {"file": file, "start_s": d.start_s, "end_s": d.end_s}
                rows.append(times | about | {"probability": d.probability})
                count += 1
                if len(rows) == _PARQUET_ROWS:
                    flush()
        flush()
    return count


def require_pyarrow() -> tuple[Any, Any]:
    """Import pyarrow, which is an optional dependency.

    Raises:
        ChoiceError: it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise ChoiceError(
            "format parquet needs pyarrow: pip install 'birdclef[parquet]', or choose format csv"
        ) from None
    return pyarrow, pyarrow.parquet


def write_raven(report: Report, out: Path) -> int:
    """Raven's selection table; times run on through the files, as Raven opens them in sequence."""
    header = "Selection|View|Channel|Begin Time (s)|End Time (s)|Low Freq (Hz)|High Freq (Hz)"
    header += "|Common Name|Species Code|Confidence|Begin Path|File Offset (s)"
    band = [_number(hz) for hz in report.band_hz]
    offset_s, number = 0.0, 0
    with _text(out) as file:
        file.write(header.replace("|", "\t") + "\n")
        for scores in report.recordings:
            for d in report.detect(scores):
                number += 1
                about = report.species[d.species]
                end_s = min(d.end_s, scores.duration_s)
                times = [_number(offset_s + d.start_s), _number(offset_s + end_s)]
                names = [about["common_name"], about["species"], f"{d.probability:.4f}"]
                where = [str(scores.path), _number(d.start_s)]
                cells = [str(number), "Spectrogram 1", "1", *times, *band, *names, *where]
                file.write("\t".join(map(_plain, cells)) + "\n")
            offset_s += scores.duration_s
    return number


def write_audacity(report: Report, out: Path) -> int:
    """A folder of label tracks, one a recording: start, end, and name with probability."""
    count = 0
    for scores in report.recordings:
        with _text(out / f"{_plain(scores.path.name)}.txt") as file:
            for d in report.detect(scores):
                count += 1
                label = f"{report.species[d.species]['common_name']} {d.probability:.2f}"
                end_s = min(d.end_s, scores.duration_s)
                file.write(f"{_number(d.start_s)}\t{_number(end_s)}\t{_plain(label)}\n")
    return count
