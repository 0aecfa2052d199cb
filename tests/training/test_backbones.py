"""Every backbone of the recipes can be built and trained."""

import math
from pathlib import Path

import numpy as np
import pytest
import timm
import torch

from birdclef.model.artifacts import backbone_name
from birdclef.model.classifier import create_classifier
from birdclef.params import Params, load_params
from birdclef.training.examples import TrainingExamples
from birdclef.training.trainer import FoldData, FoldParams, Trainer
from paths import ROOT
from small_world import SPECIES, labeled_clips

pytestmark = pytest.mark.slow

RECIPE = load_params(ROOT / "recipes/birdclef-2024-ensemble.yaml")
LISTED = dict.fromkeys([*RECIPE.models.teacher_backbones, *RECIPE.models.student_backbones])
BACKBONES = [backbone_name(name, RECIPE.train.backbone) for name in LISTED]


@pytest.mark.parametrize("backbone", BACKBONES)
def test_timm_has_imagenet_weights(backbone: str) -> None:
    config = timm.get_pretrained_cfg(backbone)
    assert config is not None
    assert config.has_weights
    assert "in1k" in (config.tag or "")


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_step_changes_the_first_and_the_last_layer(
    tmp_path: Path, small_params: Params, backbone: str
) -> None:
    """A real step on real clips; images of 64 x 96, because some networks need that many pixels."""
    p = small_params
    train = p.train.model_copy(update={"backbone": backbone, "batch": 4})
    mel = p.mel.model_copy(update={"n_mels": 64, "n_frames": 96})
    clips = labeled_clips(tmp_path, p, recordings=8)
    labels = [SPECIES[i] for i in clips.targets.argmax(axis=1)]
    data = FoldData(TrainingExamples(clips), labels, np.arange(8), np.zeros(0, np.int64))
    classifier = create_classifier(train, mel, p.clips, SPECIES, seed=3)
    params = FoldParams(train, p.train_l1, mel, p.clips, p.runtime)
    trainer = Trainer(classifier, data, 3, params, 0.0, torch.device("cpu"))
    examples = [data.examples[index] for index in next(iter(trainer.batches))]
    batch = [torch.stack(part) for part in zip(*examples, strict=True)]
    weights = [*classifier.backbone.parameters()]
    before = [weights[0].clone(), weights[-1].clone()]
    classifier.train()
    loss = trainer.step(batch, torch.Generator().manual_seed(0))
    assert math.isfinite(loss)
    assert 0.1 < loss < 5  # near ln 2 = 0.69, that of untrained networks
    for old, new in zip(before, (weights[0], weights[-1]), strict=True):
        assert torch.isfinite(new).all()
        assert not torch.equal(old, new)
