"""Every wrong parameter names its key, its value and what is allowed."""

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from birdclef.common.lengths import clip_samples, stored_samples
from birdclef.params import ParamsError, Section, load_params
from paths import ROOT

RECIPE = ROOT / "recipes/birdclef-2024.yaml"


def _values(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load(path.read_text())
    return values


def _keys(values: dict[str, Any], prefix: str = "") -> set[str]:
    keys = set()
    for name, value in values.items():
        keys |= _keys(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name}
    return keys


def _load(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> Any:
    values = copy.deepcopy(_values(ROOT / "params.yaml"))
    change(values)
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(values))
    return load_params(path)


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("train.batch", "many", "should be a valid integer"),
        ("train.batch", True, "should be a valid integer"),
        ("train.batch", 1, "should be greater than or equal to 2"),
        ("train.drop_rate", 1.0, "should be less than 1"),
        ("train.max_lr", float("nan"), "should be a finite number"),
        ("train.pretrained", 3, "should be true, false, or the path of a weights file"),
        ("pseudo_label.transform", "max", "should be 'none', 'max_over_models' or"),
        ("runtime.device", "tpu", "should be 'auto', 'cpu' or 'cuda'"),
        ("train_l1.clip_grad", -2.0, "should be greater than 0"),
        ("evaluate.precision", 1.0, "should be less than 1"),
        ("evaluate.group", "_(", "or a valid regular expression with one capturing group"),
        ("evaluate.group", "(a)(b)", "or a valid regular expression with one capturing group"),
        ("evaluate.group", "day", "should be null, site, or"),
        ("train", None, "should be"),
    ],
)
def test_wrong_value_is_named(tmp_path: Path, key: str, value: object, allowed: str) -> None:
    *sections, last = key.split(".")

    def change(values: dict[str, Any]) -> None:
        for section in sections:
            values = values[section]
        values[last] = value

    with pytest.raises(ParamsError) as error:
        _load(tmp_path, change)
    assert f"{key} = {value!r}" in str(error.value)
    assert allowed in str(error.value)


def test_unknown_key_is_named_with_the_nearest_known(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"train\.weigth_decay is not.*did you mean weight_decay"):
        _load(tmp_path, lambda values: values["train"].update(weigth_decay=0.1))
    with pytest.raises(ParamsError, match=r"mixup\.xyz is not a parameter; valid keys: min_weight"):
        _load(tmp_path, lambda values: values["train_l1"]["mixup"].update(xyz=1))


def test_all_errors_are_reported_at_once(tmp_path: Path) -> None:
    def change(values: dict[str, Any]) -> None:
        values["train"]["batch"] = 0
        del values["mel"]

    with pytest.raises(ParamsError, match=r"mel is missing(.|\n)*train\.batch = 0"):
        _load(tmp_path, change)


@pytest.mark.parametrize(
    ("section", "change", "message"),
    [
        (
            "models",
            {"folds": [0, 3]},
            r"the numbers in models\.folds = \[0, 3\] must all be below folds\.count = 3",
        ),
        ("models", {"folds": [1, 1]}, "should not contain duplicates"),
        ("models", {"folds": ["full_0", "full_0"]}, "should not contain duplicates"),
        *(
            (
                "models",
                {"folds": [0, fold]},
                r"models\.folds\.1 = .* should be the number of a fold",
            )
            for fold in (-1, True, 0.5, "1", "full", "full_", "full_0; ls", "full_0\n", "full_100")
        ),
        ("models", {"teacher_backbones": ["../x"]}, "should match pattern"),
        ("models", {"rounds": [{"teachers": "l2", "students": "l3"}]}, "teachers of the next"),
        ("mel", {"f_max": 16001.0}, "at most half"),
        ("mel", {"f_min": 15000.0}, "f_min must be below f_max"),
        ("mel", {"win_length": 2048}, "win_length must be at most n_fft"),
        ("demo", {"min_recordings": 50}, "min_recordings must be at most max_recordings"),
    ],
)
def test_values_that_do_not_fit_each_other(
    tmp_path: Path, section: str, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ParamsError, match=message):
        _load(tmp_path, lambda values: values[section].update(change))


def test_exponents_as_dvc_writes_them_are_numbers(tmp_path: Path) -> None:
    assert _load(tmp_path, lambda v: v["train"].update(max_lr="5e-05")).train.max_lr == 5e-5


def test_unusable_files(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="not found; run from the repository's root"):
        load_params(tmp_path / "none.yaml")
    (tmp_path / "list.yaml").write_text("[1, 2]")
    with pytest.raises(ParamsError, match="must be a mapping"):
        load_params(tmp_path / "list.yaml")
    (tmp_path / "broken.yaml").write_text("a: [")
    with pytest.raises(ParamsError, match="not valid YAML"):
        load_params(tmp_path / "broken.yaml")


@pytest.mark.parametrize(
    ("folds", "held_out"), [([2, "full_0", 0], [2, 0]), (["full_0", "full_12"], [])]
)
def test_models_may_hold_out_nothing(
    tmp_path: Path, folds: list[int | str], held_out: list[int]
) -> None:
    values = _values(ROOT / "params.yaml")
    values["models"]["folds"] = folds
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    assert load_params(tmp_path / "params.yaml").models.held_out == held_out


def test_full_size_recipe_has_the_same_keys_and_the_published_values() -> None:
    differing = _keys(_values(RECIPE)) ^ _keys(_values(ROOT / "params.yaml"))
    assert not differing, "these keys are in only one of params.yaml and recipes/birdclef-2024.yaml"
    recipe = load_params(RECIPE)
    assert recipe.index.max_recordings_per_species == 500
    assert (recipe.folds.count, recipe.models.folds) == (5, [0, 1, 2, 3, 4])
    assert clip_samples(recipe.clips) == 160_000  # 5 s
    assert stored_samples(recipe.clips) == 192_000  # and a second to shift by
    mel = {"n_fft": 1536, "win_length": 1024, "n_mels": 224, "n_frames": 224}
    mel |= {"f_min": 90, "f_max": 14_000, "db_center": 40, "db_scale": 80}
    train = {"backbone": "efficientvit_b0", "pretrained": True, "drop_rate": 0.1, "batch": 128}
    train |= {"min_recordings": 10, "weight_decay": 0.01, "ema": None}
    train |= {"max_lr": 0.003, "warmup": 0.1, "div_factor": 25, "final_div_factor": 100}
    _has(recipe.mel, mel)
    _has(recipe.train, train)
    _has(recipe.train_l1, {"epochs": 30, "seed": 2024, "loudness_db": 0, "clip_grad": 2})
    _has(recipe.train_l2, {"epochs": 88, "seed": 2029, "loudness_db": 20, "clip_grad": None})
    mixup = {"per": "clip", "probability": 0.5, "weight": "uniform", "min_weight": 0.2}
    _has(recipe.train_l1.mixup, mixup)
    mixup = {"per": "batch", "probability": 0.1, "weight": "log_uniform", "min_weight": 0.1}
    _has(recipe.train_l2.mixup, mixup)
    assert recipe.train_l2.pseudo_ratio * recipe.train.batch == 4 * 48
    pseudo_label = {"teacher": "same_fold", "transform": "max_over_models"}
    _has(recipe.pseudo_label, pseudo_label | {"max_logit": 16, "power": 1})


def _has(section: Section, values: Mapping[str, object]) -> None:
    assert section.model_dump(include=set(values)) == values


def test_every_parameter_is_explained_and_read() -> None:
    """Every key has a comment, and some code reads it."""
    source = "\n".join(p.read_text() for p in (ROOT / "src").rglob("*.py") if p.name != "params.py")
    derived = {"clip_s", "shift_s"}  # read inside params.py, as sample counts
    for key in _keys(_values(ROOT / "params.yaml")):
        name = key.rsplit(".", 1)[-1]
        is_read = f".{name}" in source or name in derived
        assert is_read, f"no code in src/ reads {key}"
    for path in (ROOT / "params.yaml", RECIPE):
        bare = [
            line.strip()
            for line in path.read_text().splitlines()
            if line.startswith(" ") and ": " in line and "#" not in line
        ]
        assert not bare
