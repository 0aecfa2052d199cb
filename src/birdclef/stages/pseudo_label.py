"""Let teachers predict every window of every unlabelled soundscape, for students to learn from.

`python -m birdclef.stages pseudo_label@ROUND-SEED`; ROUND is round0, round1, ...
"""

import sys

from birdclef.common.names import TRAINED
from birdclef.dataset.waveforms import SoundscapeWindows
from birdclef.errors import plain_errors
from birdclef.model.artifacts import backbones_of, drop_unlisted, load_ensemble, trained_models
from birdclef.model.batch_inference import predict_to_disk
from birdclef.model.device import prepare
from birdclef.params import load_params
from birdclef.progress import timed
from birdclef.pseudo_labels import soft_labels, unlabeled_windows, write_pseudo_labels


def main(teachers: str, students: str, seed: int) -> None:
    params = load_params()
    lists = params.models.teacher_backbones, params.models.student_backbones
    backbones, folds = backbones_of(teachers, *lists), params.models.folds
    models = trained_models(teachers, seed, backbones, folds)
    drop_unlisted(TRAINED / teachers / f"seed_{seed}", models)
    ensemble, device = load_ensemble(models, params.mel, params.clips), prepare(params.runtime)
    table = unlabeled_windows(params.clips)
    windows, count = SoundscapeWindows(table, "unlabeled", params.clips), len(table)
    with timed(f"{len(models)} teachers", count, "windows") as advance:
        logits = predict_to_disk(ensemble, windows, count, device, params.runtime, advance)
    logits = logits.reshape(len(backbones), len(folds), *logits.shape[1:])
    labels = soft_labels(logits, table["soundscape_id"].tolist(), params.pseudo_label)
    shuffled = params.pseudo_label.shuffled
    write_pseudo_labels(students, seed, table, folds, labels, shuffled)


if __name__ == "__main__":
    with plain_errors():
        main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
