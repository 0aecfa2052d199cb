"""Drop duplicate recordings; write the final table of recordings and their folds."""

from pathlib import Path

import pandas as pd

from birdclef.common.files import write_csv, write_json
from birdclef.common.names import INDEX, METRICS
from birdclef.common.recordings import read_recordings, read_species
from birdclef.errors import plain_errors
from birdclef.index.counts import per_species_and_source, summarize
from birdclef.index.duplicates import count_duplicates, deduplicate
from birdclef.index.fingerprints import fingerprint_all
from birdclef.index.folds import assign_folds
from birdclef.params import load_params


def main() -> None:
    params = load_params()
    root, max_s = Path(params.data.root), params.deduplicate.max_s
    tables = [read_recordings(INDEX / name) for name in ("recordings.csv", "extra.csv")]
    recordings = pd.concat(tables, ignore_index=True).sort_values("recording_id")
    fingerprints = fingerprint_all(recordings, root, max_s, params.runtime.jobs)
    resolved = deduplicate(recordings, fingerprints, params.deduplicate.min_similarity)
    kept = resolved.kept
    folds = assign_folds(kept, params.folds.count, params.folds.seed, resolved.together)
    write_csv(resolved.report, INDEX / "duplicates.csv")
    write_csv(kept, INDEX / "kept.csv")
    write_csv(folds, INDEX / "folds.csv")
    species = read_species(INDEX / "species.csv")["species"]
    write_json(summarize(recordings, kept, species, folds), METRICS / "kept.json")
    write_csv(per_species_and_source(kept, species), METRICS / "recordings_per_species.csv")
    counts = count_duplicates(recordings, fingerprints, resolved, folds)
    write_json(counts, METRICS / "deduplicate.json")
    print(*(f"{count:,} {name}".replace("_", " ") for name, count in counts.items()), sep=", ")


if __name__ == "__main__":
    with plain_errors():
        main()
