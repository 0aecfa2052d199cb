"""What has been heard so far, on disk beside the output, so that a killed run can go on."""

import contextlib
import hashlib
import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from birdclef.common.files import replacing
from birdclef.predict.detector import Detector, Heard


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Spool:
    """One small file a recording, named by all that its probabilities follow from.

    So another model, engine or overlap, or a recording that has changed, finds nothing.
    """

    def __init__(self, out: Path, model: Path, engine: str, overlap_s: float) -> None:
        """Make the folder `.<name of out>.partial` beside `out`."""
        self.folder = out.with_name(f".{out.name}.partial")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._run = f"{_digest(model)} {engine} {overlap_s!r}"

    def _file(self, recording: Path) -> Path:
        about = recording.stat()
        key = f"{self._run} {recording.absolute()} {about.st_size} {about.st_mtime_ns}"
        name = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
        return self.folder / f"{name}.npz"

    def save(self, heard: Heard) -> None:
        """Keep a recording's probabilities; the file appears whole or not."""
        with replacing(self._file(heard.path)) as temporary, temporary.open("wb") as file:
            np.savez(file, duration_s=heard.duration_s, probabilities=heard.probabilities)

    def load(self, recording: Path) -> Heard | None:
        """What was kept of a recording, if it was."""
        try:
            with np.load(self._file(recording)) as kept:
                return Heard(recording, float(kept["duration_s"]), kept["probabilities"])
        except (FileNotFoundError, zipfile.BadZipFile, ValueError, KeyError):
            return None  # a damaged file is heard again

    def discard(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.folder)


def hear_all(
    detector: Detector,
    recordings: Sequence[Path],
    overlap_s: float,
    spool: Spool,
    advance: Callable[[float], object],
) -> list[Heard]:
    """Hear the recordings that the spool lacks.

    Args:
        detector, recordings, overlap_s, advance: as of Detector.hear.
        spool: where the results go.

    Returns:
        The recordings that could not be read, with their problem.
    """
    missing = [path for path in recordings if spool.load(path) is None]
    bad = []
    for heard in detector.hear(missing, overlap_s, advance):
        if heard.problem:
            bad.append(heard)
        else:
            with contextlib.suppress(FileNotFoundError):  # it is gone; who asks for it will see
                spool.save(heard)
    return bad
