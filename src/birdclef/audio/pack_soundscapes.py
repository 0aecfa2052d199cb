"""Re-code soundscapes of any length as 16-bit FLAC at the model's rate."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from birdclef.audio.decode import SILENT, AudioError, is_loud, stream
from birdclef.common.files import replacing


class Stored(NamedTuple):
    """What became of one soundscape: its samples, or the reason why it was set aside."""

    samples: int
    reason: str


def store_soundscape(source: Path, target: Path, sample_rate_hz: int) -> Stored:
    """Re-code one soundscape of any length as FLAC, block by block; it appears whole or not."""
    samples, loud = 0, False
    try:
        with (
            replacing(target) as temporary,
            soundfile.SoundFile(
                temporary, "w", sample_rate_hz, channels=1, format="FLAC", subtype="PCM_16"
            ) as file,
        ):
            for block in stream(source, sample_rate_hz):
                file.write(np.clip(block, -1, 1))  # Vorbis may decode beyond full scale
                samples += len(block)
                loud = loud or is_loud(block)
            if not loud:
                raise AudioError(SILENT if samples else "0 samples decoded")
    except AudioError as error:
        target.unlink(missing_ok=True)  # of an earlier run, when the source was still good
        return Stored(0, str(error))
    return Stored(samples, "")
