"""The classifier (mel front end and timm backbone), its checkpoint file, and ensembles."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from birdclef.common.files import write_bytes
from birdclef.model.mel import LogMel
from birdclef.params import ClipsParams, MelParams, TrainParams

_METADATA_KEY = "birdclef"  # a single key, because safetensors writes several in random order
_COUNTER = "num_batches_tracked"  # of a batch norm; nothing reads it, and many files omit it


class ModelError(ValueError):
    """A backbone, weights file or checkpoint that does not fit; the message says how to fix it."""


class Classifier(nn.Module):
    """Mel front end and backbone: (B, sample) waveforms -> (B, species) logits."""

    def __init__(
        self, front_end: LogMel, backbone: nn.Module, species: Sequence[str], name: str
    ) -> None:
        super().__init__()
        self.front_end, self.backbone = front_end, backbone
        self.species, self.backbone_name = list(species), name

    def forward(self, waveforms: Tensor) -> Tensor:
        images = self.front_end(waveforms)
        logits: Tensor = self.backbone(images.contiguous(memory_format=torch.channels_last))
        return logits


class Ensemble(nn.Module):
    """Backbones that share one mel: (B, sample) waveforms -> (model, B, species) logits."""

    def __init__(
        self, front_end: LogMel, backbones: Iterable[nn.Module], species: Sequence[str]
    ) -> None:
        super().__init__()
        self.front_end, self.species = front_end, list(species)
        self.backbones = nn.ModuleList(backbones)

    @classmethod
    def of(cls, classifiers: Sequence[Classifier]) -> "Ensemble":
        """Join classifiers of the same species.

        Raises:
            ModelError: the classifiers differ in their species, or in the order of the species.
        """
        species = classifiers[0].species
        if any(classifier.species != species for classifier in classifiers):
            raise ModelError("models of an ensemble must have the same species in the same order")
        backbones = [classifier.backbone for classifier in classifiers]
        return cls(classifiers[0].front_end, backbones, species)

    def forward(self, waveforms: Tensor) -> Tensor:
        images = self.front_end(waveforms).contiguous(memory_format=torch.channels_last)
        return torch.stack([backbone(images) for backbone in self.backbones])


def _create_backbone(
    name: str, n_species: int, mel: MelParams, drop_rate: float = 0.0, download: bool = False
) -> nn.Module:
    if not timm.is_model(name):
        similar = ", ".join(timm.list_models(f"*{name.split('_')[0]}*")[:8])
        raise ModelError(f"train.backbone = {name!r} is not a timm model; similar names: {similar}")
    config: Any = timm.get_pretrained_cfg(name)
    size: dict[str, Any] = {}  # most backbones take images of any size; transformers need it here
    if config and config.fixed_input_size:
        size = {"img_size": (mel.n_mels, mel.n_frames)}
    try:
        backbone = timm.create_model(
            name, pretrained=download, num_classes=n_species, drop_rate=drop_rate, **size
        )
    except Exception as error:
        if not download:
            raise ModelError(
                f"train.backbone = {name!r} cannot be built for images of mel.n_mels x"
                f" mel.n_frames = {mel.n_mels} x {mel.n_frames} ({error}); change these sizes, or"
                " choose another backbone"
            ) from error
        raise ModelError(
            f"train.pretrained = true: the weights of {name} could not be downloaded ({error})."
            " Fetch its model.safetensors on a machine with internet access, and set"
            " train.pretrained to that file; or set it to false for random weights"
        ) from error
    return backbone.to(memory_format=torch.channels_last)


def _load_pretrained(backbone: nn.Module, path: Path, name: str) -> None:
    """Copy a weights file into a backbone, except for the classification head, which stays new."""
    if not path.is_file():
        raise ModelError(
            f"train.pretrained = {str(path)!r}: no such file; set it to an existing file, a folder"
            " of <backbone>.safetensors, true (timm's download) or false (random weights)"
        )
    try:
        if path.suffix == ".safetensors":
            weights = load_file(path)
        else:
            weights = torch.load(path, map_location="cpu", weights_only=True)
        if not all(isinstance(value, Tensor) for value in weights.values()):
            raise TypeError("some of its values are not tensors")
    except Exception as error:
        raise ModelError(
            f"train.pretrained: {path} is neither safetensors nor a plain torch state dict"
            f" ({error}); save one with torch.save(model.state_dict(), ...)"
        ) from None
    own = backbone.state_dict()
    config: Any = backbone.pretrained_cfg
    head = {key for key in own if key.startswith(config["classifier"])}
    kept = {key: value for key, value in weights.items() if key not in head}
    needed = [key for key in own if key not in head and not key.endswith(_COUNTER)]
    wrong = [f"{key} missing" for key in needed if key not in kept]
    wrong += [f"{key} unknown" for key in kept if key not in own]
    wrong += [
        f"{key} is {tuple(value.shape)}, not {tuple(own[key].shape)}"
        for key, value in kept.items()
        if key in own and value.shape != own[key].shape
    ]
    if wrong:
        shown = "; ".join(wrong[:5])
        raise ModelError(
            f"train.pretrained: {path} does not fit train.backbone = {name}: {shown}"
            f" ({len(wrong)} tensors in all); the file must come from the same timm model"
        )
    backbone.load_state_dict(kept, strict=False)


def pretrained_file(train: TrainParams) -> Path | None:
    """The weights file of train.backbone; None if train.pretrained is true or false.

    train.pretrained names this file, or a folder with one <backbone>.safetensors per backbone.
    """
    if not isinstance(train.pretrained, str):
        return None
    path = Path(train.pretrained)
    return path / f"{train.backbone}.safetensors" if path.is_dir() else path


def create_classifier(
    train: TrainParams, mel: MelParams, clips: ClipsParams, species: Sequence[str], seed: int
) -> Classifier:
    """Build a classifier to train, with pretrained weights or random ones drawn from `seed`.

    Raises:
        ModelError: unknown backbone, failed download, or a weights file that does not fit.
    """
    torch.manual_seed(seed)
    download = train.pretrained is True
    backbone = _create_backbone(train.backbone, len(species), mel, train.drop_rate, download)
    if file := pretrained_file(train):
        _load_pretrained(backbone, file, train.backbone)
    return Classifier(LogMel(mel, clips), backbone, species, train.backbone)


def save_checkpoint(classifier: Classifier, path: Path) -> None:
    """Write weights, backbone name and species; the same model always gives the same bytes."""
    metadata = {"backbone": classifier.backbone_name, "species": classifier.species}
    weights = {k: v.cpu().contiguous() for k, v in classifier.backbone.state_dict().items()}
    write_bytes(save(weights, metadata={_METADATA_KEY: json.dumps(metadata)}), path)


def load_checkpoint(path: Path, mel: MelParams, clips: ClipsParams) -> Classifier:
    """Read a checkpoint for inference: evaluation mode, no dropout, on the CPU.

    Raises:
        ModelError: the file is missing, damaged, or was not written by `save_checkpoint`.
    """
    try:
        with safe_open(path, "pt") as file:
            name, species = _parse_metadata((file.metadata() or {})[_METADATA_KEY])
        backbone = _create_backbone(name, len(species), mel)
        backbone.load_state_dict(load_file(path))
    except FileNotFoundError:
        raise ModelError(
            f"{path} not found; train it with `dvc repro`, or fetch it with `dvc pull`"
        ) from None
    except ModelError:
        raise
    except (SafetensorError, KeyError, RuntimeError, ValueError) as error:  # of metadata too
        raise ModelError(
            f"{path} is not a checkpoint of this pipeline: {error}; remove it, and train it with"
            " `dvc repro` or fetch it with `dvc pull`"
        ) from None
    return Classifier(LogMel(mel, clips), backbone, species, name).eval()


def _parse_metadata(text: str) -> tuple[str, list[str]]:
    """The backbone and species in a checkpoint's metadata.

    Raises:
        ValueError: the text is not what `save_checkpoint` writes.
    """
    match json.loads(text):
        case {"backbone": str(name), "species": [_, *_] as species}:
            if all(isinstance(code, str) for code in species):
                return name, species
    raise ValueError("its metadata lack the backbone or the list of species")
