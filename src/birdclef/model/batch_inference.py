"""Run a model over clips or windows: float32, no gradients, in order."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from birdclef.common.arrays import Logits
from birdclef.params import RuntimeParams

# not by pickling, which would read what is mapped; Python 3.14 would choose another
LOADER_START = "fork"


def predict_batches(
    model: nn.Module, waveforms: Dataset[Tensor], device: torch.device, runtime: RuntimeParams
) -> Iterator[Logits]:
    """Logits of batch after batch of waveforms, in the dataset's order.

    Args:
        model: (B, sample) -> (..., B, species); it is moved to `device` and set to evaluate.
        waveforms: items of (sample,).
        device: where it runs.
        runtime: batch size and loader processes.

    Yields:
        (..., B, species).
    """
    model = model.to(device).eval()
    loader = DataLoader(
        waveforms,
        batch_size=runtime.inference_batch,
        num_workers=runtime.workers,
        multiprocessing_context=LOADER_START if runtime.workers else None,
        pin_memory=device.type == "cuda",
    )
    for batch in loader:
        with torch.inference_mode():
            logits = model(batch.to(device, non_blocking=True)).float().cpu().numpy()
        yield logits


def predict_logits(
    model: nn.Module, waveforms: Dataset[Tensor], device: torch.device, runtime: RuntimeParams
) -> Logits:
    """All that `predict_batches` yields as one array, (..., len(waveforms), species)."""
    return np.concatenate(list(predict_batches(model, waveforms, device, runtime)), axis=-2)


def predict_to_disk(
    model: nn.Module,
    waveforms: Dataset[Tensor],
    count: int,
    device: torch.device,
    runtime: RuntimeParams,
    after_batch: Callable[[int], None] = lambda _: None,
) -> Logits:
    """The same for `count` waveforms, in a nameless file that goes with the array.

    Memory stays flat: all windows of a competition, times five teachers, are gigabytes.
    `after_batch` is called with the number of waveforms of each batch.
    """
    folder, start = Path(runtime.resume_dir), 0
    folder.mkdir(parents=True, exist_ok=True)
    logits: Logits = np.zeros((0, 0, 0), np.float32)
    with tempfile.TemporaryFile(dir=folder) as file:
        for batch in predict_batches(model, waveforms, device, runtime):
            if not start:
                shape = (*batch.shape[:-2], count, batch.shape[-1])
                logits = np.memmap(file, np.float32, "w+", shape=shape)
            stop = start + batch.shape[-2]
            logits[..., start:stop, :] = batch
            after_batch(stop - start)
            start = stop
    return logits
