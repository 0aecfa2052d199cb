"""Recordings to clip shards, soundscapes to FLAC; what cannot be read is set aside and listed."""

from functools import partial
from pathlib import Path
from typing import get_args

import pandas as pd

from birdclef.audio import decode, pack_clips, pack_soundscapes
from birdclef.audio.incremental import Task, keep_only, key_of, make_missing
from birdclef.audio.inputs import read_inputs
from birdclef.audio.quarantine import Quarantined, write_quarantine
from birdclef.common.files import write_csv, write_json
from birdclef.common.names import CLIPS, INDEX, METRICS, SOUNDSCAPES, Kind
from birdclef.errors import plain_errors
from birdclef.params import Params, load_params

KINDS = get_args(Kind)
NOTES = Path(".resume/preprocess")  # on files of this folder; runtime.resume_dir may be shared


def pack_recordings(params: Params) -> tuple[int, list[Quarantined]]:
    """Write one shard a species and their index; return the recordings met and those set aside."""
    root, settings = Path(params.data.root), params.clips
    recordings = read_inputs(INDEX / "kept.csv", ("recording_id", "primary_label"), root)
    recordings = recordings.sort_values("recording_id")
    tasks = []
    for label, rows in recordings.groupby("primary_label"):
        files = list(zip(rows["recording_id"], rows["path"], strict=True))
        versions = rows[["size", "mtime_ns"]].to_numpy().tolist()
        key = key_of(str(root), files, versions, settings.model_dump(), code=[decode, pack_clips])
        make = partial(pack_clips.pack_shard, str(label), files, root, CLIPS, settings)
        tasks.append(Task(CLIPS / f"{label}.npy", key, make))
    keep_only(CLIPS, {task.output.name for task in tasks})
    made = make_missing(tasks, NOTES / "clips", params.runtime.jobs, "recordings, by species")
    packed = [pack_clips.Packed(*result) for result in made]
    stored = sorted(tuple(row) for shard in packed for row in shard.stored)
    write_csv(pd.DataFrame(stored, columns=pack_clips.INDEX_COLUMNS), CLIPS / "index.csv")
    return len(recordings), [Quarantined(*row) for shard in packed for row in shard.quarantined]


def store_soundscapes(params: Params) -> tuple[int, list[Quarantined]]:
    """Re-code every soundscape and list them; return the soundscapes met and those set aside."""
    root, rate = Path(params.data.root), params.clips.sample_rate_hz
    table = read_inputs(INDEX / "soundscapes.csv", ("soundscape_id", "kind"), root)
    tasks = []
    for name, kind, path, *version in table.itertuples(index=False):
        key = key_of(str(root), path, kind, version, rate, code=[decode, pack_soundscapes])
        target = SOUNDSCAPES / kind / f"{name}.flac"
        make = partial(pack_soundscapes.store_soundscape, root / path, target, rate)
        tasks.append(Task(target, key, make))
    keep_only(SOUNDSCAPES, KINDS)
    for kind in KINDS:
        keep_only(
            SOUNDSCAPES / kind, {t.output.name for t in tasks if t.output.parent.name == kind}
        )
    made = make_missing(tasks, NOTES / "soundscapes", params.runtime.jobs, "soundscapes")
    table[["samples", "reason"]] = pd.DataFrame(
        made, columns=["samples", "reason"], index=table.index
    )
    good = table["reason"] == ""
    for kind in KINDS:
        rows = table.loc[good & (table["kind"] == kind), ["soundscape_id", "samples"]]
        write_csv(rows, SOUNDSCAPES / f"{kind}.csv")
    bad = table.loc[~good, ["soundscape_id", "path", "reason"]].itertuples(index=False)
    return len(table), [Quarantined(*row) for row in bad]


def main() -> None:
    params = load_params()
    n_recordings, bad_recordings = pack_recordings(params)
    n_soundscapes, bad_soundscapes = store_soundscapes(params)
    n_files, bad = n_recordings + n_soundscapes, bad_recordings + bad_soundscapes
    write_json({"files": n_files, "quarantined": len(bad)}, METRICS / "preprocess.json")
    write_quarantine(bad, n_files, params.preprocess.max_quarantined, CLIPS / "quarantine.csv")


if __name__ == "__main__":
    with plain_errors():
        main()
