"""Score the pseudo labels themselves: what each transform makes of the labelled windows.

Run it after `dvc repro train_l1`. Each line shows the macro ROC-AUC of a transform's labels on the
labelled soundscapes, the share of probability that is left, and its true share. No power is
applied: a power changes no order, and so no ROC-AUC.

    python experiments/transforms.py
"""

from typing import get_args

import numpy as np

from birdclef.common.names import INDEX
from birdclef.common.recordings import read_species
from birdclef.dataset.labels import label_windows, read_labels, window_targets
from birdclef.dataset.metrics import macro_roc_auc
from birdclef.dataset.soundscapes import read_windows
from birdclef.dataset.waveforms import SoundscapeWindows
from birdclef.model.artifacts import load_ensemble, trained_models
from birdclef.model.batch_inference import predict_logits
from birdclef.model.device import prepare
from birdclef.params import PseudoLabelParams, load_params
from birdclef.pseudo_labels import soft_labels


def main() -> None:
    params = load_params()
    models, device = params.models, prepare(params.runtime)
    windows = read_windows("labeled", params.clips)
    labeled = label_windows(windows, read_labels(INDEX / "soundscape_labels.csv"))
    species = read_species(INDEX / "species.csv")["species"].tolist()
    targets, ids = window_targets(labeled, species), windows["soundscape_id"].tolist()
    dataset = SoundscapeWindows(windows, "labeled", params.clips)
    backbones = models.teacher_backbones
    for seed in models.seeds:
        teachers = trained_models("l1", seed, backbones, models.folds)
        ensemble = load_ensemble(teachers, params.mel, params.clips)
        logits = predict_logits(ensemble, dataset, device, params.runtime)
        logits = logits.reshape(len(backbones), len(models.folds), *logits.shape[1:])
        for transform in get_args(PseudoLabelParams.model_fields["transform"].annotation):
            changed = {"transform": transform, "teacher": "mean", "power": 1.0}
            choice = params.pseudo_label.model_copy(update=changed)
            labels = np.concatenate(list(soft_labels(logits, ids, choice)), axis=1)[0]
            found = labels[labeled.index]
            score = macro_roc_auc(targets, found)
            shares = f"share {found.mean():.3f}, true {targets.mean():.3f}"
            print(f"seed {seed} {transform:17s} {score:.3f} {shares}")


if __name__ == "__main__":
    main()
