"""Train the student of one fold on labelled clips and pseudo-labelled soundscape windows.

`python -m birdclef.stages.train_l2 FOLD`
"""

import sys

from birdclef.datasets import TrainingExamples
from birdclef.fold_run import FoldParams, train_fold
from birdclef.params import load_params
from birdclef.pseudo_labels import read_pseudo_labels
from birdclef.training_data import load_labeled


def main(fold: int) -> None:
    params = load_params()
    labeled = load_labeled(params.clips)
    pseudo = read_pseudo_labels(fold, params.clips)
    examples = TrainingExamples(labeled.clips, pseudo.windows, pseudo.probabilities)
    fold_params = FoldParams(
        params.train, params.train_l2, params.mel, params.clips, params.runtime
    )
    ratio = params.train_l2.pseudo_ratio
    train_fold("l2", fold, fold_params, labeled, examples, ratio, pseudo.files)


if __name__ == "__main__":
    main(int(sys.argv[1]))
