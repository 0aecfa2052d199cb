"""Score both levels: out of fold, and on the labelled soundscapes that no training saw."""

from pathlib import Path
from typing import Any

from birdclef.datasets import SoundscapeWindows
from birdclef.device import prepare
from birdclef.evaluation import label_windows, read_labels, species_table, window_targets
from birdclef.files import write_csv, write_json
from birdclef.fold_outputs import Level, load_ensemble, read_out_of_fold
from birdclef.labels import Matrix
from birdclef.metrics import bootstrap_difference, macro_roc_auc
from birdclef.params import Params, load_params
from birdclef.prediction import predict_logits, sigmoid
from birdclef.soundscapes import read_windows
from birdclef.training_data import INDEX, LabeledData, load_labeled

LEVELS: tuple[Level, Level] = ("l1", "l2")
METRICS, SPECIES = Path("metrics/evaluate.json"), Path("metrics/species.csv")


def out_of_fold(
    level: Level, folds: list[int], labeled: LabeledData
) -> tuple[Matrix, Matrix, Matrix]:
    """Targets, probabilities and masks of every recording that a fold held out."""
    predictions = read_out_of_fold(level, folds)
    row_of = {name: row for row, name in enumerate(labeled.clips.recording_ids)}
    rows = [row_of[name] for name in predictions.recording_ids]
    return labeled.clips.targets[rows], predictions.probabilities, labeled.clips.masks[rows]


def on_soundscapes(
    params: Params, species: list[str]
) -> tuple[list[str], dict[Level, tuple[Matrix, Matrix]]]:
    """Soundscape of each labelled window, and targets and probabilities of each level."""
    windows = read_windows("labeled", params.clips)
    labeled = label_windows(windows, read_labels(INDEX / "soundscape_labels.csv"))
    if labeled.empty:
        return [], {}
    device, targets = prepare(params.runtime), window_targets(labeled, species)
    dataset = SoundscapeWindows(labeled, "labeled", params.clips)
    scores: dict[Level, tuple[Matrix, Matrix]] = {}
    for level in LEVELS:
        ensemble = load_ensemble(level, params.folds.run, params.mel, params.clips)
        logits = predict_logits(ensemble, dataset, device, params.runtime)
        scores[level] = (targets, sigmoid(logits).mean(axis=0))
    return labeled["soundscape_id"].tolist(), scores


def main() -> None:
    params = load_params()
    labeled = load_labeled(params.clips)
    oof = {level: out_of_fold(level, params.folds.run, labeled) for level in LEVELS}
    ids, soundscapes = on_soundscapes(params, labeled.species)
    metrics: dict[str, Any] = {
        "out_of_fold": {level: round(macro_roc_auc(*oof[level]), 5) for level in LEVELS}
    }
    if soundscapes:
        scores: dict[str, float] = {k: macro_roc_auc(*soundscapes[k]) for k in LEVELS}
        (targets, before), (_, after) = soundscapes["l1"], soundscapes["l2"]
        low, high = bootstrap_difference(
            targets, before, after, ids, params.evaluate.bootstraps, params.evaluate.seed
        )
        values = scores | {"difference": scores["l2"] - scores["l1"], "low": low, "high": high}
        metrics["soundscapes"] = {key: round(value, 5) for key, value in values.items()}
    write_json(metrics, METRICS)
    table = species_table(labeled.species, oof, soundscapes)
    write_csv(table, SPECIES, float_format="%.5f")


if __name__ == "__main__":
    main()
