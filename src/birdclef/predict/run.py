"""What `birdclef predict` does: predict recordings, and write their detections to a file."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from birdclef.audio.decode import declared_s
from birdclef.common.allocator import keep_freed_memory
from birdclef.predict.detections import (
    Scoring,
    detections,
    minimum_of,
    require_calibration,
    score,
)
from birdclef.predict.detector import Detector, RecordingScores
from birdclef.predict.formats import FORMATS, check, format_of
from birdclef.predict.outputs import protect, target_of
from birdclef.predict.partial_results import PartialResults, predict_missing
from birdclef.predict.selection import (
    ChoiceError,
    choose_species,
    find_recordings,
    read_species_list,
)
from birdclef.predict.writers import Report
from birdclef.progress import console, progress

MIN_CONFIDENCE = 0.1


class Choices(NamedTuple):
    """What to write; the fields are named after the command's options."""

    form: str | None = None
    min_confidence: float | None = None
    own_thresholds: bool = False
    top_k: int = 0
    species_list: Path | None = None
    overlap_s: float = 0.0
    sample_submission: Path | None = None


class Done(NamedTuple):
    """What the command prints at the end."""

    lines: list[str]
    unreadable: int  # number of recordings and folders that could not be read


def detect(
    paths: Sequence[Path],
    model: Path,
    out: Path,
    choices: Choices,
    scoring: Scoring,
    threads: int = 0,
    engine: str = "onnxruntime",
) -> Done:
    """Predict recordings and write their detections, whole or not at all.

    Until `out` is written, finished scores are kept beside it (predict/partial_results.py).

    Args:
        paths: recordings, and folders to search for recordings.
        model: the exported file.
        out: the file to write; a folder for format audacity.
        choices: what to write.
        scoring: how probabilities are computed.
        threads, engine: as in Detector.

    Raises:
        ChoiceError, EngineError, ModelFileError, FileNotFoundError: before any recording is read.
    """
    keep_freed_memory()
    form = format_of(out, choices.form)
    _check_choices(choices, scoring, form)
    target = target_of(out, FORMATS[form].is_folder)
    recordings, problems = find_recordings(paths)
    _protect(target, form, recordings, model, choices)
    detector = Detector(model, threads, engine)
    report, lines = _plan(detector, choices, scoring)
    check(report, form, recordings)
    results = PartialResults(target, model, engine, choices.overlap_s)
    problems |= _predict(detector, recordings, choices.overlap_s, results)
    notes: dict[Path, str] = {}
    scored = _scored(detector, recordings, results, problems, notes, choices.overlap_s)
    report = report._replace(recordings=(score(one, detector, scoring) for one in scored))
    count = FORMATS[form].write(report, target)
    results.discard()
    lines += [f"read in part {path}: {note}" for path, note in notes.items()]
    lines += [f"skipped {path}: {problem}" for path, problem in sorted(problems.items())]
    read = sum(path not in problems for path in recordings)
    lines.append(f"{count} rows from {read} recordings: {out}")
    return Done(lines, len(problems))


def _protect(
    target: Path, form: str, recordings: list[Path], model: Path, choices: Choices
) -> None:
    """Refuse to write over anything that is read."""
    lists = {"species list": choices.species_list, "sample submission": choices.sample_submission}
    inputs = {name: [path] for name, path in lists.items() if path is not None}
    protect(
        FORMATS[form].files(target, recordings),
        {"recording": recordings, "model": [model], **inputs},
    )


def _check_choices(choices: Choices, scoring: Scoring, form: str) -> None:
    if not math.isfinite(scoring.recording_max):  # every probability would become NaN
        raise ChoiceError(
            f"--recording-max must be a finite number, and is {scoring.recording_max}; the original"
            " used 0.8"
        )
    given = {
        "--min-confidence": choices.min_confidence is not None,
        "--own-thresholds": choices.own_thresholds,
        "--top-k": choices.top_k > 0,
    }
    if form == "submission":
        given |= {
            "--species-list": choices.species_list is not None,
            "--overlap": choices.overlap_s > 0,
        }
    conflicting = [name for name, is_given in given.items() if is_given]
    if FORMATS[form].every_window and conflicting:
        raise ChoiceError(
            f"format {form} is a complete table, so {' and '.join(conflicting)} cannot be used"
            " with it: leave the option out, or choose another format"
        )
    if choices.sample_submission and form != "submission":
        raise ChoiceError(f"--sample-submission is for format submission, not for {form}")


def _plan(detector: Detector, choices: Choices, scoring: Scoring) -> tuple[Report, list[str]]:
    """A report without recordings, and notes on the options for the command to print."""
    if scoring.calibrated:
        require_calibration(detector)
    chosen, lines = _species(choices.species_list, detector)
    default = MIN_CONFIDENCE if choices.min_confidence is None else choices.min_confidence
    minimum, codes = minimum_of(detector, default, choices.own_thresholds, scoring.calibrated)
    if codes:
        names = ", ".join(codes)
        lines += [f"{default:g} is used for species without a threshold of their own: {names}"]
    try:
        window_s = detector.step_s(choices.overlap_s), detector.clip_s
    except ValueError as error:
        raise ChoiceError(f"--overlap: {error}") from None
    mel = detector.metadata.get("mel", {})
    report = Report(
        recordings=(),
        detect=lambda scores: detections(scores, window_s, minimum, chosen, choices.top_k),
        species=detector.species,
        chosen=chosen.tolist(),
        window_s=window_s,
        band_hz=(mel.get("f_min", 0.0), mel.get("f_max", detector.sample_rate_hz / 2)),
        sample=choices.sample_submission,
    )
    return report, lines


def _species(
    species_list: Path | None, detector: Detector
) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Indices of the species to report, and a note on names that the model does not know."""
    if species_list is None:
        return np.arange(len(detector.species)), []
    chosen, unknown = choose_species(read_species_list(species_list), detector.species)
    if not unknown:
        return chosen, []
    more = ", ..." if len(unknown) > 10 else ""
    shown = ", ".join(unknown[:10])
    return chosen, [f"the model does not know {len(unknown)} names in the list: {shown}{more}"]


def _predict(
    detector: Detector, recordings: list[Path], overlap_s: float, results: PartialResults
) -> dict[Path, str]:
    """Complete the partial results; returns the unreadable recordings with their problems."""
    missing = [path for path in recordings if results.load(path) is None]
    done = len(recordings) - len(missing)
    if done:
        console.print(f"{done} of {len(recordings)} recordings already done", highlight=False)
    total_s = sum(map(declared_s, missing))
    with progress("seconds of sound", max(1, round(total_s))) as advance:
        return predict_missing(detector, missing, overlap_s, results, lambda s: advance(amount=s))


def _scored(
    detector: Detector,
    recordings: Sequence[Path],
    results: PartialResults,
    problems: dict[Path, str],
    notes: dict[Path, str],
    overlap_s: float,
) -> Iterator[RecordingScores]:
    """Yield the scores of readable recordings, in order; add to `problems` and `notes`.

    A recording whose partial result is gone by now is predicted again: it has changed, or another
    run with the same output was faster.
    """
    for path in recordings:
        if path in problems:
            continue
        scores = results.load(path) or next(detector.predict([path], overlap_s))
        if scores.note:
            notes[path] = scores.note
        if scores.problem:
            problems[path] = scores.problem
        else:
            yield scores
