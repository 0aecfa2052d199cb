"""From paths to a file of detections: what `birdclef predict` does."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from birdclef.common.allocator import keep_freed_memory
from birdclef.predict.detections import Scoring, detections, minimum_of, score
from birdclef.predict.detector import Detector, Heard
from birdclef.predict.formats import EVERY_WINDOW, WRITERS, Report, check, format_of
from birdclef.predict.partial_results import Spool, hear_all
from birdclef.predict.selection import ChoiceError, choose_species, declared_s, find_recordings
from birdclef.progress import progress

MIN_CONFIDENCE = 0.1


class Choices(NamedTuple):
    """What is written of all that is heard; the names are those of the command's options."""

    form: str | None = None
    min_confidence: float | None = None
    own_thresholds: bool = False
    top_k: int = 0
    species_list: Path | None = None
    overlap_s: float = 0.0
    sample_submission: Path | None = None


class Done(NamedTuple):
    """What there is to say at the end."""

    lines: list[str]
    bad: int  # recordings that could not be read


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
    useless = [name for name, is_given in given.items() if is_given]
    if form in EVERY_WINDOW and useless:
        raise ChoiceError(
            f"format {form} has every window and species, which {' and '.join(useless)} would"
            " change: leave the option out, or take another format"
        )
    if choices.sample_submission and form != "submission":
        raise ChoiceError(f"--sample-submission is for format submission, not for {form}")


def _species(choices: Choices, detector: Detector) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Positions of the species of interest, and lines on those that the model does not know."""
    if choices.species_list is None:
        return np.arange(len(detector.species)), []
    try:
        lines = choices.species_list.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ChoiceError(f"{choices.species_list} is no text in UTF-8: {error}") from None
    chosen, unknown = choose_species(lines, detector.species)
    if not unknown:
        return chosen, []
    more = ", ..." if len(unknown) > 10 else ""
    shown = ", ".join(unknown[:10])
    return chosen, [f"the model does not know {len(unknown)} names of the list: {shown}{more}"]


def _hear(
    detector: Detector, recordings: list[Path], overlap_s: float, spool: Spool
) -> list[Heard]:
    total_s = sum(map(declared_s, recordings))
    with progress("seconds of sound", max(1, round(total_s))) as advance:
        return hear_all(detector, recordings, overlap_s, spool, lambda s: advance(amount=s))


def detect(
    paths: Sequence[Path],
    model: Path,
    out: Path,
    choices: Choices,
    scoring: Scoring,
    threads: int = 0,
    engine: str = "onnxruntime",
) -> Done:
    """Hear recordings and write what was detected, whole or not at all.

    Until `out` is written, what was heard so far lies beside it (birdclef.predict.partial_results).

    Args:
        paths: recordings, and folders that are searched for them.
        model: the exported file.
        out: the file to write, for format audacity a folder.
        choices: what is written.
        scoring: how probabilities are made.
        threads, engine: as of Detector.

    Raises:
        ChoiceError, EngineError, ModelFileError, FileNotFoundError: before anything is heard.
    """
    keep_freed_memory()
    form = format_of(out, choices.form)
    _check_choices(choices, form)
    recordings = find_recordings(paths)
    if not recordings:
        raise ChoiceError(
            f"no recording in {', '.join(map(str, paths))}: none has a suffix of sound"
        )
    detector = Detector(model, threads, engine)
    chosen, lines = _species(choices, detector)
    least = MIN_CONFIDENCE if choices.min_confidence is None else choices.min_confidence
    minimum, without = minimum_of(detector, least, choices.own_thresholds, scoring.calibrated)
    if without:
        lines += [f"no threshold of their own, {least:g} is used: {', '.join(without)}"]
    try:
        window_s = detector.step_s(choices.overlap_s), detector.clip_s
    except ValueError as error:
        raise ChoiceError(f"--overlap: {error}") from None
    mel = detector.about.get("mel", {})
    nothing = np.zeros((0, len(detector.species)), np.float32)
    score(Heard(Path(), 0.0, nothing), detector, scoring)  # refuses before hours of work

    def heard() -> Iterator[Heard]:
        for path in recordings:
            found = None if path in bad else spool.load(path)
            if found is not None:
                yield score(found, detector, scoring)
            else:
                bad.setdefault(path, "changed or vanished while it was heard")

    report = Report(
        recordings=heard(),
        detect=lambda h: detections(h, window_s, minimum, chosen, choices.top_k),
        species=detector.species,
        chosen=chosen.tolist(),
        window_s=window_s,
        band_hz=(mel.get("f_min", 0.0), mel.get("f_max", detector.sample_rate_hz / 2)),
        sample=choices.sample_submission,
    )
    check(report, form, recordings)
    spool = Spool(out, model, engine, choices.overlap_s)
    bad = {h.path: h.problem for h in _hear(detector, recordings, choices.overlap_s, spool)}
    count = WRITERS[form](report, out)
    spool.discard()
    lines += [f"skipped {path}: {problem}" for path, problem in bad.items()]
    lines.append(f"{count} rows from {len(recordings) - len(bad)} recordings: {out}")
    return Done(lines, len(bad))
