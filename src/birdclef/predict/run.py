"""What `birdclef predict` does: predict recordings, and write their detections to a file."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

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
from birdclef.predict.partial_results import PartialResults, predict_missing
from birdclef.predict.selection import (
    ChoiceError,
    choose_species,
    declared_s,
    find_recordings,
    read_species_list,
)
from birdclef.predict.writers import Report
from birdclef.progress import progress

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
    unreadable: int  # number of recordings that could not be read


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
    _check_choices(choices, form)
    recordings = find_recordings(paths)
    detector = Detector(model, threads, engine)
    report, lines = _plan(detector, choices, scoring)
    check(report, form, recordings)
    results = PartialResults(out, model, engine, choices.overlap_s)
    problems = _predict(detector, recordings, choices.overlap_s, results)
    scored = _scored(detector, recordings, results, problems, scoring)
    count = FORMATS[form].write(report._replace(recordings=scored), out)
    results.discard()
    lines += [f"skipped {path}: {problem}" for path, problem in problems.items()]
    lines.append(f"{count} rows from {len(recordings) - len(problems)} recordings: {out}")
    return Done(lines, len(problems))


def _check_choices(choices: Choices, form: str) -> None:
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
    total_s = sum(map(declared_s, recordings))
    with progress("seconds of sound", max(1, round(total_s))) as advance:
        unreadable = predict_missing(
            detector, recordings, overlap_s, results, lambda s: advance(amount=s)
        )
    return {scores.path: scores.problem for scores in unreadable}


def _scored(
    detector: Detector,
    recordings: Sequence[Path],
    results: PartialResults,
    problems: dict[Path, str],
    scoring: Scoring,
) -> Iterator[RecordingScores]:
    """Yield the scores of readable recordings, in order; add vanished ones to `problems`."""
    for path in recordings:
        scores = None if path in problems else results.load(path)
        if scores is not None:
            yield score(scores, detector, scoring)
        else:
            problems.setdefault(path, "changed or vanished during processing")
