"""What each way of post-processing does to the scores of the labelled soundscapes.

Run it after `dvc repro`, on any data; brackets are a 95 % interval over soundscapes of the
difference from none.

    python experiments/postprocessing.py
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from birdclef.common.arrays import Matrix
from birdclef.common.names import INDEX, SOUNDSCAPES
from birdclef.dataset.labels import label_windows, read_labels, window_targets
from birdclef.dataset.metrics import bootstrap_difference, macro_roc_auc
from birdclef.dataset.soundscapes import read_windows
from birdclef.params import load_params
from birdclef.predict.detector import Detector
from birdclef.predict.postprocess import add_recording_max, smooth

MODEL = Path("models/birdclef.onnx")
WAYS: dict[str, Callable[[Matrix], Matrix]] = {
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
    heard = {
        h.path.stem: h for h in detector.predict([SOUNDSCAPES / f"labeled/{n}.flac" for n in names])
    }
    targets = window_targets(labeled, [s["species"] for s in detector.species])
    ids = labeled["soundscape_id"].tolist()
    found = {}
    for way, function in WAYS.items():
        whole = np.concatenate([function(heard[n].probabilities) for n in names])
        found[way] = whole[labeled.index]
        score = macro_roc_auc(targets, found[way])
        low, high = bootstrap_difference(
            targets, [found["none"]], [found[way]], ids, params.evaluate.bootstraps, 0
        )
        print(f"{way:20} {score:.4f} [{low:+.4f}, {high:+.4f}]")


if __name__ == "__main__":
    main()
