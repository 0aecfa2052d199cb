"""Score every level on held-out recordings and on labelled soundscapes, which no training uses."""

from birdclef.common.files import write_csv, write_json
from birdclef.common.names import METRICS, TRAINED
from birdclef.dataset.labeled import load_labeled
from birdclef.errors import plain_errors
from birdclef.evaluation.calibration_table import calibration_outputs
from birdclef.evaluation.halves import labeled_windows
from birdclef.evaluation.predictions import listed_models, on_soundscapes, out_of_fold
from birdclef.evaluation.scores import by_section, levels_table, species_table, summary
from birdclef.model.artifacts import drop_unlisted, read_curves
from birdclef.params import load_params


def main() -> None:
    params = load_params()
    labeled, repeats = load_labeled(params.clips), listed_models(params.models)
    all_models = [model for seeds in repeats.values() for models in seeds for model in models]
    drop_unlisted(TRAINED, all_models)
    windows = labeled_windows(params.clips, params.evaluate.group)
    held_out = out_of_fold(repeats, labeled) if params.models.held_out else {}
    runtime, mel, species = params.runtime, params.mel, labeled.species
    soundscapes = on_soundscapes(windows, repeats, species, mel, params.clips, runtime)
    sections = by_section(held_out, soundscapes, params.pseudo_label, params.models.folds)
    scores = summary(sections, windows["soundscape_id"].tolist())
    last = params.models.rounds[-1].students
    exported = held_out.get(last), soundscapes.get(last)
    curves, diagrams, more = calibration_outputs(species, *exported, params.evaluate)
    write_json(scores | more, METRICS / "evaluate.json")
    write_csv(curves, METRICS / "calibration.csv")
    write_csv(diagrams, METRICS / "reliability.csv")
    levels = levels_table(params.models.seeds, sections, windows["group"].tolist())
    write_csv(levels, METRICS / "levels.csv", float_format="%.5f")
    write_csv(species_table(species, sections), METRICS / "species.csv", float_format="%.5f")
    write_csv(read_curves(all_models), METRICS / "learning_curves.csv", float_format="%.6f")


if __name__ == "__main__":
    with plain_errors():
        main()
