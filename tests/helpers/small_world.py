"""Small synthetic labelled recordings in a real clip store, for the trainer."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from birdclef.audio.pack_clips import INDEX_COLUMNS, Packed, pack_shard
from birdclef.dataset.clips import ClipStore
from birdclef.dataset.waveforms import LabeledClips
from birdclef.params import Params
from sounds import RATE_HZ, tone, write

SPECIES = ["high", "low"]


def pack(folder: Path, files: dict[str, npt.NDArray[np.float32]], params: Params) -> Packed:
    """Write sounds to `folder/raw` and pack them as one species into `folder/store`."""
    rows = []
    for name, samples in files.items():
        write(folder / "raw" / f"{name}.wav", samples)
        rows.append((name, f"{name}.wav"))
    (folder / "store").mkdir()
    packed = pack_shard("bird", rows, folder / "raw", folder / "store", params.clips)
    index = pd.DataFrame(packed.stored, columns=INDEX_COLUMNS)
    index.to_csv(folder / "store" / "index.csv", index=False)
    return packed


def labeled_clips(folder: Path, params: Params, recordings: int = 16) -> LabeledClips:
    """A clip store of a species that sings high and one that sings low; one target is masked."""
    stored = []
    rng = np.random.default_rng(0)
    for i, species in enumerate(SPECIES):
        rows = []
        for k in range(recordings // 2):
            name = f"{species}{k}"
            sound = tone(0.9, (5000, 1000)[i] * rng.uniform(0.9, 1.1))
            sound += 0.05 * rng.standard_normal(len(sound)).astype(np.float32)
            write(folder / "raw" / f"{name}.wav", sound, RATE_HZ)
            rows.append((name, f"{name}.wav"))
        stored += pack_shard(species, rows, folder / "raw", folder, params.clips).stored
    pd.DataFrame(stored, columns=INDEX_COLUMNS).to_csv(folder / "index.csv", index=False)
    targets = np.array([[row[1] == s for s in SPECIES] for row in stored], np.float32)
    ids = [row[0] for row in stored]
    store = ClipStore(folder, params.clips)
    masks = np.ones_like(targets)
    masks[1] = targets[1]  # the absence of the other species is unknown
    return LabeledClips(store, ids, targets, masks, params.clips)
