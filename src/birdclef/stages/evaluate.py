"""Score every level: out of fold, and on the labelled soundscapes that no training saw."""

from birdclef.common.files import write_csv, write_json
from birdclef.common.names import METRICS, TRAINED
from birdclef.dataset.labeled import load_labeled
from birdclef.errors import plain_errors
from birdclef.evaluation.calibration_table import calibration_scores, calibration_table
from birdclef.evaluation.predictions import on_soundscapes, out_of_fold, trained
from birdclef.evaluation.scores import levels_table, species_table, summary
from birdclef.model.artifacts import (
    drop_others,
    read_curves,
)
from birdclef.params import load_params


def main() -> None:
    params = load_params()
    labeled = load_labeled(params.clips)
    repeats = trained(params)
    everyone = [model for seeds in repeats.values() for models in seeds for model in models]
    drop_others(TRAINED, everyone)
    oof = out_of_fold(repeats, labeled) if params.train.scheme == "grouped" else {}
    ids, soundscapes = on_soundscapes(params, repeats, labeled.species)
    bootstraps, seed = params.evaluate.bootstraps, params.evaluate.seed
    metrics = summary(oof, soundscapes, ids, bootstraps, seed)
    exported = oof[params.models.rounds[-1].students] if oof else None
    min_positives, precision = params.evaluate.min_positives, params.evaluate.precision
    metrics |= calibration_scores(exported, min_positives)
    write_json(metrics, METRICS / "evaluate.json")
    curves = calibration_table(labeled.species, exported, min_positives, precision)
    write_csv(curves, METRICS / "calibration.csv")
    scores = levels_table(params.models.seeds, oof, soundscapes, ids)
    write_csv(scores, METRICS / "levels.csv", float_format="%.5f")
    scores = species_table(labeled.species, oof, soundscapes)
    write_csv(scores, METRICS / "species.csv", float_format="%.5f")
    write_csv(read_curves(everyone), METRICS / "learning_curves.csv", float_format="%.6f")


if __name__ == "__main__":
    with plain_errors():
        main()
