"""Drop duplicates, and what shares sound with labelled soundscapes; assign the folds."""

from pathlib import Path

import pandas as pd

from birdclef.common.files import write_csv, write_json
from birdclef.common.names import INDEX, METRICS
from birdclef.common.recordings import read_recordings, read_species
from birdclef.errors import plain_errors
from birdclef.index.counts import per_species_and_source, summarize
from birdclef.index.duplicates import deduplicate
from birdclef.index.folds import assign_folds, count_straddling
from birdclef.index.soundscapes import read_soundscapes
from birdclef.params import load_params


def main() -> None:
    params = load_params()
    tables = [read_recordings(INDEX / name) for name in ("recordings.csv", "extra.csv")]
    recordings = pd.concat(tables, ignore_index=True).sort_values("recording_id")
    soundscapes = read_soundscapes(INDEX / "soundscapes.csv")
    root, jobs = Path(params.data.root), params.runtime.jobs
    found = deduplicate(recordings, soundscapes, root, params.deduplicate, jobs)
    folds = assign_folds(found.kept, params.folds.count, params.folds.seed, found.together)
    write_csv(found.report, INDEX / "duplicates.csv")
    write_csv(found.kept, INDEX / "kept.csv")
    write_csv(found.soundscapes, INDEX / "kept_soundscapes.csv")
    write_csv(folds, INDEX / "folds.csv")
    species = read_species(INDEX / "species.csv")["species"]
    write_json(summarize(recordings, found.kept, species, folds), METRICS / "kept.json")
    write_csv(per_species_and_source(found.kept, species), METRICS / "recordings_per_species.csv")
    found.counts["straddling_groups"] = count_straddling(found.kept, folds, found.together)
    write_json(found.counts, METRICS / "deduplicate.json")
    print(*(f"{n:,} {name}".replace("_", " ") for name, n in found.counts.items()), sep=", ")


if __name__ == "__main__":
    with plain_errors():
        main()
