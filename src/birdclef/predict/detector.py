"""Run the exported model on recordings of any length; needs ONNX Runtime, not PyTorch."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from birdclef.audio.decode import AudioError, stream
from birdclef.common.arrays import Waveform
from birdclef.predict.engines import BATCHES, EngineError, load_engine
from birdclef.predict.model_file import ModelFileError, cannot_be_loaded, read_metadata

Probabilities = npt.NDArray[np.float32]
T = TypeVar("T")
U = TypeVar("U")


class Window(NamedTuple):
    """The model's prediction for one interval of a recording."""

    start_s: float
    end_s: float
    probabilities: Probabilities  # (species,)


class RecordingScores(NamedTuple):
    """The probabilities of all windows of a recording, or why it could not be read."""

    path: Path
    duration_s: float  # decoded length; the last window may end after it
    probabilities: Probabilities  # (window, species); no windows if there is a problem
    problem: str = ""  # why the recording could not be read
    note: str = ""  # how much of it could be read, if not all


class _Part(NamedTuple):
    """A batch of clips of a recording; the last part has no clips but carries the outcome."""

    path: Path
    clips: Waveform  # (B, clip_samples)
    samples: int  # last part: number of samples in the recording; before: 0
    problem: str | None = None  # last part: why reading failed, or ""; before: None
    note: str = ""  # last part: how much could be read, if not all


def cores() -> int:
    """Number of processor cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


class Detector:
    """An exported model, which predicts the probabilities of its species in recordings.

    Attributes:
        species: code, scientific_name and common_name of each output, in order.
        sample_rate_hz: sample rate of the model's input; files of any rate are resampled.
        clip_s: length of a window in seconds.
        probabilities: function, (B, clip_samples) waveforms -> (B, species); threads may share it.
        batch: number of clips per call of `probabilities` at which the engine is fastest.
        metadata: all metadata of the file.
    """

    def __init__(self, model: str | Path, threads: int = 0, engine: str = "onnxruntime") -> None:
        """Load a model.

        Args:
            model: the ONNX file.
            threads: number of batches that run at once; 0 = one per core.
            engine: the engine that runs the model, one of engines.ENGINES.

        Raises:
            ModelFileError: the file is missing, damaged, or contradicts itself.
            EngineError: the engine is unknown, not installed, or cannot run the file.
        """
        self.metadata = read_metadata(model)
        self.species: list[dict[str, str]] = self.metadata["species"]
        self.sample_rate_hz: int = self.metadata["sample_rate_hz"]
        self.clip_s: float = self.metadata["clip_s"]
        self._threads = threads or cores()
        try:
            self.probabilities = load_engine(Path(model), engine, self._threads)
            self.batch = BATCHES[engine]
            found = self.probabilities(np.zeros((self.batch, self.clip_samples), np.float32))
        except EngineError:
            raise
        except Exception as error:  # engines have an exception class per fault
            raise cannot_be_loaded(model, error) from None
        if found.shape != (self.batch, len(self.species)) or not np.isfinite(found).all():
            raise ModelFileError(
                f"{model} contradicts itself: {self.batch} silent clips give outputs of shape"
                f" {found.shape}, of which {np.isfinite(found).sum()} are finite, instead of"
                f" {self.batch} x {len(self.species)} probabilities; export it again"
            )

    @property
    def clip_samples(self) -> int:
        """Number of samples in one model input."""
        return round(self.clip_s * self.sample_rate_hz)

    def step_s(self, overlap_s: float) -> float:
        """Seconds between the starts of windows that overlap by `overlap_s`, to a whole sample.

        Raises:
            ValueError: `overlap_s` is negative, or not shorter than a window.
        """
        if not 0 <= overlap_s < self.clip_s:
            raise ValueError(
                f"an overlap of {overlap_s:g} s is impossible: choose at least 0 s and less than"
                f" {self.clip_s:g} s, the length of a window"
            )
        return max(1, round((self.clip_s - overlap_s) * self.sample_rate_hz)) / self.sample_rate_hz

    def run(self, batches: Iterable[Waveform]) -> Iterator[Probabilities]:
        """Predict batches in order: (B, clip_samples) waveforms of any level -> (B, species)."""
        yield from _ahead(self.probabilities, batches, self._threads)

    def windows(self, path: str | Path, overlap_s: float = 0.0) -> Iterator[Window]:
        """Yield the windows of a recording, which is read as a stream in constant memory.

        The last window is padded with zeros, so its end may lie after the end of the recording.

        Raises:
            AudioError: the file cannot be decoded.
            ValueError: `overlap_s` is negative, or not shorter than a window.
        """
        step_s = self.step_s(overlap_s)
        blocks = stream(Path(path), self.sample_rate_hz)
        step = round(step_s * self.sample_rate_hz)
        batches = _batches(blocks, self.clip_samples, step, self.batch)
        rows = (row for batch in self.run(batches) for row in batch)
        for number, probabilities in enumerate(rows):
            yield Window(number * step_s, number * step_s + self.clip_s, probabilities)

    def predict(
        self,
        paths: Iterable[Path],
        overlap_s: float = 0.0,
        advance: Callable[[float], object] = lambda _: None,
    ) -> Iterator[RecordingScores]:
        """Predict recordings in order, and decode the next one while the model runs.

        Memory grows only with the probabilities of the longest recording: 14 MB per day of sound
        for 200 species. A file that cannot be decoded raises no error; its result has a `problem`.

        Args:
            paths: the recordings.
            overlap_s: overlap of consecutive windows in seconds.
            advance: called with the number of seconds of sound processed since the last call.
        """
        step = round(self.step_s(overlap_s) * self.sample_rate_hz)
        parts = (part for path in paths for part in self._parts(path, step))
        collected: list[Probabilities] = []  # of the recording that is being processed
        # In samples. A batch is reported with the next one, because the last batch is padded.
        reported = pending = 0
        for part, probabilities in _ahead(self._predict_part, parts, self._threads):
            collected.append(probabilities)
            if part.problem is None:
                advance(pending / self.sample_rate_hz)
                reported, pending = reported + pending, len(part.clips) * step
            else:
                advance((part.samples - reported) / self.sample_rate_hz)
                reported = pending = 0
                joined = probabilities if part.problem else np.concatenate(collected)
                duration_s = part.samples / self.sample_rate_hz
                yield _checked(
                    RecordingScores(part.path, duration_s, joined, part.problem, part.note)
                )
                collected = []

    def _parts(self, path: Path, step: int) -> Iterator[_Part]:
        no_clips, samples = np.zeros((0, self.clip_samples), np.float32), 0
        notes: list[str] = []

        def counted() -> Iterator[Waveform]:
            nonlocal samples
            for block in stream(path, self.sample_rate_hz, notes.append):
                samples += len(block)
                yield block

        try:
            for batch in _batches(counted(), self.clip_samples, step, self.batch):
                yield _Part(path, batch, 0)
            problem = "" if samples else "0 samples decoded"
        except AudioError as error:
            problem = str(error)
        yield _Part(path, no_clips, samples, problem, "; ".join(notes))

    def _predict_part(self, part: _Part) -> tuple[_Part, Probabilities]:
        if len(part.clips):
            return part, self.probabilities(part.clips)
        return part, np.zeros((0, len(self.species)), np.float32)


def _checked(scores: RecordingScores) -> RecordingScores:
    """Scores that are numbers; NaN reaches no threshold, so it is the recording's problem."""
    bad = int((~np.isfinite(scores.probabilities)).any(axis=1).sum())
    if not bad:
        return scores
    problem = f"the model gives no probabilities for {bad} of {len(scores.probabilities)} windows"
    return scores._replace(probabilities=scores.probabilities[:0], problem=problem)


def _ahead(function: Callable[[T], U], items: Iterable[T], threads: int) -> Iterator[U]:
    """Map a function over items on threads; results are in order, and few items are read ahead."""
    pending: deque[Future[U]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > 2 * threads:  # enough that no thread waits for the reader
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _batches(blocks: Iterable[Waveform], length: int, step: int, size: int) -> Iterator[Waveform]:
    """Cut a stream of blocks into clips every `step` samples: batches of at most (size, length).

    The last clip is the first that reaches the end of the sound; it is padded with zeros. Blocks
    are joined once per batch, and clips that do not overlap are views of the joined block.
    """
    full = (size - 1) * step + length  # samples of a full batch
    # `used` is the number of leading samples of `pending` that an earlier clip already contains.
    pending, used = [np.zeros(0, np.float32)], 0
    for block in blocks:
        pending.append(block)
        if sum(map(len, pending)) < full:
            continue
        rest = np.concatenate(pending)
        while len(rest) >= full:
            yield _cut(rest[:full], length, step)
            rest, used = rest[size * step :], length - step
        pending = [rest]
    rest = np.concatenate(pending)
    if len(rest) > used:
        steps = max(0, -(-(len(rest) - length) // step))
        yield _cut(np.pad(rest, (0, steps * step + length - len(rest))), length, step)


def _cut(samples: Waveform, length: int, step: int) -> Waveform:
    return np.ascontiguousarray(sliding_window_view(samples, length)[::step])
