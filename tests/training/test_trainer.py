"""The real trainer on a small real model: it learns, repeats, and survives being killed."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset

from birdclef.common.lengths import clip_samples
from birdclef.model.classifier import create_classifier
from birdclef.model.device import prepare
from birdclef.params import Params, TrainParams
from birdclef.training.examples import TrainingExamples
from birdclef.training.losses import masked_bce
from birdclef.training.mixing import mixup, random_loudness
from birdclef.training.resume import ResumeError, ResumePoint
from birdclef.training.trainer import (
    EpochReport,
    FoldData,
    FoldParams,
    Trainer,
    TrainingError,
    _optimizer,
    parameter_groups,
)
from small_world import SPECIES, labeled_clips

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


def _trainer(folder: Path, params: Params, **train: object) -> Trainer:
    device = prepare(params.runtime)
    clips = labeled_clips(folder, params)
    labels = [SPECIES[i] for i in clips.targets.argmax(axis=1)]
    held_out = np.arange(len(clips)) % 4 == 0
    data = FoldData(
        TrainingExamples(clips), labels, np.flatnonzero(~held_out), np.flatnonzero(held_out)
    )
    train_params = params.train.model_copy(update=train)
    classifier = create_classifier(train_params, params.mel, params.clips, SPECIES, seed=3)
    return Trainer(classifier, data, 3, _level(params, train_params), 0.0, device)


def _level(params: Params, train: TrainParams, students: bool = False) -> FoldParams:
    level = params.train_l2 if students else params.train_l1
    return FoldParams(train, level, params.mel, params.clips, params.runtime)


def _weights(trainer: Trainer) -> list[torch.Tensor]:
    return [w.clone() for w in trainer.trained.backbone.state_dict().values()]


def test_loss_falls_and_held_out_species_are_told_apart(
    tmp_path: Path, small_params: Params
) -> None:
    level = small_params.train_l1.model_copy(update={"epochs": 12})
    params = small_params.model_copy(update={"train_l1": level})
    trainer = _trainer(tmp_path, params)
    logits = trainer.run(ResumePoint(tmp_path / "resume", "a"), lambda _: None)
    losses = [row.loss for row in trainer.history]
    assert losses[-1] < 0.6 * losses[0]
    assert trainer.history[-1].macro_roc_auc == 1.0
    assert logits.shape == (4, 2)


def test_without_held_out_clips_it_trains_and_has_no_score(
    tmp_path: Path, small_params: Params
) -> None:
    trainer = _trainer(tmp_path, small_params)
    everything = trainer.data._replace(train=np.arange(16), validation=np.zeros(0, np.int64))
    trainer.data = everything
    assert trainer.run(ResumePoint(tmp_path, "all"), lambda _: None).shape == (0, 2)
    assert math.isnan(trainer.history[-1].macro_roc_auc)


class _KilledError(Exception):
    pass


def _in_mixed_precision(trainer: Trainer) -> Trainer:
    """Let the trainer run as on a GPU; the lower precision of a CPU is bfloat16."""
    trainer.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=2)
    return trainer


@pytest.mark.parametrize(("ema", "mixed"), [(None, False), (0.9, False), (None, True)])
def test_killed_after_any_epoch_it_ends_as_if_never_stopped(
    tmp_path: Path, small_params: Params, ema: float | None, mixed: bool
) -> None:
    def trainer(folder: str) -> Trainer:
        made = _trainer(tmp_path / folder, small_params, ema=ema)
        return _in_mixed_precision(made) if mixed else made

    straight = trainer("a")
    expected = straight.run(ResumePoint(tmp_path, "straight"), lambda _: None)

    def kill(_: EpochReport) -> None:
        raise _KilledError

    resume = ResumePoint(tmp_path, "killed")
    for run in range(2):
        with pytest.raises(_KilledError):
            trainer(f"b{run}").run(resume, kill)
    last = trainer("c")
    found = last.run(resume, lambda _: None)
    assert last.history == straight.history
    assert last.scaler.state_dict() == straight.scaler.state_dict()
    assert not mixed or last.scaler.get_scale() > 1024  # not merely what one starts with
    np.testing.assert_array_equal(found, expected)
    for a, b in zip(_weights(straight), _weights(last), strict=True):
        assert torch.equal(a, b)


def test_biases_and_norms_do_not_decay() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))
    decayed, plain = parameter_groups(model, 0.01)
    assert decayed["weight_decay"] == 0.01
    assert plain["weight_decay"] == 0
    assert [p.ndim for p in decayed["params"]] == [4, 2]
    assert len(plain["params"]) == 4


@pytest.mark.parametrize(
    ("max_lr", "warmup", "div_factor", "final_div_factor"),
    [(0.003, 0.1, 25.0, 100.0), (0.7, 0.4, 10.0, 50.0)],
)
def test_learning_rate_follows_one_cycle(
    small_params: Params, max_lr: float, warmup: float, div_factor: float, final_div_factor: float
) -> None:
    """Against the formula: a cosine up to the peak at `warmup` of all steps, and one down."""
    steps, start = 101, max_lr / div_factor
    changes = {"max_lr": max_lr, "warmup": warmup}
    changes |= {"div_factor": div_factor, "final_div_factor": final_div_factor}
    optimizer, schedule = _optimizer(
        nn.Linear(2, 2), small_params.train.model_copy(update=changes), steps
    )
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(rates) < steps:
            schedule.step()
    peak_at = warmup * steps - 1

    def cosine(start: float, end: float, share: float) -> float:
        return end + (start - end) / 2 * (1 + math.cos(math.pi * share))

    for step in (0, 4, 9):
        assert rates[step] == pytest.approx(cosine(start, max_lr, step / peak_at))
    for step in (50, 70, 100):
        share = (step - peak_at) / (steps - 1 - peak_at)
        assert rates[step] == pytest.approx(cosine(max_lr, start / final_div_factor, share))
    assert rates[0] == pytest.approx(start)
    assert rates[-1] == pytest.approx(start / final_div_factor)


@pytest.mark.parametrize(("steps", "warmup"), [(10, 0.1), (2, 0.5), (1, 0.1), (4, 0.25)])
def test_a_very_short_training_starts_at_the_peak_and_ends_low(
    small_params: Params, steps: int, warmup: float
) -> None:
    train = small_params.train.model_copy(update={"warmup": warmup})
    optimizer, schedule = _optimizer(nn.Linear(2, 2), train, steps)
    start = optimizer.param_groups[0]["lr"]
    for _ in range(steps - 1):
        optimizer.step()
        schedule.step()
    end = train.max_lr / train.div_factor / train.final_div_factor
    assert start == pytest.approx(train.max_lr if steps > 1 else end, rel=1e-4)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(end)


def test_the_schedule_has_as_many_steps_as_the_training(
    tmp_path: Path, small_params: Params
) -> None:
    """12 clips, four per step, three epochs: the rate reaches its end at the ninth step."""
    trainer = _trainer(tmp_path, small_params, batch=4, weight_decay=0.3)
    assert trainer.schedule.total_steps == 9
    groups = trainer.optimizer.param_groups
    assert [group["weight_decay"] for group in groups] == [0.3, 0.0]


def test_a_step_learns_from_the_mixed_batch(tmp_path: Path, small_params: Params) -> None:
    """Loudness, then mixup with its targets and masks, then the masked loss."""
    trainer = _trainer(tmp_path, small_params)
    level = trainer.params.level.model_copy(update={"loudness_db": 20.0})
    changes = {"per": "clip", "probability": 0.6, "weight": "uniform", "min_weight": 0.2}
    mixing = level.mixup.model_copy(update=changes)
    level = level.model_copy(update={"mixup": mixing})
    trainer.params = trainer.params._replace(level=level)
    generator = torch.Generator().manual_seed(0)
    waveforms = torch.randn(8, clip_samples(small_params.clips), generator=generator)
    targets = torch.rand(8, 2, generator=generator)
    masks = (torch.rand(8, 2, generator=generator) < 0.5).float()
    trainer.classifier.eval()  # no dropout
    again = torch.Generator().manual_seed(5)
    softer = random_loudness(waveforms, 20.0, again)
    mixed, union, merged = mixup(softer, targets, masks, mixing, again)
    with torch.no_grad():
        expected = masked_bce(trainer.classifier(mixed), union, merged).item()
        unmixed = masked_bce(trainer.classifier(mixed), targets, masks).item()
    found = trainer.step([waveforms, targets, masks], torch.Generator().manual_seed(5))
    assert found == pytest.approx(expected, rel=1e-5)
    assert found != pytest.approx(unmixed, rel=1e-3)


def test_mixing_is_drawn_from_seed_and_epoch(
    tmp_path: Path, small_params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folds and epochs mix differently, and a resumed run mixes as if it was never stopped."""
    trainer, seeds = _trainer(tmp_path, small_params, batch=12), []

    def step(_: object, generator: torch.Generator) -> float:
        seeds.append((generator.initial_seed(), torch.initial_seed()))
        return 0.0

    monkeypatch.setattr(trainer, "step", step)
    trainer.run(ResumePoint(tmp_path, "a"), lambda _: None)
    assert seeds == [(3000, 3000), (3001, 3001), (3002, 3002)]  # seed 3


class _Windows(Dataset[torch.Tensor]):
    """Five windows; each sample is the window's number."""

    def __init__(self, samples: int) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.full((self.samples,), float(index))


def test_a_students_batch_has_windows_beside_its_clips(
    tmp_path: Path, small_params: Params
) -> None:
    """Four clips and 1.5 times as many windows, each window with its own pseudo labels."""
    clips = labeled_clips(tmp_path, small_params)
    pseudo_labels = np.linspace(0, 1, 10).reshape(5, 2).astype(np.float16)
    windows = _Windows(clip_samples(small_params.clips))
    examples = TrainingExamples(clips, windows, pseudo_labels)  # type: ignore[arg-type]
    labels = [SPECIES[i] for i in clips.targets.argmax(axis=1)]
    data = FoldData(examples, labels, np.arange(12), np.arange(12, 16))
    train = small_params.train.model_copy(update={"batch": 4, "min_recordings": 0})
    classifier = create_classifier(train, small_params.mel, small_params.clips, SPECIES, seed=3)
    params = _level(small_params, train, students=True)
    trainer = Trainer(classifier, data, 3, params, 1.5, CPU)
    assert len(trainer.batches) == 3
    seen = []
    for batch in trainer.batches:
        waveforms, targets, masks = zip(*(examples[index] for index in batch), strict=True)
        assert [index.kind for index in batch] == ["clip"] * 4 + ["window"] * 6
        for i in range(4, 10):
            number = int(waveforms[i][0])
            assert targets[i].tolist() == pseudo_labels[number].astype(np.float32).tolist()
            assert masks[i].tolist() == [1, 1]
            seen.append(number)
    assert set(seen) == set(range(5))


def test_rare_species_are_repeated_from_the_training_folds_only(
    tmp_path: Path, small_params: Params
) -> None:
    trainer = _trainer(tmp_path, small_params, min_recordings=50)
    assert len(trainer.batches.clip_rows) == 100
    assert not set(trainer.batches.clip_rows) & set(trainer.data.validation)


def test_a_batch_larger_than_the_data_is_an_error_before_training(
    tmp_path: Path, small_params: Params
) -> None:
    with pytest.raises(TrainingError, match=r"train\.batch = 64 is more than the 12 clips"):
        _trainer(tmp_path, small_params, batch=64)


def test_a_loss_that_is_no_number_stops_at_once(tmp_path: Path, small_params: Params) -> None:
    trainer = _trainer(tmp_path, small_params)
    batch = [torch.randn(8, clip_samples(small_params.clips)), torch.rand(8, 2), torch.ones(8, 2)]
    batch[1][0, 0] = torch.nan
    before = [p.clone() for p in trainer.classifier.parameters()]
    with pytest.raises(
        TrainingError, match=r"loss is nan in epoch 1; lower train\.max_lr = .*clip_grad"
    ):
        trainer.step(batch, torch.Generator().manual_seed(0))
    assert all(
        torch.equal(a, b) for a, b in zip(before, trainer.classifier.parameters(), strict=True)
    )


def test_the_learning_rate_changes_at_every_step(tmp_path: Path, small_params: Params) -> None:
    trainer, rates = _trainer(tmp_path, small_params), []
    batch = [torch.randn(8, clip_samples(small_params.clips)), torch.rand(8, 2), torch.ones(8, 2)]
    for _ in range(3):
        rates.append(trainer.optimizer.param_groups[0]["lr"])
        trainer.step(batch, torch.Generator().manual_seed(0))
    assert len(set(rates)) == 3


def test_gradients_that_overflow_on_and_on_stop_the_training(
    tmp_path: Path, small_params: Params
) -> None:
    """The scaler skips such steps and the loss stays finite, so nothing else would show it."""
    trainer = _trainer(tmp_path, small_params)
    trainer.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**-9, backoff_factor=1e-3)
    weight = next(trainer.classifier.backbone.parameters())
    weight.register_hook(lambda grad: grad * torch.inf)
    message = (
        r"gradients overflow step after step in epoch 1; lower train\.max_lr = .*clip_grad = 2"
    )
    with pytest.raises(TrainingError, match=message):
        trainer.run(ResumePoint(tmp_path, "a"), lambda _: None)


@pytest.mark.parametrize(("device", "mixed"), [("cpu", False), ("cuda", True)])
def test_a_gpu_trains_in_mixed_precision(
    tmp_path: Path,
    small_params: Params,
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    mixed: bool,
) -> None:
    there = _trainer(tmp_path, small_params)
    monkeypatch.setattr(there.classifier, "to", lambda _: there.classifier)
    scalers: list[tuple[str, bool]] = []
    monkeypatch.setattr(
        "torch.amp.GradScaler", lambda name, enabled: scalers.append((name, enabled))
    )
    Trainer(there.classifier, there.data, 3, there.params, 0.0, torch.device(device))
    assert scalers == [(device, mixed)]


def test_clips_are_loaded_by_runtime_workers_processes(
    tmp_path: Path, small_params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaders = []

    def loader(*_: object, **options: object) -> list[object]:
        loaders.append((options["num_workers"], options["multiprocessing_context"]))
        raise _KilledError

    monkeypatch.setattr("birdclef.training.trainer.DataLoader", loader)
    for workers in (0, 2):
        trainer = _trainer(tmp_path / str(workers), small_params)
        runtime = trainer.params.runtime.model_copy(update={"workers": workers})
        trainer.params = trainer.params._replace(runtime=runtime)
        with pytest.raises(_KilledError):
            trainer.run(ResumePoint(tmp_path, "a"), lambda _: None)
    assert loaders == [(0, None), (2, "fork")]


def test_a_damaged_state_is_named(tmp_path: Path, small_params: Params) -> None:
    resume = ResumePoint(tmp_path, "a")
    for content in (b"", b"PK\x03\x04 half a file"):
        resume.path.write_bytes(content)
        with pytest.raises(ResumeError, match=r"a\.pt is damaged \(.*\); delete it"):
            _trainer(tmp_path / "b", small_params).run(resume, lambda _: None)


def test_a_running_mean_replaces_the_last_weights(tmp_path: Path, small_params: Params) -> None:
    """By hand: the weights after step one, then 0.75 of the mean so far and 0.25 of the newest."""
    trainer = _trainer(tmp_path, small_params, ema=0.75)
    generator = torch.Generator().manual_seed(0)
    seen = []
    for _ in range(3):
        waveforms = torch.randn(8, clip_samples(small_params.clips), generator=generator)
        trainer.step([waveforms, torch.rand(8, 2), torch.ones(8, 2)], generator)
        state = trainer.classifier.backbone.state_dict()
        seen.append({name: value.clone() for name, value in state.items()})
    kept = trainer.trained.backbone.state_dict()
    for name, value in kept.items():
        first, second, third = (state[name] for state in seen)
        if value.is_floating_point():
            expected = 0.75 * (0.75 * first + 0.25 * second) + 0.25 * third
            torch.testing.assert_close(value, expected)
    assert any(not torch.equal(kept[name], seen[-1][name]) for name in kept)


def test_gradients_are_clipped_by_value(tmp_path: Path, small_params: Params) -> None:
    level = small_params.train_l1.model_copy(update={"clip_grad": 1e-4})
    trainer = _trainer(tmp_path, small_params.model_copy(update={"train_l1": level}))
    batch = [torch.randn(8, clip_samples(small_params.clips)), torch.rand(8, 2), torch.ones(8, 2)]
    trainer.step(batch, torch.Generator().manual_seed(0))
    grads = [p.grad.abs().max() for p in trainer.classifier.parameters() if p.grad is not None]
    assert max(grads) == pytest.approx(1e-4)


def test_mixed_precision_clips_the_gradients_themselves_and_scores_in_full(
    tmp_path: Path, small_params: Params
) -> None:
    """Scaled gradients would be clipped 1024 times harder; the mel stays in full precision."""
    level = small_params.train_l1.model_copy(update={"clip_grad": 1e-4})
    params = small_params.model_copy(update={"train_l1": level})
    trainer = _in_mixed_precision(_trainer(tmp_path, params))
    seen: list[torch.dtype] = []
    conv = next(m for m in trainer.classifier.backbone.modules() if isinstance(m, nn.Conv2d))
    conv.register_forward_hook(
        lambda _, inputs, output: seen.extend([inputs[0].dtype, output.dtype])
    )
    batch = [torch.randn(8, clip_samples(small_params.clips)), torch.rand(8, 2), torch.ones(8, 2)]
    before = _weights(trainer)
    trainer.step(batch, torch.Generator().manual_seed(0))
    grads = [p.grad.abs().max() for p in trainer.classifier.parameters() if p.grad is not None]
    assert max(grads) == pytest.approx(1e-4)
    assert not all(torch.equal(a, b) for a, b in zip(before, _weights(trainer), strict=True))
    assert seen == [torch.float32, torch.bfloat16]
    trainer.validate()
    assert set(seen[2:]) == {torch.float32}


def test_a_step_whose_scaled_gradients_overflow_is_left_out(
    tmp_path: Path, small_params: Params
) -> None:
    trainer = _trainer(tmp_path, small_params)
    trainer.scaler = torch.amp.GradScaler("cpu", init_scale=1e38)
    batch = [torch.randn(8, clip_samples(small_params.clips)), torch.rand(8, 2), torch.ones(8, 2)]
    before = [p.clone() for p in trainer.classifier.parameters()]
    trainer.step(batch, torch.Generator().manual_seed(0))
    assert trainer.scaler.get_scale() < 1e38
    after = trainer.classifier.parameters()
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
