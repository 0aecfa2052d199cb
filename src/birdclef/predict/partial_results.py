"""Scores so far, on disk beside the output, so that a killed run can go on."""

import contextlib
import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from birdclef.common.digests import digest
from birdclef.common.files import replacing
from birdclef.predict.detector import Detector, RecordingScores


class PartialResults:
    """One small file per recording.

    Results are keyed by model, engine, overlap and recording; if any of them changes, the
    recording is processed again.
    """

    def __init__(self, out: Path, model: Path, engine: str, overlap_s: float) -> None:
        """Make the folder `.<name of out>.partial` beside `out`."""
        self.folder = out.with_name(f".{out.name}.partial")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._run = digest(model, engine, overlap_s)

    def _file(self, recording: Path) -> Path:
        status = recording.stat()
        version = (status.st_size, status.st_mtime_ns)
        return self.folder / f"{digest(self._run, str(recording.absolute()), *version)}.npz"

    def has(self, recording: Path) -> bool:
        """Whether the scores of a recording are there, whole."""
        try:
            return zipfile.is_zipfile(self._file(recording))  # a cut file has no end record
        except FileNotFoundError:
            return False

    def save(self, scores: RecordingScores) -> None:
        """Keep the scores of a recording; the file appears whole or not."""
        with replacing(self._file(scores.path)) as temporary, temporary.open("wb") as file:
            np.savez(file, duration_s=scores.duration_s, probabilities=scores.probabilities)

    def load(self, recording: Path) -> RecordingScores | None:
        """The scores of a recording; None where there are none, or they are damaged."""
        try:
            with np.load(self._file(recording)) as saved:
                duration_s, probabilities = float(saved["duration_s"]), saved["probabilities"]
        except (FileNotFoundError, zipfile.BadZipFile, ValueError, KeyError):
            return None
        return RecordingScores(recording, duration_s, probabilities)

    def discard(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.folder)


def predict_missing(
    detector: Detector,
    recordings: Sequence[Path],
    overlap_s: float,
    results: PartialResults,
    advance: Callable[[float], object],
) -> list[RecordingScores]:
    """Predict the recordings that have no partial result.

    Args:
        detector, recordings, overlap_s, advance: as of Detector.predict.
        results: where the scores go.

    Returns:
        The recordings that could not be read, with their problem.
    """
    missing = [path for path in recordings if not results.has(path)]
    unreadable = []
    for scores in detector.predict(missing, overlap_s, advance):
        if scores.problem:
            unreadable.append(scores)
        else:
            with contextlib.suppress(FileNotFoundError):  # the recording is gone; load() reports it
                results.save(scores)
    return unreadable
