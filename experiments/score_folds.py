"""Score chosen folds of each level on the labelled soundscapes.

The stage `evaluate` scores every fold that params.yaml lists. This script scores only the folds
that are named, with the first seed, so that a search need not train the others. It prints the
macro ROC-AUC of the mean of their models on the tuning half, the test half and all soundscapes, the
mean macro ROC-AUC of single models, and the 95 % interval of the difference from the first level
named.

    dvc repro pseudo_label && dvc repro train_l2@round0-0-default-0 train_l2@round0-0-default-1
    python experiments/score_folds.py l1:0,1,2,3 l2:0,1
"""

import argparse

import numpy as np

from birdclef.common.names import INDEX, Fold
from birdclef.common.recordings import read_species
from birdclef.dataset.metrics import macro_roc_auc
from birdclef.evaluation.halves import labeled_windows, tuning_rows
from birdclef.evaluation.interval import difference_interval
from birdclef.evaluation.predictions import on_soundscapes
from birdclef.model.artifacts import backbones_of, parse_fold, trained_models
from birdclef.params import load_params


def _named(argument: str) -> tuple[str, list[Fold]]:
    level, _, folds = argument.partition(":")
    return level, [parse_fold(fold) for fold in folds.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("levels", nargs="+", type=_named, metavar="LEVEL:FOLD,FOLD,...")
    params, levels = load_params(), dict(parser.parse_args().levels)
    models, repeats = params.models, {}
    for level, folds in levels.items():
        names = backbones_of(level, models.teacher_backbones, models.student_backbones)
        repeats[level] = [[m] for m in trained_models(level, models.seeds[0], names, folds)]
    species = read_species(INDEX / "species.csv")["species"].tolist()
    windows, runtime = labeled_windows(params.clips, params.evaluate.group), params.runtime
    by_level = on_soundscapes(windows, repeats, species, params.mel, params.clips, runtime)
    ids, tuning = windows["soundscape_id"].tolist(), tuning_rows(windows["group"].tolist())
    parts = {"tuning": tuning, "test": ~tuning, "all": np.ones_like(tuning)}
    baseline = np.mean(next(iter(by_level.values())).probabilities, axis=0)
    for level, scored in by_level.items():
        mean = np.mean(scored.probabilities, axis=0)
        scores = [
            f"{name} {macro_roc_auc(scored.targets[rows], mean[rows]):.3f}"
            for name, rows in parts.items()
        ]
        low, high = difference_interval(scored.targets, [baseline], [mean], ids)
        single = np.mean(scored.macro_roc_auc())
        print(level, *levels[level], *scores, f"single {single:.3f} [{low:+.3f}, {high:+.3f}]")


if __name__ == "__main__":
    main()
