"""Scores of some folds of each level on the labelled soundscapes, for a search that trains no more.

`evaluate` scores every fold that params.yaml lists; this those that are named, of the first seed:
macro ROC-AUC on the even, the odd and all soundscapes, the mean of single models, and the 95 %
interval of the difference from the first level named.

    dvc repro pseudo_label && dvc repro train_l2@round0-0-default-0 train_l2@round0-0-default-1
    python benchmarks/score_folds.py l1:0,1,2,3 l2:0,1
"""

import argparse

import numpy as np

from birdclef.datasets import SoundscapeWindows
from birdclef.device import prepare
from birdclef.evaluation import label_windows, read_labels, window_targets
from birdclef.fold_outputs import load_ensemble, trained_models
from birdclef.logits import sigmoid
from birdclef.metrics import bootstrap_difference, macro_roc_auc
from birdclef.params import load_params
from birdclef.prediction import predict_logits
from birdclef.soundscapes import read_windows
from birdclef.training_data import INDEX, load_labeled


def _named(argument: str) -> tuple[str, list[int]]:
    level, _, folds = argument.partition(":")
    return level, [int(fold) for fold in folds.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("levels", nargs="+", type=_named, metavar="LEVEL:FOLD,FOLD,...")
    levels = parser.parse_args().levels
    params = load_params()
    device = prepare(params.runtime)
    windows = read_windows("labeled", params.clips)
    labeled = label_windows(windows, read_labels(INDEX / "soundscape_labels.csv"))
    targets = window_targets(labeled, load_labeled(params.clips).species)
    _, number = np.unique(labeled["soundscape_id"], return_inverse=True)
    halves = {"even": number % 2 == 0, "odd": number % 2 == 1, "all": number >= 0}
    dataset = SoundscapeWindows(labeled, "labeled", params.clips)
    first = None
    for level, folds in levels:
        chosen = params.models
        names = chosen.teacher_backbones if level == "l1" else chosen.student_backbones
        models = trained_models(level, params.models.seeds[0], names, folds)
        ensemble = load_ensemble(models, params.mel, params.clips)
        each = sigmoid(predict_logits(ensemble, dataset, device, params.runtime))
        mean = each.mean(axis=0)
        scores = [
            f"{half} {macro_roc_auc(targets[rows], mean[rows]):.3f}"
            for half, rows in halves.items()
        ]
        single = np.mean([macro_roc_auc(targets, one) for one in each])
        print(level, *folds, *scores, f"single {single:.3f}", end="")
        if first is None:
            first = mean
        else:
            ids, draws = labeled["soundscape_id"].tolist(), params.evaluate.bootstraps
            low, high = bootstrap_difference(
                targets, [first], [mean], ids, draws, params.evaluate.seed
            )
            print(f" [{low:+.3f}, {high:+.3f}]", end="")
        print()


if __name__ == "__main__":
    main()
