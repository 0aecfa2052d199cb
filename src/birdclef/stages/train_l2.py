"""Train one student on labelled clips and pseudo-labelled soundscape windows.

`python -m birdclef.stages train_l2@ROUND-SEED-BACKBONE-FOLD`; ROUND is round0, round1, ...
"""

import sys

from birdclef.common.names import Fold
from birdclef.dataset.labeled import load_labeled
from birdclef.errors import plain_errors
from birdclef.model.artifacts import TrainedModel, parse_fold
from birdclef.params import load_params
from birdclef.pseudo_labels import read_pseudo_labels
from birdclef.training.examples import TrainingExamples
from birdclef.training.fold import train_fold
from birdclef.training.trainer import FoldParams


def main(_teachers: str, level: str, seed: int, backbone: str, fold: Fold) -> None:
    params = load_params()
    labeled = load_labeled(params.clips)
    pseudo = read_pseudo_labels(level, seed, fold, params.clips)
    examples = TrainingExamples(labeled.clips, pseudo.windows, pseudo.probabilities)
    fold_params = FoldParams(
        params.train, params.train_l2, params.mel, params.clips, params.runtime
    )
    model, ratio = TrainedModel(level, seed, backbone, fold), params.train_l2.pseudo_ratio
    train_fold(model, fold_params, labeled, examples, ratio, pseudo.files)


if __name__ == "__main__":
    with plain_errors():
        _, teachers, students, seed, name, fold = sys.argv
        main(teachers, students, int(seed), name, parse_fold(fold))
