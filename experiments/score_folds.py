"""Score chosen folds of each level on the labelled soundscapes.

The stage `evaluate` scores every fold that params.yaml lists. This script scores only the folds
that are named, with the first seed, so that a search need not train the others. It prints the
macro ROC-AUC of the mean of their models on the even, the odd and all soundscapes, the mean macro
ROC-AUC of single models, and the 95 % interval of the difference from the first level named.

    dvc repro pseudo_label && dvc repro train_l2@round0-0-default-0 train_l2@round0-0-default-1
    python experiments/score_folds.py l1:0,1,2,3 l2:0,1
"""

import argparse

import numpy as np

from birdclef.common.names import INDEX, Fold
from birdclef.common.recordings import read_species
from birdclef.dataset.metrics import bootstrap_difference, macro_roc_auc
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
    ids, by_level = on_soundscapes(repeats, species, params.mel, params.clips, params.runtime)
    _, number = np.unique(ids, return_inverse=True)
    halves = {"even": number % 2 == 0, "odd": number % 2 == 1, "all": number >= 0}
    baseline = np.mean(next(iter(by_level.values())).probabilities, axis=0)
    for level, scored in by_level.items():
        mean = np.mean(scored.probabilities, axis=0)
        scores = [
            f"{name} {macro_roc_auc(scored.targets[rows], mean[rows]):.3f}"
            for name, rows in halves.items()
        ]
        bootstraps, seed = params.evaluate.bootstraps, params.evaluate.seed
        low, high = bootstrap_difference(scored.targets, [baseline], [mean], ids, bootstraps, seed)
        single = np.mean(scored.macro_roc_auc())
        print(level, *levels[level], *scores, f"single {single:.3f} [{low:+.3f}, {high:+.3f}]")


if __name__ == "__main__":
    main()
