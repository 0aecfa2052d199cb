"""Pack head and tail of a species' recordings into one 16-bit shard, one scale per recording."""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from birdclef.audio.decode import AudioError, read_head_and_tail
from birdclef.audio.quarantine import Quarantined
from birdclef.common.arrays import Waveform
from birdclef.common.files import OutsideError, find_inside, replacing
from birdclef.params import ClipsParams

_FULL_SCALE = 32767

INDEX_COLUMNS = ["recording_id", "shard", "offset", "length", "scale", "crc32"]


class Packed(NamedTuple):
    """Result of one shard: index rows of stored recordings, quarantine rows of the others."""

    stored: list[tuple[str, str, int, int, float, int]]
    quarantined: list[Quarantined]


def _write_header(file: object, length: int) -> None:
    header = {"descr": "<i2", "fortran_order": False, "shape": (length,)}
    np.lib.format.write_array_header_1_0(file, header)  # type: ignore[arg-type]


def _to_16_bits(waveform: Waveform) -> tuple[npt.NDArray[np.int16], float]:
    """Quantise samples to 16 bits with the peak at full scale.

    Rounding noise is 101 dB below the peak at any level: its power is step^2 / 12, which is
    10.8 dB below one step, and the peak is 32767 steps.

    Returns:
        The 16-bit samples, and the factor that restores the original level.
    """
    scale = float(np.abs(waveform).max()) / _FULL_SCALE
    return np.rint(waveform / scale).astype("<i2"), scale


def pack_shard(
    shard: str, recordings: Sequence[tuple[str, str]], root: Path, folder: Path, clips: ClipsParams
) -> Packed:
    """Decode the recordings of one species into `folder/<shard>.npy`, one in memory at a time.

    Args:
        shard: Species code, which names the shard.
        recordings: Id and path of each recording; paths are relative to `root`.
        root: data.root.
        folder: Folder for the shard, which is written whole or not at all.
        clips: Sample rate and lengths.

    Returns:
        One index row per stored recording, one quarantine row per recording set aside.
    """
    part_s, rate = clips.clip_s + clips.shift_s, clips.sample_rate_hz
    target, packed, offset = folder / f"{shard}.npy", Packed([], []), 0
    with replacing(target) as temporary, temporary.open("wb") as file:
        _write_header(file, 0)
        for recording_id, path in recordings:
            try:
                waveform = read_head_and_tail(find_inside(root, path), rate, part_s)
                samples, scale = _to_16_bits(waveform)
            except (AudioError, OutsideError) as error:
                packed.quarantined.append(Quarantined(recording_id, path, str(error)))
                continue
            packed_bytes = samples.tobytes()
            file.write(packed_bytes)
            row = (recording_id, shard, offset, len(samples), scale, zlib.crc32(packed_bytes))
            packed.stored.append(row)
            offset += len(samples)
        file.seek(0)
        _write_header(file, offset)  # fits: numpy pads headers to let the length grow
    if not packed.stored:
        target.unlink()
    return packed
