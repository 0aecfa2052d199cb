"""Stage `index`: the competition's table and folders -> recordings, species and soundscapes."""

from pathlib import Path

import pandas as pd

from birdclef.common.files import write_csv, write_json
from birdclef.common.names import INDEX, METRICS
from birdclef.errors import plain_errors
from birdclef.index.counts import count_licenses, count_reasons, describe
from birdclef.index.layouts import COMPETITION
from birdclef.index.rules import read_corrections, to_table
from birdclef.index.soundscapes import load_soundscapes
from birdclef.index.sources import load_source, require_source, require_two_species
from birdclef.params import load_params


def main() -> None:
    params = load_params()
    root = Path(params.data.root)
    folder = require_source(COMPETITION, root)
    loaded = load_source(COMPETITION, folder, root, read_corrections(params.index.corrections))
    require_two_species(loaded.species, folder / COMPETITION.table)
    found = load_soundscapes(folder, root, loaded.species["species"])
    set_aside = pd.concat([loaded.set_aside, found.set_aside])

    write_csv(to_table(loaded.recordings), INDEX / "recordings.csv")
    write_csv(loaded.species, INDEX / "species.csv")
    write_csv(found.soundscapes, INDEX / "soundscapes.csv")
    write_csv(found.labels, INDEX / "soundscape_labels.csv")
    write_csv(set_aside, INDEX / "set_aside.csv")

    per_species = loaded.recordings["primary_label"].value_counts()
    per_species = per_species.reindex(loaded.species["species"], fill_value=0)
    kinds = found.soundscapes["kind"].value_counts()
    metrics = {
        "recordings": len(loaded.recordings),
        "species": len(loaded.species),
        "species_below_10_recordings": int((per_species < 10).sum()),
        "species_without_recordings": int((per_species == 0).sum()),
        "unlabeled_soundscapes": int(kinds.get("unlabeled", 0)),
        "labeled_soundscapes": int(kinds.get("labeled", 0)),
        "labeled_windows": len(found.labels),
        "set_aside": len(set_aside),
        "sources": {COMPETITION.source: loaded.counts},
        "unknown_soundscape_labels": found.unknown_labels,
        "set_aside_by_reason": count_reasons(set_aside),
        "licenses": count_licenses(loaded.recordings),
    }
    write_json(metrics, METRICS / "index.json")
    print(*loaded.notes, *found.notes, describe(metrics), sep="\n")


if __name__ == "__main__":
    with plain_errors():
        main()
