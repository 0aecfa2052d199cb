"""Run a model over clips or windows: float32, no gradients, in order."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from birdclef.params import RuntimeParams

Logits = npt.NDArray[np.float32]


def predict_logits(
    model: nn.Module, waveforms: Dataset[Tensor], device: torch.device, runtime: RuntimeParams
) -> Logits:
    """Logits of every waveform, in the dataset's order.

    Args:
        model: (B, sample) -> (..., B, species); it is moved to `device` and set to evaluate.
        waveforms: items of (sample,).
        device: where it runs.
        runtime: batch size and loader processes.

    Returns:
        (..., len(waveforms), species).
    """
    model = model.to(device).eval()
    loader = DataLoader(waveforms, batch_size=runtime.inference_batch, num_workers=runtime.workers)
    with torch.inference_mode():
        batches = [model(batch.to(device)).float().cpu().numpy() for batch in loader]
    return np.concatenate(batches, axis=-2)


def sigmoid(logits: Logits) -> Logits:
    """Logits to probabilities, without overflow at either end."""
    return (0.5 * (1 + np.tanh(0.5 * logits))).astype(np.float32)
