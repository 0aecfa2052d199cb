"""Clip store: head and tail of each recording, 16-bit, one memory-mapped .npy file per species.

The store holds the first and last `clip_s + shift_s` seconds of each recording, or the whole
recording if it is no longer than both. Each recording is scaled to the full 16-bit range, so that
a very quiet one loses nothing. The index has one checksum per recording, so the index alone shows
whether a sound has changed.

    shard   |--head--|--tail--|--whole short recording--|--head--|--tail--| ...
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from birdclef.common.arrays import Waveform
from birdclef.common.lengths import stored_samples
from birdclef.common.tables import read_own
from birdclef.params import ClipsParams


class ClipStore:
    """Reads the shards of `pack_shard` by recording id; shards are memory-mapped, not loaded."""

    def __init__(self, folder: Path, clips: ClipsParams) -> None:
        self.folder = folder
        self._samples_per_end = stored_samples(clips)
        types = {"offset": int, "length": int, "scale": float, "crc32": int}
        index = read_own(folder / "index.csv", **types)
        self._rows = {row[0]: row[1:] for row in index.itertuples(index=False, name=None)}
        self._shards: dict[str, npt.NDArray[np.int16]] = {}

    def __contains__(self, recording_id: str) -> bool:
        return recording_id in self._rows

    def _shard(self, name: str) -> npt.NDArray[np.int16]:
        if name not in self._shards:
            self._shards[name] = np.load(self.folder / f"{name}.npy", mmap_mode="r")
        return self._shards[name]

    def _read(self, recording_id: str, end: slice) -> Waveform:
        shard, offset, length, scale, _ = self._rows[recording_id]
        samples = self._shard(shard)[offset : offset + length][end]
        return samples.astype(np.float32) * np.float32(scale)

    def head(self, recording_id: str) -> Waveform:
        """First `clip_s + shift_s` seconds of a recording, or all, at its own level, (sample,)."""
        return self._read(recording_id, slice(None, self._samples_per_end))

    def tail(self, recording_id: str) -> Waveform:
        """Last `clip_s + shift_s` seconds of a recording, or all, at its own level, (sample,)."""
        return self._read(recording_id, slice(-self._samples_per_end, None))


def random_crop(waveform: Waveform, length: int, rng: np.random.Generator) -> Waveform:
    """Cut `length` samples at a random offset, or pad a shorter waveform with zeros around it."""
    spare = len(waveform) - length
    start = int(rng.integers(0, abs(spare) + 1))
    if spare >= 0:
        return waveform[start : start + length]
    return np.pad(waveform, (start, -spare - start))


def first_clip(waveform: Waveform, length: int) -> Waveform:
    """First `length` samples; a shorter waveform is centred between zeros."""
    missing = length - len(waveform)
    if missing <= 0:
        return waveform[:length]
    return np.pad(waveform, (missing // 2, missing - missing // 2))
