"""Re-encode soundscapes of any length as 16-bit FLAC at the model's sample rate."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from birdclef.audio.decode import SILENT, AudioError, is_loud, stream
from birdclef.common.files import replacing


class Stored(NamedTuple):
    """Result of one soundscape: its number of samples, or the reason why it was set aside."""

    samples: int
    reason: str


def store_soundscape(source: Path, target: Path, sample_rate_hz: int) -> Stored:
    """Re-encode one soundscape as FLAC, block by block; the file is written whole or not at all."""
    samples, loud = 0, False
    try:
        with (
            replacing(target) as temporary,
            soundfile.SoundFile(
                temporary, "w", sample_rate_hz, channels=1, format="FLAC", subtype="PCM_16"
            ) as file,
        ):
            for block in stream(source, sample_rate_hz):
                file.write(np.clip(block, -1, 1))  # Vorbis may decode to values beyond full scale
                samples += len(block)
                loud = loud or is_loud(block)
            if not loud:
                raise AudioError(SILENT if samples else "0 samples decoded")
    except AudioError as error:
        target.unlink(missing_ok=True)  # from an earlier run, when the source was still good
        return Stored(0, str(error))
    return Stored(samples, "")
