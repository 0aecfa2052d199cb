"""Compare the methods of post-processing by their scores on the labelled soundscapes.

Run it after `dvc repro`, on any data. Each line shows a macro ROC-AUC; the brackets hold the 95 %
interval, over soundscapes, of its difference from no post-processing.

    python experiments/postprocessing.py
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from birdclef.common.arrays import Matrix
from birdclef.common.names import INDEX, SOUNDSCAPES
from birdclef.dataset.labels import label_windows, read_labels, window_targets
from birdclef.dataset.metrics import macro_roc_auc
from birdclef.dataset.soundscapes import read_windows
from birdclef.evaluation.interval import difference_interval
from birdclef.params import load_params
from birdclef.predict.detector import Detector
from birdclef.predict.postprocess import add_recording_max, smooth

MODEL = Path("models/birdclef.onnx")
METHODS: dict[str, Callable[[Matrix], Matrix]] = {
    "none": lambda p: p,
    "--recording-max 0.8": add_recording_max,
    "--recording-max 0.4": lambda p: add_recording_max(p, 0.4),
    "--smooth": smooth,
    "both": lambda p: smooth(add_recording_max(p)),
}


def main() -> None:
    params = load_params()
    windows = read_windows("labeled", params.clips)
    labeled = label_windows(windows, read_labels(INDEX / "soundscape_labels.csv"))
    detector = Detector(MODEL)
    names = windows["soundscape_id"].unique()
    paths = [SOUNDSCAPES / f"labeled/{name}.flac" for name in names]
    predicted = {scores.path.stem: scores.probabilities for scores in detector.predict(paths)}
    targets = window_targets(labeled, [s["species"] for s in detector.species])
    ids = labeled["soundscape_id"].tolist()
    processed = {}
    for method, function in METHODS.items():
        all_windows = np.concatenate([function(predicted[name]) for name in names])
        processed[method] = all_windows[labeled.index]
        score = macro_roc_auc(targets, processed[method])
        low, high = difference_interval(targets, [processed["none"]], [processed[method]], ids)
        print(f"{method:20} {score:.4f} [{low:+.4f}, {high:+.4f}]")


if __name__ == "__main__":
    main()
