"""Teachers predict every window of every unlabelled soundscape; students learn from the result.

`python -m birdclef.stages.pseudo_label TEACHERS STUDENTS SEED`, both of them levels.
"""

import sys
import time

from birdclef.common.names import TRAINED
from birdclef.dataset.soundscapes import read_windows
from birdclef.dataset.waveforms import SoundscapeWindows
from birdclef.errors import plain_errors
from birdclef.model.artifacts import drop_others, load_ensemble, trained_models
from birdclef.model.batch_inference import predict_to_disk
from birdclef.model.device import prepare
from birdclef.params import ParamsError, load_params
from birdclef.progress import console, progress
from birdclef.pseudo_labels import soft_labels, write_pseudo_labels


def main(teachers: str, students: str, seed: int) -> None:
    params = load_params()
    device, folds = prepare(params.runtime), params.models.folds
    first = teachers == "l1"
    backbones = params.models.teacher_backbones if first else params.models.student_backbones
    models = trained_models(teachers, seed, backbones, folds)
    drop_others(TRAINED / teachers / f"seed_{seed}", models)
    ensemble = load_ensemble(models, params.mel, params.clips)
    table = read_windows("unlabeled", params.clips)
    if table.empty:
        raise ParamsError(
            "no unlabelled soundscape is stored, so students would have nothing to learn from; add"
            " birdclef-2024/unlabeled_soundscapes to data.root, or train teachers alone:"
            " dvc repro train_l1"
        )
    start = time.monotonic()
    windows = SoundscapeWindows(table, "unlabeled", params.clips)
    with progress(f"{len(models)} teachers", len(table)) as advance:

        def after_batch(count: int) -> None:
            advance("windows", count)

        logits = predict_to_disk(ensemble, windows, len(table), device, params.runtime, after_batch)
    rate = len(table) / (time.monotonic() - start)
    console.print(
        f"{len(models)} teachers on {len(table)} windows: {rate:.0f} windows a second",
        highlight=False,
    )
    logits = logits.reshape(len(backbones), len(folds), *logits.shape[1:])
    labels = soft_labels(logits, table["soundscape_id"].tolist(), params.pseudo_label)
    write_pseudo_labels(students, seed, table, folds, labels)


if __name__ == "__main__":
    with plain_errors():
        main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
