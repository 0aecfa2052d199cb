"""Scores of some folds of each level on the labelled soundscapes, for a search that trains no more.

`evaluate` scores every fold that params.yaml lists; this those that are named, of the first seed:
macro ROC-AUC on the even, the odd and all soundscapes, the mean of single models, and the 95 %
interval of the difference from the first level named.

    dvc repro pseudo_label && dvc repro train_l2@round0-0-default-0 train_l2@round0-0-default-1
    python experiments/score_folds.py l1:0,1,2,3 l2:0,1
"""

import argparse

import numpy as np

from birdclef.common.names import INDEX
from birdclef.common.recordings import read_species
from birdclef.dataset.metrics import bootstrap_difference, macro_roc_auc
from birdclef.evaluation.predictions import on_soundscapes
from birdclef.model.artifacts import backbones_of, trained_models
from birdclef.params import load_params


def _named(argument: str) -> tuple[str, list[int]]:
    level, _, folds = argument.partition(":")
    return level, [int(fold) for fold in folds.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("levels", nargs="+", type=_named, metavar="LEVEL:FOLD,FOLD,...")
    params, levels = load_params(), dict(parser.parse_args().levels)
    chosen, each = params.models, {}
    for level, folds in levels.items():
        names = backbones_of(level, chosen.teacher_backbones, chosen.student_backbones)
        each[level] = [[m] for m in trained_models(level, chosen.seeds[0], names, folds)]
    species = read_species(INDEX / "species.csv")["species"].tolist()
    ids, scored = on_soundscapes(each, species, params.mel, params.clips, params.runtime)
    _, number = np.unique(ids, return_inverse=True)
    halves = {"even": number % 2 == 0, "odd": number % 2 == 1, "all": number >= 0}
    before = np.mean(next(iter(scored.values())).probabilities, axis=0)
    for level, found in scored.items():
        mean = np.mean(found.probabilities, axis=0)
        said = [
            f"{name} {macro_roc_auc(found.targets[rows], mean[rows]):.3f}"
            for name, rows in halves.items()
        ]
        low, high = bootstrap_difference(
            found.targets, [before], [mean], ids, params.evaluate.bootstraps, params.evaluate.seed
        )
        single = np.mean(found.macro_roc_auc())
        print(level, *levels[level], *said, f"single {single:.3f} [{low:+.3f}, {high:+.3f}]")


if __name__ == "__main__":
    main()
