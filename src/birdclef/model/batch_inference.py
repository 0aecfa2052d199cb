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

# Forked workers share memory-mapped arrays; the other methods would pickle them, which reads them
# whole. It is set here because Python 3.14 changes the default.
LOADER_START = "fork"


def predict_batches(
    model: nn.Module, waveforms: Dataset[Tensor], device: torch.device, runtime: RuntimeParams
) -> Iterator[Logits]:
    """Predict the logits of waveforms, one batch at a time, in the dataset's order.

    Args:
        model: (B, sample) -> (..., B, species); moved to `device` and set to evaluation mode.
        waveforms: dataset of (sample,) items.
        device: where the model runs.
        runtime: batch size and number of loader processes.

    Yields:
        (..., B, species) logits of one batch.
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
    """Predict the logits of all waveforms as one array, (..., len(waveforms), species)."""
    return np.concatenate(list(predict_batches(model, waveforms, device, runtime)), axis=-2)


def predict_to_disk(
    model: nn.Module,
    waveforms: Dataset[Tensor],
    count: int,
    device: torch.device,
    runtime: RuntimeParams,
    after_batch: Callable[[int], None] = lambda _: None,
) -> Logits:
    """Predict the logits of `count` waveforms as one array, stored in a temporary file.

    Memory use stays flat: the logits of all windows of a competition, times five teachers, take
    gigabytes. The file has no name and is freed together with the array. `after_batch` is called
    after each batch with its number of waveforms.
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
