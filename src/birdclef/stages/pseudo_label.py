"""Teachers predict every window of every unlabelled soundscape; students learn from the result."""

from birdclef.datasets import SoundscapeWindows
from birdclef.device import prepare
from birdclef.fold_outputs import load_ensemble
from birdclef.params import load_params
from birdclef.prediction import predict_logits
from birdclef.progress import console
from birdclef.pseudo_labels import soft_labels, write_pseudo_labels
from birdclef.soundscapes import read_windows


def main() -> None:
    params = load_params()
    device = prepare(params.runtime)
    teachers = load_ensemble("l1", params.folds.run, params.mel, params.clips)
    table = read_windows("unlabeled", params.clips)
    console.print(f"{len(params.folds.run)} teachers on {len(table)} windows", highlight=False)
    windows = SoundscapeWindows(table, "unlabeled", params.clips)
    logits = predict_logits(teachers, windows, device, params.runtime)  # (model, window, species)
    labels = soft_labels(logits, table["soundscape_id"].tolist(), params.pseudo_label)
    write_pseudo_labels(table, params.folds.run, labels)


if __name__ == "__main__":
    main()
