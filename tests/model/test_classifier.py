"""Backbones, weights files and checkpoints either work or are refused with the reason."""

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from birdclef.common.lengths import clip_samples
from birdclef.model.classifier import (
    Ensemble,
    ModelError,
    create_classifier,
    load_checkpoint,
    save_checkpoint,
)
from birdclef.params import Params

SPECIES = ["a", "b", "c"]


def _create(params: Params, seed: int = 0, **train: object):  # type: ignore[no-untyped-def]
    changed = params.train.model_copy(update=train)
    return create_classifier(changed, params.mel, params.clips, SPECIES, seed)


def test_seed_decides_the_random_weights(small_params: Params) -> None:
    same, again, other = (_create(small_params, seed).backbone.state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(same[k], again[k]) for k in same)
    assert not all(torch.equal(same[k], other[k]) for k in same)


def test_checkpoint_round_trip_and_same_bytes(tmp_path: Path, small_params: Params) -> None:
    classifier = _create(small_params).eval()
    for name in ("a", "b"):
        save_checkpoint(classifier, tmp_path / name / "model.safetensors")
    one, two = (tmp_path / name / "model.safetensors" for name in ("a", "b"))
    assert one.read_bytes() == two.read_bytes()
    loaded = load_checkpoint(one, small_params.mel, small_params.clips)
    waveforms = torch.randn(2, clip_samples(small_params.clips))
    assert loaded.species == SPECIES
    torch.testing.assert_close(loaded(waveforms), classifier(waveforms))


def test_ensemble_is_each_model_on_one_mel(small_params: Params) -> None:
    models = [_create(small_params, seed).eval() for seed in (1, 2)]
    waveforms = torch.randn(2, clip_samples(small_params.clips))
    mels: list[object] = []
    for model in models:
        model.front_end.register_forward_hook(lambda *_: mels.append(1))
    together = Ensemble.of(models)(waveforms)
    assert len(mels) == 1
    torch.testing.assert_close(together, torch.stack([m(waveforms) for m in models]))
    models[1].species = ["c", "b", "a"]
    with pytest.raises(ModelError, match="same species"):
        Ensemble.of(models)


def test_unknown_backbone_names_near_ones(small_params: Params) -> None:
    with pytest.raises(ModelError, match=r"efficientvit_b9.*not a timm model.*efficientvit_b0"):
        _create(small_params, backbone="efficientvit_b9")


def test_a_backbone_name_may_include_the_tag_of_its_weights(small_params: Params) -> None:
    tagged = _create(small_params, backbone="mnasnet_small.lamb_in1k")
    assert tagged.backbone_name == "mnasnet_small.lamb_in1k"


def test_a_transformer_is_built_for_the_size_of_the_images(
    tmp_path: Path, small_params: Params
) -> None:
    """The transformer's own size is 160 x 160."""
    waveforms = torch.randn(2, clip_samples(small_params.clips))
    mel = small_params.mel.model_copy(update={"n_mels": 32, "n_frames": 48})
    params = small_params.model_copy(update={"mel": mel})
    model = _create(params, backbone="test_vit3").eval()
    assert model(waveforms).shape == (2, 3)
    save_checkpoint(model, tmp_path / "vit.safetensors")
    loaded = load_checkpoint(tmp_path / "vit.safetensors", mel, small_params.clips)
    torch.testing.assert_close(loaded(waveforms), model(waveforms))


def test_the_error_of_a_backbone_that_cannot_be_built_names_the_image_size(
    small_params: Params,
) -> None:
    with pytest.raises(ModelError, match=r"nest_tiny.* mel\.n_mels x mel\.n_frames = 32 x 33 \("):
        _create(small_params, backbone="nest_tiny")


def _donor(params: Params) -> dict[str, torch.Tensor]:
    weights = _create(params, seed=5).backbone.state_dict()
    return {key: value.contiguous() for key, value in weights.items()}


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_weights_file_fills_all_but_the_head(
    tmp_path: Path, small_params: Params, suffix: str
) -> None:
    donor = _donor(small_params)
    donor["classifier.weight"] = torch.zeros(1000, donor["classifier.weight"].shape[1])
    donor["classifier.bias"] = torch.zeros(1000)
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pt":
        torch.save(donor, path)
    else:
        save_file(donor, path)
    filled = _create(small_params, seed=6, pretrained=str(path)).backbone.state_dict()
    for key, value in filled.items():
        assert key.startswith("classifier.") or torch.equal(value, donor[key])
    assert filled["classifier.weight"].shape[0] == 3


def test_a_folder_of_weights_has_one_file_per_backbone(
    tmp_path: Path, small_params: Params
) -> None:
    """The counters of batch norms may be missing, as they are in many files."""
    donor = {k: v for k, v in _donor(small_params).items() if "num_batches_tracked" not in k}
    save_file(donor, tmp_path / f"{small_params.train.backbone}.safetensors")
    filled = _create(small_params, seed=6, pretrained=str(tmp_path)).backbone.state_dict()
    assert torch.equal(filled["bn1.weight"], donor["bn1.weight"])


def test_weights_that_do_not_fit_name_the_tensors(tmp_path: Path, small_params: Params) -> None:
    donor = _donor(small_params)
    donor["conv_stem.weight"] = torch.zeros(1, 1, 3, 3)
    donor["strange"] = torch.zeros(1)
    del donor["bn1.weight"]
    save_file(donor, tmp_path / "w.safetensors")
    with pytest.raises(ModelError) as error:
        _create(small_params, pretrained=str(tmp_path / "w.safetensors"))
    for part in ("bn1.weight missing", "strange unknown", "conv_stem.weight is (1, 1, 3, 3), not"):
        assert part in str(error.value)


def test_weights_file_is_never_executed(tmp_path: Path, small_params: Params) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "executed",))

    torch.save({"w": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(ModelError, match="neither safetensors nor a plain torch state dict"):
        _create(small_params, pretrained=str(tmp_path / "evil.pt"))
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("content", [torch.zeros(3), {"epoch": 3}])
def test_a_weights_file_must_map_names_to_tensors(
    tmp_path: Path, small_params: Params, content: object
) -> None:
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(ModelError, match=r"train\.pretrained: .*w\.pt is neither .*state_dict\(\)"):
        _create(small_params, pretrained=str(tmp_path / "w.pt"))


def test_missing_files_say_how_to_get_them(tmp_path: Path, small_params: Params) -> None:
    with pytest.raises(ModelError, match=r"train\.pretrained = .*no such file; set it to"):
        _create(small_params, pretrained=str(tmp_path / "none.safetensors"))
    with pytest.raises(ModelError, match=r"dvc repro.*dvc pull"):
        load_checkpoint(tmp_path / "none.safetensors", small_params.mel, small_params.clips)
    (tmp_path / "bad.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(ModelError, match="is not a checkpoint of this pipeline"):
        load_checkpoint(tmp_path / "bad.safetensors", small_params.mel, small_params.clips)


METADATA = ["", "{", "null", "3", "[]", "{}", '{"backbone": "x"}', '{"species": ["a", "b"]}']
METADATA += ['{"backbone": 1, "species": ["a", "b"]}', '{"backbone": "x", "species": "ab"}']
METADATA += ['{"backbone": "x", "species": []}', '{"backbone": "x", "species": [1]}', "[" * 99999]


@pytest.mark.parametrize("text", [None, *METADATA], ids=lambda text: str(text)[:40])
def test_a_checkpoint_with_other_metadata_is_refused_in_a_sentence(
    tmp_path: Path, small_params: Params, text: str | None
) -> None:
    path, metadata = tmp_path / "m.safetensors", None if text is None else {"birdclef": text}
    save_file({"w": torch.zeros(1)}, path, metadata)
    with pytest.raises(ModelError, match=r"m\.safetensors is not a checkpoint .*dvc repro"):
        load_checkpoint(path, small_params.mel, small_params.clips)


@pytest.mark.parametrize("pretrained", [True, False])
def test_timm_downloads_when_asked_to(
    monkeypatch: pytest.MonkeyPatch, small_params: Params, pretrained: bool
) -> None:
    asked, create = [], timm.create_model

    def record(name: str, pretrained: bool, **rest: object) -> torch.nn.Module:
        asked.append(pretrained)
        return create(name, pretrained=False, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr("timm.create_model", record)
    _create(small_params, pretrained=pretrained)
    assert asked == [pretrained]


def test_failed_download_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, small_params: Params
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(
        "timm.create_model", lambda *_, **__: (_ for _ in ()).throw(OSError("no route"))
    )
    with pytest.raises(ModelError, match=r"could not be downloaded \(no route\).*to that file"):
        _create(small_params, pretrained=True)
