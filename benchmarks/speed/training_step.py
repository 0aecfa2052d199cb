"""Compare settings by the speed of one training step, including the mel, in clips per second.

Each variant runs in its own process, because the allocator can be set up only once per process.
Runs of the variants alternate. If a GPU is available, GPU settings follow the CPU settings.

    python benchmarks/speed/training_step.py --batch 64 --steps 6 --rounds 2
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch.nn import functional

from birdclef.common.files import write_json
from birdclef.common.lengths import clip_samples
from birdclef.common.portable import hold_to_avx2
from birdclef.model import device as device_module
from birdclef.model.classifier import create_classifier
from birdclef.training.trainer import parameter_groups
from full_size import load_full_size

RESULTS = Path("benchmarks/results/training_step.json")
WARM_UP = 3
OURS: dict[str, Any] = {
    "device": "cpu",
    "allocator": True,  # birdclef.common.allocator
    "fill": False,  # PyTorch fills new memory before use if algorithms are deterministic
    "channels_last": True,
    "threads": 2,
    "precision": "float32",
    "mel": "device",
    "pinned": True,
    "deterministic": True,
    "portable": False,  # birdclef.common.portable: AVX2 at most
}
PLAIN = {"allocator": False, "fill": True, "channels_last": False}
CPU: dict[str, dict[str, Any]] = {
    "as PyTorch comes, deterministic": PLAIN,
    "... nothing filled": {"allocator": False, "channels_last": False},
    "... channels_last": {"allocator": False},
    "... kept memory: the pipeline": {},
    "the pipeline without channels_last": {"channels_last": False},
    "the pipeline, one thread": {"threads": 1},
    "the pipeline, not deterministic": {"deterministic": False},
    "the pipeline, portable: the demo": {"portable": True},
}
BFLOAT16: dict[str, dict[str, Any]] = {
    "the pipeline in bfloat16": {"precision": "bfloat16"},
    "the pipeline in bfloat16, one thread": {"precision": "bfloat16", "threads": 1},
}
HALF = {"device": "cuda", "precision": "float16"}
CUDA: dict[str, dict[str, Any]] = {
    "GPU, float32": {"device": "cuda"},
    "GPU, float16: the pipeline": HALF,
    "GPU, bfloat16": HALF | {"precision": "bfloat16"},
    "GPU, float16 without channels_last": HALF | {"channels_last": False},
    "GPU, float16, mel on the CPU": HALF | {"mel": "cpu"},
    "GPU, float16, copies not pinned": HALF | {"pinned": False},
    "GPU, float16, not deterministic": HALF | {"deterministic": False},
}


def _prepare(setting: dict[str, Any]) -> torch.device:
    if not setting["allocator"]:
        setattr(device_module, "keep_freed_memory", lambda: None)  # noqa: B010
    chosen = {"device": setting["device"], "threads": setting["threads"]}
    device = device_module.prepare(load_full_size().runtime.model_copy(update=chosen))
    setattr(torch.utils.deterministic, "fill_uninitialized_memory", setting["fill"])  # noqa: B010
    if not setting["deterministic"]:
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.benchmark = True
    return device


def measure(setting: dict[str, Any], batch: int, steps: int) -> tuple[float, float]:
    """Median seconds of forward, backward and optimiser on random clips, and peak memory in GB."""
    device, params = _prepare(setting), load_full_size()
    classifier = create_classifier(params.train, params.mel, params.clips, list("abcdefghijkl"), 0)
    layout = torch.channels_last if setting["channels_last"] else torch.contiguous_format
    backbone = classifier.backbone.to(memory_format=layout).to(device).train()
    front_end = classifier.front_end.to(device if setting["mel"] == "device" else "cpu")
    optimizer = torch.optim.AdamW(parameter_groups(backbone, 0.01), lr=1e-4, fused=True)
    dtype = getattr(torch, setting["precision"])
    scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)
    waveforms, targets = torch.randn(batch, clip_samples(params.clips)), torch.zeros(batch, 12)
    if device.type == "cuda" and setting["pinned"]:
        waveforms, targets = waveforms.pin_memory(), targets.pin_memory()

    def step() -> None:
        clips = waveforms if setting["mel"] == "cpu" else waveforms.to(device, non_blocking=True)
        images = front_end(clips).to(device, non_blocking=True).contiguous(memory_format=layout)
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            logits = backbone(images)
        truth = targets.to(device, non_blocking=True)
        loss = functional.binary_cross_entropy_with_logits(logits.float(), truth)
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        loss.item()  # waits for the device, as the trainer does
        scaler.step(optimizer)
        scaler.update()

    times = []
    for _ in range(WARM_UP + steps):
        start = time.perf_counter()
        step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    on_gpu = device.type == "cuda" and torch.cuda.max_memory_allocated() / 1e9
    return median(times[WARM_UP:]), on_gpu or resource.getrusage(
        resource.RUSAGE_SELF
    ).ru_maxrss / 1e6


def _variants() -> dict[str, dict[str, Any]]:
    variants = dict(CPU)
    flags = Path("/proc/cpuinfo")
    if flags.exists() and "bf16" in flags.read_text():
        variants |= BFLOAT16
    return variants | (CUDA if torch.cuda.is_available() else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=64, help="clips per step (default 64)")
    parser.add_argument("--steps", type=int, default=6, help="timed steps per run (default 6)")
    parser.add_argument("--rounds", type=int, default=2, help="runs of each variant (default 2)")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        print(json.dumps(measure(json.loads(arguments.run), arguments.batch, arguments.steps)))
        return
    variants = _variants()
    sizes = ["--batch", str(arguments.batch), "--steps", str(arguments.steps)]
    found: dict[str, list[list[float]]] = {name: [] for name in variants}
    for _ in range(arguments.rounds):
        for name, changes in variants.items():
            command = [sys.executable, __file__, *sizes, "--run", json.dumps(OURS | changes)]
            environment = dict(os.environ)
            if changes.get("portable"):
                hold_to_avx2(environment)
            found[name].append(json.loads(subprocess.check_output(command, env=environment)))
    results = {}
    for name, runs in found.items():
        seconds, gigabytes = (median(values) for values in zip(*runs, strict=True))
        results[name] = {
            "clips a second": round(arguments.batch / seconds, 1),
            "s a step": round(seconds, 3),
            "GB": round(gigabytes, 2),
        }
        print(f"{name:40}", ", ".join(f"{k} {v}" for k, v in results[name].items()))
    write_json(results, RESULTS)


if __name__ == "__main__":
    main()
