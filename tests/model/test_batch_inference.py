"""Predictions keep the dataset's order for every batch size, in memory and on disk."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from birdclef.common.probabilities import sigmoid
from birdclef.model.batch_inference import predict_logits, predict_to_disk
from birdclef.params import Params


class Numbers(Dataset[Tensor]):
    def __len__(self) -> int:
        return 7

    def __getitem__(self, index: int) -> Tensor:
        if index >= 7:
            raise IndexError
        return torch.full((4,), float(index))


class TwoModels(nn.Module):
    """(B, sample) -> (2, B, 3)."""

    def forward(self, waveforms: Tensor) -> Tensor:
        assert not self.training
        one = waveforms[:, :1] * torch.tensor([1.0, 10.0, 100.0])
        return torch.stack([one, -one])


@pytest.mark.parametrize("batch", [1, 3, 7, 32])
def test_every_row_has_its_own_logits(tmp_path: Path, small_params: Params, batch: int) -> None:
    changed = {"inference_batch": batch, "resume_dir": str(tmp_path / "scratch")}
    runtime = small_params.runtime.model_copy(update=changed)
    device = torch.device("cpu")
    expected = np.arange(7)[:, None] * np.array([1, 10, 100], np.float32)
    found = predict_logits(TwoModels(), Numbers(), device, runtime)
    np.testing.assert_array_equal(found, np.stack([expected, -expected]))
    done: list[int] = []
    on_disk = predict_to_disk(TwoModels(), Numbers(), 7, device, runtime, done.append)
    assert (max(done), sum(done)) == (min(batch, 7), 7)
    np.testing.assert_array_equal(on_disk, found)
    assert list((tmp_path / "scratch").iterdir()) == []  # the file has no name


def test_sigmoid_does_not_overflow() -> None:
    with np.errstate(all="raise"):
        found = sigmoid(np.array([-1e4, 0, 1e4], np.float32))
    assert found.tolist() == [0, 0.5, 1]
