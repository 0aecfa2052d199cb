"""How much of a bare training step's speed the real loop keeps, and how much memory it adds.

(a) forward, backward and optimiser on one fixed batch of images;
(b) the trainer's own epochs: clips from the store, loudness, mixup, mel, loss, schedule.

The two alternate, each in a process of its own, on the clips that the last run stored.

    python benchmarks/training_loop.py [batch]
"""

import resource
import subprocess
import sys
import time
from itertools import count, islice
from statistics import median

import torch
from torch.nn import functional
from torch.utils.data import DataLoader

from birdclef.datasets import TrainingExamples
from birdclef.device import prepare
from birdclef.model import create_classifier
from birdclef.params import load_params
from birdclef.training import FoldData, Trainer, parameter_groups
from birdclef.training_data import load_labeled

STEPS, WARM_UP, REPEATS = 6, 2, 3


def bare(batch: int) -> float:
    """Seconds a step on images that are already there."""
    params = load_params()
    prepare(params.runtime)
    classifier = create_classifier(params.train, params.mel, params.clips, list("abcdefghijkl"), 0)
    model = classifier.backbone.train()
    optimizer = torch.optim.AdamW(parameter_groups(model, 0.01), lr=1e-4, fused=True)
    images = torch.randn(batch, 3, params.mel.n_mels, params.mel.n_frames)
    images = images.contiguous(memory_format=torch.channels_last)
    targets = torch.zeros(batch, 12)
    times = []
    for _ in range(WARM_UP + STEPS):
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        functional.binary_cross_entropy_with_logits(model(images), targets).backward()
        optimizer.step()
        times.append(time.perf_counter() - start)
    return median(times[WARM_UP:])


def loop(batch: int) -> float:
    """Seconds a step of the trainer, reading included."""
    params = load_params()
    device = prepare(params.runtime)
    labeled = load_labeled(params.clips)
    train, held_out = labeled.split(0, "grouped")
    data = FoldData(TrainingExamples(labeled.clips), labeled.primary_labels, train, held_out)
    settings = params.train.model_copy(update={"batch": batch})
    level = params.train_l1.model_copy(update={"epochs": 100})
    classifier = create_classifier(settings, params.mel, params.clips, labeled.species, 0)
    trainer = Trainer(classifier, data, 0, settings, level, 0.0, params.runtime, device)
    loader = DataLoader(data.examples, batch_sampler=trainer.batches)
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
    if sys.argv[1:2] == ["run"]:
        seconds = {"bare": bare, "loop": loop}[sys.argv[2]](int(sys.argv[3]))
        print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
        return
    batch = sys.argv[1] if len(sys.argv) > 1 else "64"
    runs: dict[str, list[list[float]]] = {"bare": [], "loop": []}
    for _ in range(REPEATS):
        for name, found in runs.items():
            shown = subprocess.check_output([sys.executable, __file__, "run", name, batch])
            found.append([float(value) for value in shown.split()])
    (bare_s, bare_gb), (loop_s, loop_gb) = (
        [median(values) for values in zip(*found, strict=True)] for found in runs.values()
    )
    print(f"batch {batch}: bare step {bare_s:.3f} s, {bare_gb:.2f} GB at most")
    print(f"batch {batch}: our loop  {loop_s:.3f} s, {loop_gb:.2f} GB at most")
    print(f"the loop runs at {bare_s / loop_s:.0%} of the bare step's speed")


if __name__ == "__main__":
    main()
