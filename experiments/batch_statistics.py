"""A control: how much of the students' gain do batch statistics of the soundscapes give alone?

Run it after `dvc repro train_l1`. The running means and variances of the teachers' batch norms are
replaced by those of the unlabelled windows; no weight is trained. Each line shows the macro ROC-AUC
on the labelled soundscapes.

    python experiments/batch_statistics.py
"""

import torch
from torch import nn
from torch.utils.data import DataLoader

from birdclef.common.names import INDEX
from birdclef.common.probabilities import sigmoid
from birdclef.common.recordings import read_species
from birdclef.dataset.labels import label_windows, read_labels, window_targets
from birdclef.dataset.metrics import macro_roc_auc
from birdclef.dataset.soundscapes import read_windows
from birdclef.dataset.waveforms import SoundscapeWindows
from birdclef.model.artifacts import load_ensemble, trained_models
from birdclef.model.batch_inference import predict_logits
from birdclef.model.device import prepare
from birdclef.params import load_params

BATCH = 64


def measure_statistics(model: nn.Module, windows: SoundscapeWindows, seed: int) -> None:
    """Set the running mean and variance of every batch norm to their mean over batches."""
    model.eval()  # no dropout
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.reset_running_stats()
            module.momentum = None  # the mean over all batches
            module.train()
    order = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        for batch in DataLoader(windows, BATCH, shuffle=True, generator=order, drop_last=True):
            model(batch)


def main() -> None:
    params = load_params()
    models, device = params.models, prepare(params.runtime)
    labeled = label_windows(
        read_windows("labeled", params.clips), read_labels(INDEX / "soundscape_labels.csv")
    )
    species = read_species(INDEX / "species.csv")["species"].tolist()
    targets = window_targets(labeled, species)
    test = SoundscapeWindows(labeled, "labeled", params.clips)
    unlabeled = SoundscapeWindows(
        read_windows("unlabeled", params.clips), "unlabeled", params.clips
    )
    for seed in models.seeds:
        teachers = trained_models("l1", seed, models.teacher_backbones, models.folds)
        ensemble = load_ensemble(teachers, params.mel, params.clips)
        for name in ("their own", "the soundscapes'"):
            logits = predict_logits(ensemble, test, device, params.runtime)
            score = macro_roc_auc(targets, sigmoid(logits).mean(axis=0))
            print(f"seed {seed} teachers with {name} batch statistics: {score:.3f}")
            measure_statistics(ensemble, unlabeled, seed)


if __name__ == "__main__":
    main()
