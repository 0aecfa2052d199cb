"""The recipes of one method differ only in the models that they train."""

import yaml

from birdclef.common.nested import flatten
from birdclef.params import load_params
from paths import ROOT

NOTEBOOKS = ROOT / "recipes/birdclef-2024.yaml"
WRITE_UP = ROOT / "recipes/birdclef-2024-ensemble.yaml"


def test_the_ensemble_recipe_differs_only_in_its_backbones() -> None:
    one, other = (dict(flatten(yaml.safe_load(p.read_text()))) for p in (NOTEBOOKS, WRITE_UP))
    assert one.keys() == other.keys()
    differing = {key for key in one if one[key] != other[key]}
    assert differing == {"models.teacher_backbones", "models.student_backbones"}


def test_the_ensemble_recipe_has_the_families_of_the_write_up() -> None:
    models = load_params(WRITE_UP).models
    assert models.student_backbones == ["default", "mnasnet_100"]
    families = ("efficientnet", "mobilenet", "tinynet", "mnasnet", "mixnet")
    for family in (*families, "efficientvit_b1", "efficientvit_m3"):
        assert any(family in name for name in models.teacher_backbones), family
    assert models.teacher_backbones[0] == "default"  # so that the other recipe's teachers are kept
    assert load_params(WRITE_UP).train.backbone == "efficientvit_b0"
