"""Score every level: out of fold, and on the labelled soundscapes that no training saw."""

from birdclef.common.files import write_csv, write_json
from birdclef.common.names import INDEX, METRICS, TRAINED
from birdclef.common.probabilities import sigmoid
from birdclef.dataset.labeled import LabeledData, load_labeled
from birdclef.dataset.soundscapes import read_windows
from birdclef.dataset.waveforms import SoundscapeWindows
from birdclef.errors import plain_errors
from birdclef.evaluation.calibration_table import calibration_scores, calibration_table
from birdclef.evaluation.scores import (
    Scored,
    label_windows,
    levels_table,
    read_labels,
    species_table,
    summary,
    window_targets,
)
from birdclef.model.artifacts import (
    TrainedModel,
    drop_others,
    load_ensemble,
    read_curves,
    read_out_of_fold,
    trained_models,
)
from birdclef.model.batch_inference import predict_logits
from birdclef.model.device import prepare
from birdclef.params import Params, load_params

Repeats = dict[str, list[list[TrainedModel]]]  # level -> seed -> its models


def trained(params: Params) -> Repeats:
    """Every model that params.yaml lists."""
    backbones = {"l1": params.models.teacher_backbones}
    backbones |= {r.students: params.models.student_backbones for r in params.models.rounds}
    return {
        level: [trained_models(level, s, names, params.models.folds) for s in params.models.seeds]
        for level, names in backbones.items()
    }


def out_of_fold(repeats: Repeats, labeled: LabeledData) -> dict[str, Scored]:
    """Every recording that a fold held out."""
    row_of = {name: row for row, name in enumerate(labeled.clips.recording_ids)}
    scored = {}
    for level, seeds in repeats.items():
        predictions = [read_out_of_fold(models) for models in seeds]
        rows = [row_of[name] for name in predictions[0].recording_ids]
        probabilities = [p.probabilities for p in predictions]
        targets, masks = labeled.clips.targets[rows], labeled.clips.masks[rows]
        scored[level] = Scored(targets, probabilities, masks, labeled.folds[rows])
    return scored


def on_soundscapes(
    params: Params, repeats: Repeats, species: list[str]
) -> tuple[list[str], dict[str, Scored]]:
    """Soundscape of each labelled window, and what each level says of the windows."""
    windows = read_windows("labeled", params.clips)
    labeled = label_windows(windows, read_labels(INDEX / "soundscape_labels.csv"))
    if labeled.empty:
        return [], {}
    device, targets = prepare(params.runtime), window_targets(labeled, species)
    dataset = SoundscapeWindows(labeled, "labeled", params.clips)
    scored = {}
    for level, seeds in repeats.items():
        ensembles = [load_ensemble(models, params.mel, params.clips) for models in seeds]
        logits = [predict_logits(e, dataset, device, params.runtime) for e in ensembles]
        scored[level] = Scored(targets, [sigmoid(each).mean(axis=0) for each in logits])
    return labeled["soundscape_id"].tolist(), scored


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
