"""Store clips as one shard per species, soundscapes as one FLAC file each, and tables of both.

An output that the same code and libraries made from the same audio files is not made again.
"""

from functools import partial
from pathlib import Path
from typing import get_args

import pandas as pd

from birdclef.audio import containers, decode, pack_clips, pack_soundscapes
from birdclef.audio.incremental import Task, keep_only, key_of, make_missing
from birdclef.audio.inputs import read_inputs
from birdclef.audio.quarantine import Quarantined
from birdclef.common.files import write_csv
from birdclef.common.names import CLIPS, INDEX, SOUNDSCAPES, Kind
from birdclef.params import ClipsParams

KINDS: tuple[Kind, ...] = get_args(Kind)
# Not in runtime.resume_dir, which may be shared: notes describe files of this working tree only.
NOTES = Path(".resume/preprocess")


def store_clips(root: Path, clips: ClipsParams, jobs: int) -> tuple[int, list[Quarantined]]:
    """Write one shard of clips per species, and the index of all shards.

    Args:
        root: data.root.
        clips: Sample rate and lengths.
        jobs: Number of processes that decode.

    Returns:
        The number of all recordings, and the recordings that were set aside.
    """
    recordings = read_inputs(INDEX / "kept.csv", ("recording_id", "primary_label"), root)
    recordings = recordings.sort_values("recording_id")
    tasks = []
    for label, rows in recordings.groupby("primary_label"):
        files = list(zip(rows["recording_id"], rows["path"], strict=True))
        versions = rows[["size", "mtime_ns"]].to_numpy().tolist()
        key = key_of(
            str(root), files, versions, clips.model_dump(), code=[containers, decode, pack_clips]
        )
        make = partial(pack_clips.pack_shard, str(label), files, root, CLIPS, clips)
        tasks.append(Task(CLIPS / f"{label}.npy", key, make))
    keep_only(CLIPS, {task.output.name for task in tasks})
    made = make_missing(tasks, NOTES / "clips", jobs, "shards, one per species")
    packed = [pack_clips.Packed(*result) for result in made]
    stored = sorted(tuple(row) for shard in packed for row in shard.stored)
    write_csv(pd.DataFrame(stored, columns=pack_clips.INDEX_COLUMNS), CLIPS / "index.csv")
    return len(recordings), [Quarantined(*row) for shard in packed for row in shard.quarantined]


def store_soundscapes(root: Path, sample_rate_hz: int, jobs: int) -> tuple[int, list[Quarantined]]:
    """Re-encode every soundscape, and list the stored ones in one table per kind.

    Args:
        root: data.root.
        sample_rate_hz: Sample rate of the stored files.
        jobs: Number of processes that decode.

    Returns:
        The number of all soundscapes, and the soundscapes that were set aside.
    """
    table = read_inputs(INDEX / "kept_soundscapes.csv", ("soundscape_id", "kind"), root)
    tasks = []
    for name, kind, path, *version in table.itertuples(index=False):
        code = [containers, decode, pack_soundscapes]
        key = key_of(str(root), path, kind, version, sample_rate_hz, code=code)
        target = SOUNDSCAPES / kind / f"{name}.flac"
        make = partial(pack_soundscapes.store_soundscape, root, path, target, sample_rate_hz)
        tasks.append(Task(target, key, make))
    keep_only(SOUNDSCAPES, KINDS)
    for kind in KINDS:
        outputs = (task.output for task in tasks)
        keep_only(SOUNDSCAPES / kind, {path.name for path in outputs if path.parent.name == kind})
    made = make_missing(tasks, NOTES / "soundscapes", jobs, "soundscapes")
    columns = ["samples", "reason"]
    table[columns] = pd.DataFrame(made, columns=columns, index=table.index)
    good = table["reason"] == ""
    for kind in KINDS:
        rows = table.loc[good & (table["kind"] == kind), ["soundscape_id", "samples"]]
        write_csv(rows, SOUNDSCAPES / f"{kind}.csv")
    bad = table.loc[~good, ["soundscape_id", "path", "reason"]].itertuples(index=False)
    return len(table), [Quarantined(*row) for row in bad]
