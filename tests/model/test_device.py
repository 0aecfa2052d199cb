"""The set-up of torch, as far as a machine without a GPU can test it."""

import pytest
import torch

from birdclef.model.device import prepare
from birdclef.params import Params, ParamsError


@pytest.mark.parametrize(
    ("device", "has_cuda", "chosen"),
    [("auto", False, "cpu"), ("auto", True, "cuda"), ("cpu", True, "cpu"), ("cuda", True, "cuda")],
)
def test_a_nondeterministic_operation_is_an_error_on_a_cpu_and_a_warning_on_a_gpu(
    params: Params, monkeypatch: pytest.MonkeyPatch, device: str, has_cuda: bool, chosen: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: has_cuda)
    runtime = params.runtime.model_copy(update={"device": device, "threads": 1})
    try:
        assert prepare(runtime).type == chosen
        assert torch.get_num_threads() == 1
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.backends.cudnn.allow_tf32
        assert torch.is_deterministic_algorithms_warn_only_enabled() == (chosen == "cuda")
    finally:
        torch.use_deterministic_algorithms(True)


def test_a_missing_device_is_an_error(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ParamsError, match=r"runtime\.device = 'cuda', .*; set auto or cpu"):
        prepare(params.runtime.model_copy(update={"device": "cuda"}))
