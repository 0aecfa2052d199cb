"""Run the exported model over recordings of any length: needs ONNX Runtime, not PyTorch."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import onnxruntime

from birdclef.audio import Waveform, stream

_METADATA = "birdclef"
_BATCH = 8


class ModelFileError(ValueError):
    """A file that is no exported model of this pipeline."""


class Window(NamedTuple):
    """What the model says of one interval of a recording."""

    start_s: float
    end_s: float
    probabilities: npt.NDArray[np.float32]  # (species,)


class Detector:
    """An exported model: names what it can hear, and hears it in files.

    Attributes:
        species: code, scientific_name and common_name of each output, in order.
        sample_rate_hz: rate of the model's input; files of any rate are resampled.
        clip_s: length of a window.
    """

    def __init__(self, model: str | Path, threads: int = 0) -> None:
        """Load a model.

        Args:
            model: the ONNX file.
            threads: processor threads to use; 0 leaves it to ONNX Runtime, all cores.

        Raises:
            ModelFileError: it is missing, cannot be read, or lacks this pipeline's metadata.
        """
        if not Path(model).is_file():
            raise ModelFileError(f"{model} not found: run `dvc repro`, or `dvc pull` to fetch it")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            self._session = onnxruntime.InferenceSession(
                str(model), options, providers=["CPUExecutionProvider"]
            )
            about = json.loads(self._session.get_modelmeta().custom_metadata_map[_METADATA])
        except KeyError:
            raise ModelFileError(f"{model} was not exported by this pipeline") from None
        except Exception as error:
            raise ModelFileError(f"{model} cannot be loaded: {error}") from None
        self.species: list[dict[str, str]] = about["species"]
        self.sample_rate_hz: int = about["sample_rate_hz"]
        self.clip_s: float = about["clip_s"]

    @property
    def clip_samples(self) -> int:
        """Samples of one model input."""
        return round(self.clip_s * self.sample_rate_hz)

    def probabilities(self, waveforms: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """(B, clip_samples) waveforms of any level -> (B, species) probabilities."""
        (found,) = self._session.run(["probabilities"], {"waveform": waveforms})
        return np.asarray(found)

    def windows(self, path: str | Path) -> Iterator[Window]:
        """Consecutive windows of a recording, read as a stream in flat memory.

        The last window is padded with zeros; its end is still a whole clip after its start.

        Raises:
            AudioError: the file cannot be decoded.
        """
        number = 0
        for batch in _batches(_clips(stream(Path(path), self.sample_rate_hz), self.clip_samples)):
            for probabilities in self.probabilities(np.stack(batch)):
                start_s = number * self.clip_s
                yield Window(start_s, start_s + self.clip_s, probabilities)
                number += 1


def _clips(blocks: Iterable[Waveform], length: int) -> Iterator[Waveform]:
    """Cut a stream of blocks into clips, the last one padded."""
    rest = np.zeros(0, np.float32)
    for block in blocks:
        rest = np.concatenate([rest, block])
        whole = len(rest) // length * length
        yield from rest[:whole].reshape(-1, length)
        rest = rest[whole:]
    if len(rest):
        yield np.pad(rest, (0, length - len(rest)))


def _batches(clips: Iterable[Waveform]) -> Iterator[list[Waveform]]:
    batch: list[Waveform] = []
    for clip in clips:
        batch.append(clip)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
