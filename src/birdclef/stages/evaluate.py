"""Score every level on held-out recordings and on labelled soundscapes, which no training uses."""

from birdclef.common.files import write_csv, write_json
from birdclef.common.names import METRICS, TRAINED
from birdclef.dataset.labeled import load_labeled
from birdclef.errors import plain_errors
from birdclef.evaluation.calibration_table import calibration_scores, calibration_table
from birdclef.evaluation.halves import labeled_windows
from birdclef.evaluation.predictions import listed_models, on_soundscapes, out_of_fold
from birdclef.evaluation.scores import by_section, levels_table, species_table, summary
from birdclef.model.artifacts import drop_unlisted, read_curves
from birdclef.params import load_params


def main() -> None:
    params = load_params()
    settings, labeled = params.evaluate, load_labeled(params.clips)
    repeats = listed_models(params.models)
    all_models = [model for seeds in repeats.values() for models in seeds for model in models]
    drop_unlisted(TRAINED, all_models)
    windows = labeled_windows(params.clips, settings.group)
    held_out = out_of_fold(repeats, labeled) if params.train.scheme == "grouped" else {}
    runtime, mel, species = params.runtime, params.mel, labeled.species
    soundscapes = on_soundscapes(windows, repeats, species, mel, params.clips, runtime)
    sections = by_section(held_out, soundscapes, params.pseudo_label, params.models.folds)
    exported = held_out[params.models.rounds[-1].students] if held_out else None
    scores = summary(sections, windows["soundscape_id"].tolist())
    scores |= calibration_scores(exported, settings.min_positives)
    write_json(scores, METRICS / "evaluate.json")
    curves = calibration_table(species, exported, settings.min_positives, settings.precision)
    write_csv(curves, METRICS / "calibration.csv")
    levels = levels_table(params.models.seeds, sections, windows["group"].tolist())
    write_csv(levels, METRICS / "levels.csv", float_format="%.5f")
    write_csv(species_table(species, sections), METRICS / "species.csv", float_format="%.5f")
    write_csv(read_curves(all_models), METRICS / "learning_curves.csv", float_format="%.6f")


if __name__ == "__main__":
    with plain_errors():
        main()
