"""What the settings in birdclef.device buy: clips a second of one training step.

Each variant runs in a process of its own, since an allocator is set up once.

    python benchmarks/training_step.py
"""

import subprocess
import sys
import time

import torch
from torch.nn import functional

from birdclef import device
from birdclef.model import create_classifier
from birdclef.params import load_params
from birdclef.training import parameter_groups

VARIANTS = {
    "as it comes": ("fill", "allocator"),
    "kept memory": ("fill",),
    "kept memory, no filling (the pipeline's)": (),
}
STEPS = 8


def measure(without: set[str]) -> float:
    """Clips a second of forward, backward and optimiser, mel included, on made-up clips."""
    params = load_params()
    if "allocator" in without:
        setattr(device, "keep_freed_memory", lambda: None)  # noqa: B010
    device.prepare(params.runtime)
    setattr(torch.utils.deterministic, "fill_uninitialized_memory", "fill" in without)  # noqa: B010
    classifier = create_classifier(params.train, params.mel, params.clips, list("abcdefghijkl"), 0)
    optimizer = torch.optim.AdamW(parameter_groups(classifier, 0.01), lr=1e-4, fused=True)
    waveforms = torch.randn(32, params.clips.clip_samples)
    targets = torch.zeros(32, 12)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss = functional.binary_cross_entropy_with_logits(classifier(waveforms), targets)
        loss.backward()
        optimizer.step()

    for _ in range(3):
        step()
    start = time.perf_counter()
    for _ in range(STEPS):
        step()
    return 32 * STEPS / (time.perf_counter() - start)


def main() -> None:
    if len(sys.argv) > 1:
        print(measure(set(sys.argv[1].split(","))))
        return
    for name, without in VARIANTS.items():
        command = [sys.executable, __file__, ",".join(without) or "none"]
        runs = [float(subprocess.check_output(command)) for _ in range(3)]
        print(f"{name}: {sorted(runs)[1]:.0f} clips a second (median of 3 processes)")


if __name__ == "__main__":
    main()
