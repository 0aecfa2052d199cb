"""Scores of finished recordings, stored beside the output so that a stopped run can continue."""

import contextlib
import hashlib
import io
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from birdclef.common.digests import digest
from birdclef.common.files import write_bytes
from birdclef.predict.detector import Detector, RecordingScores
from birdclef.predict.outputs import PARTIAL

_DIGEST_BYTES = hashlib.sha256().digest_size
_SPACE_BYTES = 2**16  # more than the scores of a minute, for hundreds of species


class PartialResults:
    """A folder with one small file of scores per recording.

    Results are keyed by model, engine, overlap and recording; if any of them changes, the
    recording is processed again.
    """

    def __init__(self, out: Path, model: Path, engine: str, overlap_s: float) -> None:
        """Create the folder beside `out`, and check that there is space in it.

        Raises:
            OSError: the folder cannot be created or written.
        """
        self.folder = out.with_name(PARTIAL.format(out.name))
        self.folder.mkdir(parents=True, exist_ok=True)
        write_bytes(bytes(_SPACE_BYTES), self.folder / "space")
        (self.folder / "space").unlink()
        self._run = digest(model, engine, overlap_s)

    def _file(self, recording: Path) -> Path:
        status = recording.stat()
        version = (status.st_size, status.st_mtime_ns)
        return self.folder / f"{digest(self._run, str(recording.absolute()), *version)}.scores"

    def save(self, scores: RecordingScores) -> None:
        """Store the scores of a recording after their digest; whole or not at all."""
        content = io.BytesIO()
        np.savez(
            content,
            duration_s=scores.duration_s,
            probabilities=scores.probabilities,
            note=scores.note,
        )
        data = content.getvalue()
        write_bytes(hashlib.sha256(data).digest() + data, self._file(scores.path))

    def load(self, recording: Path) -> RecordingScores | None:
        """The stored scores of a recording; None if they are missing or damaged."""
        try:
            content = self._file(recording).read_bytes()
        except OSError:
            return None
        stored, data = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if hashlib.sha256(data).digest() != stored:
            return None
        with np.load(io.BytesIO(data)) as saved:
            return RecordingScores(
                recording,
                float(saved["duration_s"]),
                saved["probabilities"],
                note=str(saved["note"]),
            )

    def discard(self) -> None:
        """Delete the folder with all results; another run with this output may have done so."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.folder)


def predict_missing(
    detector: Detector,
    missing: Sequence[Path],
    overlap_s: float,
    results: PartialResults,
    advance: Callable[[float], object],
) -> dict[Path, str]:
    """Predict the recordings that have no partial result, and store their scores.

    Args:
        detector, overlap_s, advance: as in Detector.predict.
        missing: the recordings.
        results: where the scores are stored.

    Returns:
        The recordings that could not be read, each with its problem.
    """
    unreadable = {}
    for scores in detector.predict(missing, overlap_s, advance):
        if scores.problem:
            unreadable[scores.path] = scores.problem
        else:
            # If the recording has vanished, load() returns None for it later.
            with contextlib.suppress(FileNotFoundError):
                results.save(scores)
    return unreadable
