"""Scores of finished recordings, stored beside the output so that a stopped run can continue."""

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
    """A folder with one small file of scores per recording.

    Results are keyed by model, engine, overlap and recording; if any of them changes, the
    recording is processed again.
    """

    def __init__(self, out: Path, model: Path, engine: str, overlap_s: float) -> None:
        """Create the folder `.<name of out>.partial` beside `out`."""
        self.folder = out.with_name(f".{out.name}.partial")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._run = digest(model, engine, overlap_s)

    def _file(self, recording: Path) -> Path:
        status = recording.stat()
        version = (status.st_size, status.st_mtime_ns)
        return self.folder / f"{digest(self._run, str(recording.absolute()), *version)}.npz"

    def has(self, recording: Path) -> bool:
        """Whether the complete scores of a recording are stored."""
        try:
            return zipfile.is_zipfile(self._file(recording))  # a truncated file has no end record
        except FileNotFoundError:
            return False

    def save(self, scores: RecordingScores) -> None:
        """Store the scores of a recording; the file appears whole or not at all."""
        with replacing(self._file(scores.path)) as temporary, temporary.open("wb") as file:
            np.savez(file, duration_s=scores.duration_s, probabilities=scores.probabilities)

    def load(self, recording: Path) -> RecordingScores | None:
        """The stored scores of a recording; None if they are missing or damaged."""
        try:
            with np.load(self._file(recording)) as saved:
                duration_s, probabilities = float(saved["duration_s"]), saved["probabilities"]
        except (FileNotFoundError, zipfile.BadZipFile, ValueError, KeyError):
            return None
        return RecordingScores(recording, duration_s, probabilities)

    def discard(self) -> None:
        """Delete the folder with all results."""
        shutil.rmtree(self.folder)


def predict_missing(
    detector: Detector,
    recordings: Sequence[Path],
    overlap_s: float,
    results: PartialResults,
    advance: Callable[[float], object],
) -> list[RecordingScores]:
    """Predict the recordings that have no partial result, and store their scores.

    Args:
        detector, recordings, overlap_s, advance: as in Detector.predict.
        results: where the scores are stored.

    Returns:
        The recordings that could not be read, each with its problem.
    """
    missing = [path for path in recordings if not results.has(path)]
    unreadable = []
    for scores in detector.predict(missing, overlap_s, advance):
        if scores.problem:
            unreadable.append(scores)
        else:
            # If the recording has vanished, load() returns None for it later.
            with contextlib.suppress(FileNotFoundError):
                results.save(scores)
    return unreadable
