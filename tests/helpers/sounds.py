"""Small audio files for tests."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

RATE_HZ = 32_000


def ramp(seconds: float, rate_hz: int = RATE_HZ) -> npt.NDArray[np.float32]:
    """A slowly rising level, so that each sample's value gives its position in the file."""
    return np.linspace(0.1, 0.9, round(seconds * rate_hz), dtype=np.float32)


def tone(
    seconds: float, frequency_hz: float = 1000.0, rate_hz: int = RATE_HZ
) -> npt.NDArray[np.float32]:
    """A sine at half of the full scale."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return (0.5 * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


def write(path: Path, samples: npt.NDArray[np.float32], rate_hz: int = RATE_HZ) -> Path:
    """Write a file in the format that its suffix names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with soundfile.SoundFile(path, "w", rate_hz, channels=samples.ndim) as file:
        for start in range(0, len(samples), rate_hz):
            file.write(samples[start : start + rate_hz])
    return path


def song(seconds: float, seed: int, rate_hz: int = RATE_HZ) -> npt.NDArray[np.float32]:
    """A bird that sings one phrase at random times, in noise that differs for each seed.

    The phrase is the same for every seed, like several takes of a bird that never varies its song.
    """
    rng = np.random.default_rng(seed)
    phrase = np.concatenate(
        [tone(0.1, hz, rate_hz) * np.hanning(round(0.1 * rate_hz)) for hz in (3e3, 4e3, 2500, 5e3)]
    )
    sound = 0.01 * rng.standard_normal(round(seconds * rate_hz))
    start = round(rng.uniform(0, 0.5) * rate_hz)
    while start + len(phrase) < len(sound):
        sound[start : start + len(phrase)] += phrase
        start += len(phrase) + round(rng.uniform(0.3, 1.0) * rate_hz)
    return (0.8 * sound).astype(np.float32)
