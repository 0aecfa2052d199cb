"""Measure peak memory of teacher inference and of a student's reading, per number of soundscapes.

Each soundscape has 48 windows, like those of the competition. It is a link to one of a few files
at 1 kHz, so that the number of rows and files matters, and not the decoding. Five teachers make
up their logits, and the student reads 200 steps of 64 windows. A process's own memory is measured
separately from pages of files, because the system drops those pages when it needs memory.

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
    """Write the soundscape store as preprocess does, and one labelled recording."""
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
    """(B, sample) -> made-up logits (teacher, B, species)."""

    def forward(self, waveforms: Tensor) -> Tensor:
        level = waveforms.std(dim=1)[None, :, None] * torch.linspace(-9, 9, SPECIES)
        return level * torch.arange(1, TEACHERS + 1)[:, None, None]


def write_labels(params: Params, device: torch.device) -> None:
    """Do what the stage pseudo_label does, but without a network."""
    table = read_windows("unlabeled", CLIPS)
    windows = SoundscapeWindows(table, "unlabeled", CLIPS)
    logits = predict_to_disk(Teachers(), windows, len(table), device, params.runtime)
    labels = soft_labels(logits[None], table["soundscape_id"].tolist(), params.pseudo_label)
    write_pseudo_labels("l2", 0, table, range(TEACHERS), labels)


def read_batches() -> None:
    """Read what the stage train_l2 reads in `STEPS` steps."""
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


def run(role: str, folder: Path) -> None:
    """Run the teachers or the student in this process, and print its peak memory in MB.

    Prints a JSON list: the process's own memory, and the same with pages of files.
    """
    params = load_params(ROOT / "params.yaml")
    peak, stop = [_megabytes("RssAnon")], threading.Event()

    def watch() -> None:
        while not stop.wait(0.01):
            peak[0] = max(peak[0], _megabytes("RssAnon"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    device = prepare(params.runtime.model_copy(update={"device": "cpu"}))
    with chdir(folder):
        write_labels(params, device) if role == "teachers" else read_batches()
    stop.set()
    watcher.join()
    print(json.dumps([peak[0], _megabytes("VmHWM")]))


def measure(count: int) -> dict[str, float]:
    """Peak memory in MB of the teachers and of the student with `count` soundscapes."""
    row: dict[str, float] = {"windows": count * WINDOWS}
    with tempfile.TemporaryDirectory() as temporary:
        make_soundscapes(Path(temporary), count)
        for role in ("teachers", "student"):
            command = [sys.executable, __file__, "--run", role, temporary]
            output = subprocess.check_output(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
            own, whole = json.loads(output)
            row |= {f"{role}, MB": round(own), f"{role}, pages of files too": round(whole)}
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--soundscapes",
        type=int,
        nargs="+",
        default=[100, 1000, 10_000],
        help="numbers of soundscapes to measure (default 100 1000 10000)",
    )
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
