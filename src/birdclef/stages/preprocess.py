"""Recordings to clip shards, soundscapes to FLAC; what cannot be read is set aside and listed."""

from pathlib import Path

import pandas as pd
from joblib import Parallel, delayed

from birdclef.clips import INDEX_COLUMNS, pack_shard
from birdclef.files import write_csv, write_json
from birdclef.params import Params, load_params
from birdclef.progress import track
from birdclef.quarantine import Quarantined, write_quarantine
from birdclef.soundscapes import store_soundscape

INDEX, CLIPS, SOUNDSCAPES = Path("data/index"), Path("data/clips"), Path("data/soundscapes")
METRICS = Path("metrics/preprocess.json")


def _read(name: str) -> pd.DataFrame:
    return pd.read_csv(INDEX / name, dtype=str, keep_default_na=False)


def pack_recordings(params: Params) -> tuple[int, list[Quarantined]]:
    """Write one shard a species and their index; return the recordings met and those set aside."""
    recordings = _read("kept.csv")
    CLIPS.mkdir(parents=True, exist_ok=True)
    root = Path(params.data.root)
    jobs = [
        delayed(pack_shard)(
            str(shard),
            rows[["recording_id", "path"]].to_numpy().tolist(),
            root,
            CLIPS,
            params.clips,
        )
        for shard, rows in recordings.groupby("primary_label")
    ]
    results = Parallel(params.runtime.jobs, return_as="generator")(jobs)
    packed = list(track(results, "recordings, by species", len(jobs)))
    stored = sorted(row for shard in packed for row in shard.stored)
    write_csv(pd.DataFrame(stored, columns=INDEX_COLUMNS), CLIPS / "index.csv")
    return len(recordings), [row for shard in packed for row in shard.quarantined]


def store_soundscapes(params: Params) -> tuple[pd.DataFrame, list[Quarantined]]:
    """Re-code every soundscape; return the table of those stored and those set aside."""
    table = _read("soundscapes.csv")
    for kind in ("unlabeled", "labeled"):
        (SOUNDSCAPES / kind).mkdir(parents=True, exist_ok=True)
    root, rate = Path(params.data.root), params.clips.sample_rate_hz
    jobs = [
        delayed(store_soundscape)(root / path, SOUNDSCAPES / kind / f"{name}.flac", rate)
        for name, kind, path in table[["soundscape_id", "kind", "path"]].to_numpy().tolist()
    ]
    results = Parallel(params.runtime.jobs, return_as="generator")(jobs)
    stored = list(track(results, "soundscapes", len(jobs)))
    rows = zip(table["soundscape_id"], table["path"], stored, strict=True)
    bad = [Quarantined(name, path, s.reason) for name, path, s in rows if s.reason]
    table = table.assign(samples=[s.samples for s in stored])[["soundscape_id", "kind", "samples"]]
    return table[table["samples"] > 0], bad


def main() -> None:
    params = load_params()
    n_recordings, bad = pack_recordings(params)
    soundscapes, bad_soundscapes = store_soundscapes(params)
    for kind, rows in soundscapes.groupby("kind"):
        write_csv(rows.drop(columns="kind"), SOUNDSCAPES / f"{kind}.csv")
    n_files = n_recordings + len(soundscapes) + len(bad_soundscapes)
    quarantined = bad + bad_soundscapes
    limit = params.preprocess.max_quarantined
    write_quarantine(quarantined, n_files, limit, CLIPS / "quarantine.csv")
    counts = {"files": n_files, "quarantined": len(quarantined)}
    write_json(counts, METRICS)


if __name__ == "__main__":
    main()
