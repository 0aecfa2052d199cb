"""Pack the ends of a species' recordings into one shard, 16-bit, with a scale per recording."""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from birdclef.audio.decode import AudioError, read_head_and_tail
from birdclef.audio.quarantine import Quarantined
from birdclef.common.arrays import Waveform
from birdclef.common.files import replacing
from birdclef.params import ClipsParams

_FULL_SCALE = 32767


INDEX_COLUMNS = ["recording_id", "shard", "offset", "length", "scale", "crc32"]


class Packed(NamedTuple):
    """What became of the recordings of one shard: rows of the index, rows of the quarantine."""

    stored: list[tuple[str, str, int, int, float, int]]
    quarantined: list[Quarantined]


def _write_header(file: object, length: int) -> None:
    header = {"descr": "<i2", "fortran_order": False, "shape": (length,)}
    np.lib.format.write_array_header_1_0(file, header)  # type: ignore[arg-type]


def _to_16_bits(waveform: Waveform) -> tuple[npt.NDArray[np.int16], float]:
    """Samples as 16-bit numbers, the loudest at full scale, and what to multiply them with.

    The noise of rounding lies 101 dB below the peak, whatever the level: at -10.8 dB of the step
    (its power is step^2 / 12) and 32767 steps to the peak.
    """
    scale = float(np.abs(waveform).max()) / _FULL_SCALE
    return np.rint(waveform / scale).astype("<i2"), scale


def pack_shard(
    shard: str, recordings: Sequence[tuple[str, str]], root: Path, folder: Path, clips: ClipsParams
) -> Packed:
    """Decode the recordings of one species into `folder/<shard>.npy`, one in memory at a time.

    Args:
        shard: species code, the shard's name.
        recordings: recording id and path relative to `root` of each.
        root: data.root.
        folder: where the shard goes; it appears there whole or not at all.
        clips: rate and lengths.

    Returns:
        An index row for every recording stored, a quarantine row for every one that is not.
    """
    part_s, rate = clips.clip_s + clips.shift_s, clips.sample_rate_hz
    target, packed, offset = folder / f"{shard}.npy", Packed([], []), 0
    with replacing(target) as temporary, temporary.open("wb") as file:
        _write_header(file, 0)
        for recording_id, path in recordings:
            try:
                samples, scale = _to_16_bits(read_head_and_tail(root / path, rate, part_s))
            except AudioError as error:
                packed.quarantined.append(Quarantined(recording_id, path, str(error)))
                continue
            packed_bytes = samples.tobytes()
            file.write(packed_bytes)
            row = (recording_id, shard, offset, len(samples), scale, zlib.crc32(packed_bytes))
            packed.stored.append(row)
            offset += len(samples)
        file.seek(0)
        _write_header(file, offset)  # numpy pads headers so that the length can grow in place
    if not packed.stored:
        target.unlink()
    return packed
