"""Store recordings as clip shards and soundscapes as FLAC; list the files that cannot be read."""

from pathlib import Path

from birdclef.audio.quarantine import write_quarantine
from birdclef.audio.store import store_clips, store_soundscapes
from birdclef.common.files import write_json
from birdclef.common.names import CLIPS, METRICS
from birdclef.errors import plain_errors
from birdclef.params import load_params


def main() -> None:
    params = load_params()
    root, jobs = Path(params.data.root), params.runtime.jobs
    n_recordings, bad_recordings = store_clips(root, params.clips, jobs)
    n_soundscapes, bad_soundscapes = store_soundscapes(root, params.clips.sample_rate_hz, jobs)
    n_files, bad = n_recordings + n_soundscapes, bad_recordings + bad_soundscapes
    write_json({"files": n_files, "quarantined": len(bad)}, METRICS / "preprocess.json")
    write_quarantine(bad, n_files, params.preprocess.max_quarantined, CLIPS / "quarantine.csv")


if __name__ == "__main__":
    with plain_errors():
        main()
