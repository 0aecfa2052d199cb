"""Typed view of params.yaml: the only place that states which parameters there are."""

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from birdclef.param_types import (
    Backbone,
    Backbones,
    Count,
    Float,
    Folds,
    Fraction,
    Group,
    Numbers,
    PositiveFloat,
    Seed,
    WeightsFile,
)


class ParamsError(ValueError):
    """params.yaml breaks a rule; the message names each key, its value and what is allowed."""


class Section(BaseModel):
    model_config = {"extra": "forbid", "frozen": True, "strict": True}


class DataParams(Section):
    root: Annotated[str, Field(min_length=1)]


class DemoParams(Section):
    seed: Seed
    species: Annotated[int, Field(ge=4, le=12)]
    min_recordings: Annotated[int, Field(ge=3)]
    max_recordings: Annotated[int, Field(ge=3)]
    unlabeled_soundscapes: Count
    labeled_soundscapes: Count
    soundscape_s: Annotated[int, Field(ge=10)]

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> "DemoParams":
        if self.min_recordings > self.max_recordings:
            raise ValueError("min_recordings must be at most max_recordings")
        return self


class IndexParams(Section):
    max_recordings_per_species: Count
    corrections: Annotated[str, Field(min_length=1)]


class DeduplicateParams(Section):
    min_similarity: Annotated[Float, Field(gt=0, le=1)]
    max_s: PositiveFloat
    max_shared_s: PositiveFloat


class FoldsParams(Section):
    count: Annotated[int, Field(ge=2)]
    seed: Seed


class ClipsParams(Section):
    sample_rate_hz: Count
    clip_s: PositiveFloat
    shift_s: Annotated[Float, Field(ge=0)]


class PreprocessParams(Section):
    max_quarantined: Fraction


class MelParams(Section):
    n_fft: Count
    win_length: Count
    n_mels: Count
    n_frames: Annotated[int, Field(ge=2)]
    f_min: Annotated[Float, Field(ge=0)]
    f_max: PositiveFloat
    floor_db: Annotated[Float, Field(ge=-100)]
    db_center: Float
    db_scale: PositiveFloat

    @model_validator(mode="after")
    def _band_and_window_fit(self) -> "MelParams":
        if self.f_min >= self.f_max:
            raise ValueError("f_min must be below f_max")
        if self.win_length > self.n_fft:
            raise ValueError("win_length must be at most n_fft")
        return self


class RoundParams(Section):
    teachers: Annotated[str, Field(pattern="^l[1-9]$")]
    students: Annotated[str, Field(pattern="^l[1-9]$")]


class ModelsParams(Section):
    """The models to train. A training stage runs once per model and does not track these lists."""

    folds: Folds
    seeds: Numbers
    teacher_backbones: Backbones
    student_backbones: Backbones
    rounds: Annotated[list[RoundParams], Field(min_length=1)]

    @property
    def held_out(self) -> list[int]:
        """The folds that a model holds out; models named full_0, full_1, ... hold out nothing."""
        return [fold for fold in self.folds if isinstance(fold, int)]

    @model_validator(mode="after")
    def _rounds_are_a_chain(self) -> "ModelsParams":
        chain = [(f"l{i}", f"l{i + 1}") for i in range(1, len(self.rounds) + 1)]
        if [(r.teachers, r.students) for r in self.rounds] != chain:
            steps = ", ".join(f"{{teachers: {a}, students: {b}}}" for a, b in chain)
            raise ValueError(f"rounds must be [{steps}]: students are teachers of the next round")
        return self


class TrainParams(Section):
    backbone: Backbone
    pretrained: WeightsFile
    drop_rate: Annotated[Float, Field(ge=0, lt=1)]
    batch: Annotated[int, Field(ge=2)]
    min_recordings: Annotated[int, Field(ge=0)]
    max_lr: PositiveFloat
    warmup: Annotated[Float, Field(gt=0, lt=1)]
    div_factor: Annotated[Float, Field(ge=1)]
    final_div_factor: Annotated[Float, Field(ge=1)]
    weight_decay: Annotated[Float, Field(ge=0)]
    ema: Annotated[Float, Field(gt=0, lt=1)] | None


class MixupParams(Section):
    per: Literal["clip", "batch"]
    probability: Fraction
    weight: Literal["uniform", "log_uniform"]
    min_weight: Annotated[Float, Field(gt=0, le=1)]


class LevelParams(Section):
    """Parameters that differ between the levels of training."""

    epochs: Count
    seed: Seed
    loudness_db: Annotated[Float, Field(ge=0)]
    clip_grad: PositiveFloat | None
    mixup: MixupParams


class StudentParams(LevelParams):
    pseudo_ratio: Annotated[Float, Field(ge=0)]


class PseudoLabelParams(Section):
    teacher: Literal["same_fold", "mean"]
    transform: Literal["none", "max_over_models", "max_over_windows"]
    max_logit: PositiveFloat
    power: PositiveFloat
    shuffled: bool


class ExportOnnxParams(Section):
    max_difference: PositiveFloat
    licence: Annotated[str, Field(min_length=1)]


class EvaluateParams(Section):
    group: Group | None
    min_positives: Count
    precision: Annotated[Float, Field(gt=0, lt=1)]


class RuntimeParams(Section):
    """How to compute, not what: no stage tracks these keys."""

    device: Literal["auto", "cpu", "cuda"]
    portable: bool
    threads: Count
    jobs: Count
    workers: Annotated[int, Field(ge=0)]
    inference_batch: Count
    resume_dir: Annotated[str, Field(min_length=1)]


class Params(Section):
    data: DataParams
    demo: DemoParams
    index: IndexParams
    deduplicate: DeduplicateParams
    folds: FoldsParams
    models: ModelsParams
    clips: ClipsParams
    preprocess: PreprocessParams
    mel: MelParams
    train: TrainParams
    train_l1: LevelParams
    pseudo_label: PseudoLabelParams
    train_l2: StudentParams
    export_onnx: ExportOnnxParams
    evaluate: EvaluateParams
    runtime: RuntimeParams

    @model_validator(mode="after")
    def _sections_agree(self) -> "Params":
        if max(self.models.held_out, default=0) >= self.folds.count:
            folds, count = self.models.folds, self.folds.count
            raise ValueError(
                f"the numbers in models.folds = {folds} must all be below folds.count = {count}"
            )
        f_max, rate = self.mel.f_max, self.clips.sample_rate_hz
        if f_max > rate / 2:
            raise ValueError(
                f"mel.f_max = {f_max} must be at most half of clips.sample_rate_hz = {rate}"
            )
        return self


def _known_keys(location: tuple[Any, ...]) -> list[str]:
    """Valid keys of the section at `location`."""
    section: Any = Params
    for name in location:
        section = section.model_fields[name].annotation
    return sorted(section.model_fields)


def _explain(error: Any, path: Path) -> str:
    location = error["loc"]
    key = ".".join(str(part) for part in location)
    if error["type"] == "extra_forbidden":
        known = _known_keys(location[:-1])
        similar = difflib.get_close_matches(str(location[-1]), known, n=1)
        hint = f"did you mean {similar[0]}?" if similar else f"valid keys: {', '.join(known)}"
        return f"{path}: {key} is not a parameter; {hint}"
    if error["type"] == "missing":
        return f"{path}: {key} is missing; recipes/birdclef-2024.yaml lists every key"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if not key or isinstance(error["input"], dict):
        return f"{path}: {key + ': ' if key else ''}{message}"
    return f"{path}: {key} = {error['input']!r} {message}"


def load_params(path: str | Path = "params.yaml") -> Params:
    """Read and check a parameter file.

    Raises:
        ParamsError: the file is missing, the file is not a YAML mapping, or a key breaks a rule.
    """
    path = Path(path)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParamsError(f"{path} not found; run from the repository's root") from None
    except yaml.YAMLError as error:
        raise ParamsError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(values, dict):
        raise ParamsError(f"{path} must be a mapping of sections, not {type(values).__name__}")
    try:
        return Params.model_validate(values)
    except ValidationError as errors:
        lines = dict.fromkeys(_explain(error, path) for error in errors.errors())
        raise ParamsError("\n".join(lines)) from None
