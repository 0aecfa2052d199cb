"""Compare the trainer's speed and memory with those of a bare training step.

(a) The bare step: forward, backward and optimiser on one fixed batch of images.
(b) The trainer's loop: clips from the store, loudness, mixup, mel, loss, schedule.

Runs of both alternate, each in its own process. They use the clips that the last pipeline run
stored, and the device that `dvc repro` would choose.

    python benchmarks/speed/training_loop.py --batch 64 --workers 0 1
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from itertools import count, islice
from pathlib import Path
from statistics import median

import torch
from torch.nn import functional
from torch.utils.data import DataLoader

from birdclef.common.files import write_json
from birdclef.dataset.labeled import load_labeled
from birdclef.model.classifier import create_classifier
from birdclef.model.device import prepare
from birdclef.training.examples import TrainingExamples
from birdclef.training.trainer import FoldData, FoldParams, Trainer, parameter_groups
from full_size import load_full_size

RESULTS = Path("benchmarks/results/training_loop.json")
STEPS, WARM_UP = 6, 2


def bare(batch: int) -> float:
    """Median seconds per step on images that are already in memory."""
    params = load_full_size()
    device = prepare(params.runtime)
    classifier = create_classifier(params.train, params.mel, params.clips, list("abcdefghijkl"), 0)
    model = classifier.backbone.to(device).train()
    optimizer = torch.optim.AdamW(parameter_groups(model, 0.01), lr=1e-4, fused=True)
    scaler = torch.amp.GradScaler(device.type, enabled=device.type == "cuda")
    images = torch.randn(batch, 3, params.mel.n_mels, params.mel.n_frames, device=device)
    images = images.contiguous(memory_format=torch.channels_last)
    targets = torch.zeros(batch, 12, device=device)
    times = []
    for _ in range(WARM_UP + STEPS):
        start = time.perf_counter()
        with torch.autocast(device.type, enabled=scaler.is_enabled()):
            logits = model(images)
        loss = functional.binary_cross_entropy_with_logits(logits.float(), targets)
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        loss.item()
        scaler.step(optimizer)
        scaler.update()
        times.append(time.perf_counter() - start)
    return median(times[WARM_UP:])


def loop(batch: int, workers: int) -> float:
    """Median seconds per step of the trainer, including reading the clips."""
    params = load_full_size()
    device = prepare(params.runtime)
    labeled = load_labeled(params.clips)
    train, held_out = labeled.split(0)
    data = FoldData(TrainingExamples(labeled.clips), labeled.primary_labels, train, held_out)
    settings = params.train.model_copy(update={"batch": batch})
    level = params.train_l1.model_copy(update={"epochs": 100})
    classifier = create_classifier(settings, params.mel, params.clips, labeled.species, 0)
    sections = FoldParams(settings, level, params.mel, params.clips, params.runtime)
    trainer = Trainer(classifier, data, 0, sections, 0.0, device)
    loader = DataLoader(
        data.examples,
        batch_sampler=trainer.batches,
        num_workers=workers,
        pin_memory=device.type == "cuda",
    )
    generator = torch.Generator().manual_seed(0)
    classifier.train()
    times = []
    start = time.perf_counter()
    batches = (batch for _ in count() for batch in loader)  # epoch after epoch
    for examples in islice(batches, WARM_UP + STEPS):
        trainer.step(examples, generator)
        now = time.perf_counter()
        times.append(now - start)
        start = now
    return median(times[WARM_UP:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=64, help="clips per step (default 64)")
    parser.add_argument(
        "--workers", type=int, nargs="+", default=[0], help="numbers of loader processes to time"
    )
    parser.add_argument("--rounds", type=int, default=3, help="runs of each variant (default 3)")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    batch = arguments.batch
    if arguments.run:
        seconds = bare(batch) if arguments.run == "bare" else loop(batch, arguments.workers[0])
        print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6]))
        return
    ways = {"bare step": ["--run", "bare"]}
    for n in arguments.workers:
        ways[f"our loop, {n} workers"] = ["--run", "loop", "--workers", str(n)]
    found: dict[str, list[list[float]]] = {name: [] for name in ways}
    for _ in range(arguments.rounds):
        for name, options in ways.items():
            command = [sys.executable, __file__, "--batch", str(batch), *options]
            found[name].append(json.loads(subprocess.check_output(command)))
    medians = {
        name: [median(values) for values in zip(*runs, strict=True)] for name, runs in found.items()
    }
    bare_s, _ = medians["bare step"]
    results = {
        name: {
            "s a step": round(seconds, 3),
            "clips a second": round(batch / seconds, 1),
            "of the bare step": f"{bare_s / seconds:.0%}",
            "GB": round(gigabytes, 2),
        }
        for name, (seconds, gigabytes) in medians.items()
    }
    write_json(results, RESULTS)
    for name, row in results.items():
        print(f"{name:24}", ", ".join(f"{k} {v}" for k, v in row.items()))


if __name__ == "__main__":
    main()
