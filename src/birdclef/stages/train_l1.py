"""Train one teacher on labelled clips: `python -m birdclef.stages train_l1@SEED-BACKBONE-FOLD`."""

import sys

from birdclef.common.names import Fold
from birdclef.dataset.labeled import load_labeled
from birdclef.errors import plain_errors
from birdclef.model.artifacts import TrainedModel, parse_fold
from birdclef.params import load_params
from birdclef.training.examples import TrainingExamples
from birdclef.training.fold import train_fold
from birdclef.training.trainer import FoldParams


def main(seed: int, backbone: str, fold: Fold) -> None:
    params = load_params()
    labeled = load_labeled(params.clips)
    fold_params = FoldParams(
        params.train, params.train_l1, params.mel, params.clips, params.runtime
    )
    model = TrainedModel("l1", seed, backbone, fold)
    train_fold(model, fold_params, labeled, TrainingExamples(labeled.clips))


if __name__ == "__main__":
    with plain_errors():
        main(int(sys.argv[1]), sys.argv[2], parse_fold(sys.argv[3]))
