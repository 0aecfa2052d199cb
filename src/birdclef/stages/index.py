"""Index the competition's data: recordings, species, soundscapes and their labels."""

from pathlib import Path

import pandas as pd

from birdclef.common.files import write_csv, write_json
from birdclef.common.names import INDEX, METRICS
from birdclef.errors import plain_errors
from birdclef.index.counts import count_indexed, describe
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
    metrics = count_indexed(loaded, found, set_aside)
    write_json(metrics, METRICS / "index.json")
    print(*loaded.notes, *found.notes, describe(metrics), sep="\n")


if __name__ == "__main__":
    with plain_errors():
        main()
