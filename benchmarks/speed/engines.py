"""Compare the engines on the exported model: speed, and scores on the labelled soundscapes.

python benchmarks/speed/engines.py
"""

import time
from pathlib import Path
from statistics import median

import numpy as np

from birdclef.common.files import write_json
from birdclef.common.names import INDEX
from birdclef.dataset.labels import label_windows, read_labels, window_targets
from birdclef.dataset.metrics import macro_roc_auc
from birdclef.dataset.soundscapes import read_windows
from birdclef.dataset.waveforms import SoundscapeWindows
from birdclef.params import load_params
from birdclef.predict.detector import Detector
from birdclef.predict.engines import ENGINES, EngineError

MODEL, RESULTS = Path("models/birdclef.onnx"), Path("benchmarks/results/engines.json")
REPEATS = 5


def main() -> None:
    clips = load_params().clips
    windows = label_windows(
        read_windows("labeled", clips), read_labels(INDEX / "soundscape_labels.csv")
    )
    sound = SoundscapeWindows(windows, "labeled", clips)
    waveforms = np.stack([sound[i].numpy() for i in range(len(sound))])
    detectors = {}
    for engine in ENGINES:
        try:
            detectors[engine] = Detector(MODEL, engine=engine)
        except EngineError as error:
            print(error)
    times: dict[str, list[float]] = {engine: [] for engine in detectors}
    found = {}
    for repeat in range(1 + REPEATS):  # the first run is a warm-up
        for engine, detector in detectors.items():
            size = detector.batch
            batches = [waveforms[i : i + size] for i in range(0, len(waveforms), size)]
            start = time.perf_counter()
            found[engine] = np.concatenate(list(detector.run(batches)))
            times[engine] += [time.perf_counter() - start] if repeat else []
    base = found["onnxruntime"]
    targets = window_targets(windows, [s["species"] for s in detectors["onnxruntime"].species])
    scores = {engine: macro_roc_auc(targets, p) for engine, p in found.items()}
    results = {
        engine: {
            "clips a second": round(len(waveforms) / median(times[engine]), 1),
            "MB": round(MODEL.stat().st_size / 1e6, 1),
            "macro ROC-AUC": round(scores[engine], 5),
            "difference": f"{scores[engine] - scores['onnxruntime']:+.5f}",
            "largest difference of a probability": f"{np.abs(p - base).max():.1g}",
        }
        for engine, p in found.items()
    }
    write_json(results, RESULTS)
    for engine, row in results.items():
        print(f"{engine:16}", ", ".join(f"{k} {v}" for k, v in row.items()))


if __name__ == "__main__":
    main()
