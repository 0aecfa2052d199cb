"""Small audio files for tests."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

RATE_HZ = 32_000


def ramp(seconds: float, rate_hz: int = RATE_HZ) -> npt.NDArray[np.float32]:
    """A slowly rising level: each sample tells where it is in the file."""
    return np.linspace(0.1, 0.9, round(seconds * rate_hz), dtype=np.float32)


def tone(
    seconds: float, frequency_hz: float = 1000.0, rate_hz: int = RATE_HZ
) -> npt.NDArray[np.float32]:
    """A sine at half of full scale."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return (0.5 * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


def write(path: Path, samples: npt.NDArray[np.float32], rate_hz: int = RATE_HZ) -> Path:
    """Write a file in the format of its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with soundfile.SoundFile(path, "w", rate_hz, channels=samples.ndim) as file:
        for start in range(0, len(samples), rate_hz):
            file.write(samples[start : start + rate_hz])
    return path
