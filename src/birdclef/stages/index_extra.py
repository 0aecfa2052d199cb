"""Index recordings of earlier years and Xeno-Canto that fill up species with few recordings."""

from pathlib import Path

from birdclef.common.files import write_csv, write_json
from birdclef.common.names import INDEX, METRICS
from birdclef.common.recordings import read_recordings, read_species
from birdclef.errors import plain_errors
from birdclef.index.counts import count_extras, describe
from birdclef.index.rules import read_corrections, to_table
from birdclef.index.sources import load_extras
from birdclef.params import load_params


def main() -> None:
    params = load_params()
    own = read_recordings(INDEX / "recordings.csv")
    species = read_species(INDEX / "species.csv")
    corrections = read_corrections(params.index.corrections)
    limit = params.index.max_recordings_per_species
    extras = load_extras(Path(params.data.root), own, species, corrections, limit)
    write_csv(to_table(extras.recordings), INDEX / "extra.csv")
    write_csv(extras.set_aside, INDEX / "extra_set_aside.csv")
    metrics = count_extras(own, extras)
    write_json(metrics, METRICS / "index_extra.json")
    print(*extras.notes, describe(metrics), sep="\n")


if __name__ == "__main__":
    with plain_errors():
        main()
