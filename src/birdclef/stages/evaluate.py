"""Score every level: out of fold, and on the labelled soundscapes, which no training uses."""

from birdclef.common.files import write_csv, write_json
from birdclef.common.names import METRICS, TRAINED
from birdclef.dataset.labeled import load_labeled
from birdclef.errors import plain_errors
from birdclef.evaluation.calibration_table import calibration_outputs
from birdclef.evaluation.predictions import listed_models, on_soundscapes, out_of_fold
from birdclef.evaluation.scores import levels_table, species_table, summary
from birdclef.model.artifacts import drop_unlisted, read_curves
from birdclef.params import load_params


def main() -> None:
    params = load_params()
    settings, labeled = params.evaluate, load_labeled(params.clips)
    repeats = listed_models(params.models)
    all_models = [model for seeds in repeats.values() for models in seeds for model in models]
    drop_unlisted(TRAINED, all_models)
    oof = out_of_fold(repeats, labeled) if params.models.held_out else {}
    runtime, mel, species = params.runtime, params.mel, labeled.species
    ids, soundscapes = on_soundscapes(repeats, species, mel, params.clips, runtime)
    scores = summary(oof, soundscapes, ids, settings.bootstraps, settings.seed)
    level = params.models.rounds[-1].students
    exported = oof.get(level), soundscapes.get(level)
    curves, diagrams, more = calibration_outputs(species, *exported, settings)
    write_json(scores | more, METRICS / "evaluate.json")
    write_csv(curves, METRICS / "calibration.csv")
    write_csv(diagrams, METRICS / "reliability.csv")
    levels = levels_table(params.models.seeds, oof, soundscapes, ids)
    write_csv(levels, METRICS / "levels.csv", float_format="%.5f")
    per_species = species_table(species, oof, soundscapes)
    write_csv(per_species, METRICS / "species.csv", float_format="%.5f")
    write_csv(read_curves(all_models), METRICS / "learning_curves.csv", float_format="%.6f")


if __name__ == "__main__":
    with plain_errors():
        main()
