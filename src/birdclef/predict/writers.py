"""Write detections to files: one function per format of predict/formats.py.

File names and the names in a model are untrusted text. CSV tables quote it and guard what looks
like a formula; common/tables.read_table gives it back. Formats that cannot quote escape its control
characters.
"""

import csv
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from birdclef.common.files import replacing
from birdclef.common.text import Rows, guard, printable
from birdclef.predict.selection import ChoiceError

if TYPE_CHECKING:  # so that `birdclef --help` loads no engine
    from birdclef.predict.detections import Detection
    from birdclef.predict.detector import RecordingScores

_PARQUET_ROWS = 2**16  # rows per write


class Report(NamedTuple):
    """The input of every writer; recordings arrive one at a time."""

    recordings: "Iterable[RecordingScores]"
    detect: "Callable[[RecordingScores], Iterable[Detection]]"
    species: Sequence[dict[str, str]]  # all outputs of the model, in order
    chosen: Sequence[int]  # indices of the species to report
    window_s: tuple[float, float]  # between the starts of windows, and length of a window
    band_hz: tuple[float, float]  # frequency range of the model's mel spectrogram
    sample: Path | None = None  # sample_submission.csv


def _number(value: float) -> str:
    """Seconds or hertz, rounded to thousandths, without trailing zeros."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


@contextmanager
def _text(path: Path) -> Generator[TextIO, None, None]:
    """Open a text file that appears whole or not at all; names that are not UTF-8 are escaped."""
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        yield file


def _write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> int:
    """Write a CSV table; returns the number of rows."""
    count = 0
    with _text(path) as file:
        writer = csv.writer(Rows(file))
        writer.writerow(map(guard, header))
        for count, row in enumerate(rows, start=1):  # noqa: B007
            writer.writerow(map(guard, row))
    return count


def write_long(report: Report, out: Path) -> int:
    """Write one row per detection."""
    names = [(s["species"], s["common_name"]) for s in report.species]
    header = ["file", "start_s", "end_s", "species", "common_name", "probability"]
    rows = (
        (str(scores.path), _number(d.start_s), _number(d.end_s), *names[d.species], p)
        for scores in report.recordings
        for d in report.detect(scores)
        for p in [f"{d.probability:.5g}"]
    )
    return _write_rows(out, header, rows)


def write_wide(report: Report, out: Path) -> int:
    """Write one row per window, with one column per species."""
    step_s, length_s = report.window_s
    codes = [report.species[i]["species"] for i in report.chosen]
    rows = (
        (
            str(scores.path),
            _number(number * step_s),
            _number(number * step_s + length_s),
            *(f"{row[i]:.5g}" for i in report.chosen),
        )
        for scores in report.recordings
        for number, row in enumerate(scores.probabilities)
    )
    return _write_rows(out, ["file", "start_s", "end_s", *codes], rows)


def write_submission(report: Report, out: Path) -> int:
    """Write Kaggle's table: row_id is <file stem>_<end_s>, species are in the sample's order."""
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
        ChoiceError: no sample is given, it cannot be read, or its species are not the model's.
    """
    if report.sample is None:
        raise ChoiceError("format submission needs --sample-submission FILE, for its columns")
    try:
        with report.sample.open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ChoiceError(f"{report.sample} cannot be read as a CSV table: {error}") from None
    own = {s["species"] for s in report.species}
    if header[:1] != ["row_id"] or len(set(header)) < len(header):
        raise ChoiceError(f"{report.sample}: the columns must be row_id and species, each once")
    if own != set(header[1:]):
        differing = sorted(own ^ set(header[1:]))
        raise ChoiceError(
            f"{report.sample} and the model differ in {len(differing)} species:"
            f" {', '.join(differing[:10])}; use the sample submission of the competition that the"
            " model was trained for"
        )
    return header[1:]


def write_parquet(report: Report, out: Path) -> int:
    """Write one row per detection, with typed columns."""
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
                species = {name: report.species[d.species][name] for name in names}
                times = {"file": file, "start_s": d.start_s, "end_s": d.end_s}
                rows.append(times | species | {"probability": d.probability})
                count += 1
                if len(rows) == _PARQUET_ROWS:
                    flush()
        flush()
    return count


def require_pyarrow() -> tuple[Any, Any]:
    """Import pyarrow, an optional dependency.

    Raises:
        ChoiceError: pyarrow is not installed.
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
    """Write a selection table; times run on across files, as Raven opens them in sequence."""
    header = "Selection|View|Channel|Begin Time (s)|End Time (s)|Low Freq (Hz)|High Freq (Hz)"
    header += "|Common Name|Species Code|Confidence|Begin Path|File Offset (s)"
    band = [_number(hz) for hz in report.band_hz]
    offset_s, number = 0.0, 0
    with _text(out) as file:
        file.write(header.replace("|", "\t") + "\n")
        for scores in report.recordings:
            for d in report.detect(scores):
                number += 1
                species = report.species[d.species]
                end_s = min(d.end_s, scores.duration_s)
                times = [_number(offset_s + d.start_s), _number(offset_s + end_s)]
                names = [species["common_name"], species["species"], f"{d.probability:.4f}"]
                origin = [str(scores.path), _number(d.start_s)]
                cells = [str(number), "Spectrogram 1", "1", *times, *band, *names, *origin]
                file.write("\t".join(map(printable, cells)) + "\n")
            offset_s += scores.duration_s
    return number


def label_track(recording: Path) -> str:
    """Name of the label track of a recording."""
    return f"{printable(recording.name)}.txt"


def write_audacity(report: Report, out: Path) -> int:
    """Write a folder with one label track per recording: start, end, name with probability."""
    count = 0
    for scores in report.recordings:
        with _text(out / label_track(scores.path)) as file:
            for d in report.detect(scores):
                count += 1
                label = f"{report.species[d.species]['common_name']} {d.probability:.2f}"
                end_s = min(d.end_s, scores.duration_s)
                file.write(f"{_number(d.start_s)}\t{_number(end_s)}\t{printable(label)}\n")
    return count
