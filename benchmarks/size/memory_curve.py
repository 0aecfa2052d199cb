"""Peak memory of teacher inference and of a student's reading, by the number of soundscapes.

Each soundscape has 48 windows, as the competition's have, and is a link to one of a few files at
1 kHz, so that rows and files count and not decoding. Five teachers give made-up answers, and the
student reads 200 steps of 64 windows. What a process holds of its own is told apart from pages of
files, which the system drops when it needs the room.

    python benchmarks/size/memory_curve.py --soundscapes 100 1000 10000
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from contextlib import chdir
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from birdclef.audio.pack_clips import INDEX_COLUMNS, pack_shard
from birdclef.common.files import write_json
from birdclef.common.lengths import clip_samples
from birdclef.dataset.clips import ClipStore
from birdclef.dataset.soundscapes import read_windows
from birdclef.dataset.waveforms import LabeledClips, SoundscapeWindows
from birdclef.model.batch_inference import predict_to_disk
from birdclef.model.device import prepare
from birdclef.params import ClipsParams, Params, load_params
from birdclef.pseudo_labels import read_pseudo_labels, soft_labels, write_pseudo_labels
from birdclef.training.examples import EpochBatches, TrainingExamples

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks/results/memory.json"
CLIPS = ClipsParams(sample_rate_hz=1000, clip_s=5.0, shift_s=1.0)
SPECIES, TEACHERS, WINDOWS, FILES, STEPS, BATCH = 182, 5, 48, 4, 200, 64


def make_soundscapes(folder: Path, count: int) -> None:
    """The store as preprocess leaves it, and one labelled recording."""
    rng = np.random.default_rng(0)
    store = folder / "data/soundscapes/unlabeled"
    store.mkdir(parents=True)
    samples = WINDOWS * clip_samples(CLIPS)
    for i in range(FILES):
        soundfile.write(folder / f"{i}.flac", 0.1 * rng.standard_normal(samples), 1000)
    for i in range(count):
        (store / f"scape{i:06d}.flac").hardlink_to(folder / f"{i % FILES}.flac")
    table = pd.DataFrame(
        {"soundscape_id": [f"scape{i:06d}" for i in range(count)], "samples": samples}
    )
    table.to_csv(folder / "data/soundscapes/unlabeled.csv", index=False)
    packed = pack_shard("a", [("r", "0.flac")], folder, folder, CLIPS)
    pd.DataFrame(packed.stored, columns=INDEX_COLUMNS).to_csv(folder / "index.csv", index=False)


class Teachers(nn.Module):
    """(B, sample) -> (teacher, B, species) of something."""

    def forward(self, waveforms: Tensor) -> Tensor:
        level = waveforms.std(dim=1)[None, :, None] * torch.linspace(-9, 9, SPECIES)
        return level * torch.arange(1, TEACHERS + 1)[:, None, None]


def teach(params: Params, device: torch.device) -> None:
    """What the stage pseudo_label does, but for the network."""
    table = read_windows("unlabeled", CLIPS)
    windows = SoundscapeWindows(table, "unlabeled", CLIPS)
    logits = predict_to_disk(Teachers(), windows, len(table), device, params.runtime)
    labels = soft_labels(logits[None], table["soundscape_id"].tolist(), params.pseudo_label)
    write_pseudo_labels("l2", 0, table, range(TEACHERS), labels)


def learn() -> None:
    """What the stage train_l2 reads in `STEPS` steps."""
    pseudo = read_pseudo_labels("l2", 0, 0, CLIPS)
    known = np.ones((1, SPECIES), np.float32)
    labeled = LabeledClips(ClipStore(Path(), CLIPS), ["r"], known, known, CLIPS)
    examples = TrainingExamples(labeled, pseudo.windows, pseudo.probabilities)
    rows = np.zeros(2 * STEPS, np.int64)
    batches = EpochBatches(rows, 2, len(pseudo.windows), BATCH, seed=0)
    for _ in DataLoader(examples, batch_sampler=batches):
        pass


def _megabytes(field: str) -> float:
    status = Path("/proc/self/status").read_text()
    return int(re.findall(rf"{field}:\s+(\d+) kB", status)[0]) / 1e3


def run(what: str, folder: Path) -> None:
    """Do it in this process; print the most memory of its own, and with pages of files."""
    params = load_params(ROOT / "params.yaml")
    peak, stop = [_megabytes("RssAnon")], threading.Event()

    def watch() -> None:
        while not stop.wait(0.01):
            peak[0] = max(peak[0], _megabytes("RssAnon"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    device = prepare(params.runtime.model_copy(update={"device": "cpu"}))
    with chdir(folder):
        teach(params, device) if what == "teachers" else learn()
    stop.set()
    watcher.join()
    print(json.dumps([peak[0], _megabytes("VmHWM")]))


def measure(count: int) -> dict[str, float]:
    row: dict[str, float] = {"windows": count * WINDOWS}
    with tempfile.TemporaryDirectory() as temporary:
        make_soundscapes(Path(temporary), count)
        for what in ("teachers", "student"):
            command = [sys.executable, __file__, "--run", what, temporary]
            shown = subprocess.check_output(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
            own, whole = json.loads(shown)
            row |= {f"{what}, MB": round(own), f"{what}, pages of files too": round(whole)}
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--soundscapes", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        run(arguments.run[0], Path(arguments.run[1]))
        return
    results = {}
    for count in arguments.soundscapes:
        results[f"{count} soundscapes"] = row = measure(count)
        print(f"{count} soundscapes:", ", ".join(f"{k} {v}" for k, v in row.items()), flush=True)
    write_json(results, RESULTS)


if __name__ == "__main__":
    main()
