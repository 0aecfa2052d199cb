"""Re-encode soundscapes of any length as 16-bit FLAC at the model's sample rate."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from birdclef.audio.decode import SILENT, AudioError, is_loud, stream
from birdclef.common.files import OutsideError, find_inside, replacing

# Of full scale. Lossy codecs overshoot by less than 2. A higher peak is in another unit than full
# scale, such as 16-bit integers in a file of floats, and the store would clip nearly all of it.
MAX_PEAK = 10.0


class WriteError(OSError):
    """A soundscape cannot be stored; the message names the file and the way out."""


class Stored(NamedTuple):
    """Result of one soundscape: its number of samples, or the reason why it was set aside."""

    samples: int
    reason: str


def store_soundscape(root: Path, path: str, target: Path, sample_rate_hz: int) -> Stored:
    """Re-encode one soundscape as FLAC, block by block; the file is written whole or not at all.

    Args:
        root: data.root.
        path: Path of the soundscape, relative to `root`.
        target: The file to write.
        sample_rate_hz: Sample rate of the file.

    Raises:
        WriteError: the file cannot be written, for example because the disk is full.
    """
    try:
        with replacing(target) as temporary:
            samples = _encode(find_inside(root, path), temporary, sample_rate_hz)
    except (AudioError, OutsideError) as error:
        target.unlink(missing_ok=True)  # from an earlier run, when the source was still good
        return Stored(0, str(error))
    except (soundfile.LibsndfileError, AssertionError) as error:  # a short write is an assertion
        raise WriteError(
            f"{target} cannot be written ({error or 'short write'}); if the disk is full, make room"
            " and run the same command again"
        ) from None
    return Stored(samples, "")


def _encode(source: Path, target: Path, sample_rate_hz: int) -> int:
    """Write the FLAC file; returns its number of samples."""
    samples, loud = 0, False
    with soundfile.SoundFile(
        target, "w", sample_rate_hz, channels=1, format="FLAC", subtype="PCM_16"
    ) as file:
        for block in stream(source, sample_rate_hz):
            peak = float(np.abs(block).max(initial=0.0))
            if peak > MAX_PEAK:
                raise AudioError(
                    f"peak is {peak:.3g} times full scale, at most {MAX_PEAK:g} is sound"
                )
            file.write(np.clip(block, -1, 1))  # Vorbis may decode to values beyond full scale
            samples += len(block)
            loud = loud or is_loud(block)
    if not loud:
        raise AudioError(SILENT if samples else "0 samples decoded")
    return samples
