"""Find in seconds, before a run starts, what would stop it after hours."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

import torch
from dvc.exceptions import NotDvcRepoError
from dvc.repo import Repo

from birdclef.common.lengths import clip_samples, stored_samples
from birdclef.common.names import INPUT_FILES
from birdclef.dataset.labeled import load_labeled
from birdclef.index.folders import SourceError, list_audio, scan_audio
from birdclef.index.layouts import COMPETITION, EXTRAS
from birdclef.index.soundscapes import FOLDERS
from birdclef.index.sources import find_source, require_source
from birdclef.model.classifier import Classifier, ModelError, create_classifier
from birdclef.model.device import prepare
from birdclef.params import Params
from birdclef.training.examples import oversample
from birdclef.training.trainer import FoldParams

_SOUNDSCAPE_GROWTH = 8  # at most: size as FLAC at 32 kHz divided by size as Vorbis
_ENDS, _BYTES_PER_SAMPLE = 2, 2  # start and end of each recording are stored; 16-bit samples
_CACHE_COPIES = 2  # workspace and DVC's cache, if the file system cannot share blocks


class Finding(NamedTuple):
    """The result of one check."""

    what: str
    ok: bool
    detail: str


def _data(params: Params) -> Iterator[Finding]:
    root = Path(params.data.root)
    if not root.exists() and root == Path("data/demo"):
        yield Finding("data", True, "the demo's data will be made")
        return
    folder = require_source(COMPETITION, root)
    sources = [layout.source for layout in (COMPETITION, *EXTRAS) if find_source(layout, root)]
    yield Finding("data", True, f"{root}: {', '.join(sources)}")
    unlabeled = folder / FOLDERS["unlabeled"]
    if not (unlabeled.is_dir() and scan_audio(unlabeled)):
        detail = f"{unlabeled} has no audio: teachers can be trained (dvc repro train_l1)"
        yield Finding("soundscapes", False, f"{detail}, but students need it")
    yield from _disk(params, folder)


def _most_recordings(params: Params, folder: Path) -> int:
    """Number of the competition's recordings, plus extras up to the limit of each species."""
    root, limit = Path(params.data.root), params.index.max_recordings_per_species
    own = Counter(name.split("/")[0] for name in list_audio(folder / COMPETITION.audio))
    free_slots = sum(max(0, limit - count) for count in own.values())
    sources = ((layout, find_source(layout, root)) for layout in EXTRAS)
    extras = sum(len(list_audio(source / layout.audio)) for layout, source in sources if source)
    return own.total() + min(free_slots, extras)


def _disk(params: Params, folder: Path) -> Iterator[Finding]:
    bytes_per_recording = _ENDS * stored_samples(params.clips) * _BYTES_PER_SAMPLE
    clips = _most_recordings(params, folder) * bytes_per_recording
    folders = [folder / name for name in FOLDERS.values()]
    entries = [e for f in folders if f.is_dir() for e in scan_audio(f).values()]
    soundscapes = sum(entry.stat().st_size for entry in entries) * _SOUNDSCAPE_GROWTH
    needed, free = (clips + soundscapes) * _CACHE_COPIES, shutil.disk_usage(".").free
    detail = f"{free / 1e9:.1f} GB free, at most {needed / 1e9:.1f} GB needed"
    detail += " for clips and soundscapes, cache included"
    detail += "" if free > needed else "; make room, or lower index.max_recordings_per_species"
    yield Finding("disk", free > needed, detail)


def _cache() -> str:
    """The folder of DVC's cache, which may be outside the repository."""
    try:
        with Repo() as repo:
            return str(repo.cache.local_cache_dir)
    except NotDvcRepoError:
        return ".dvc/cache"


def _folders(params: Params) -> Iterator[Finding]:
    for name in (_cache(), "data", "models", "metrics", params.runtime.resume_dir):
        nearest = next(p for p in (Path(name), *Path(name).absolute().parents) if p.exists())
        try:
            with TemporaryFile(dir=nearest):
                yield Finding("folder", True, f"{name} can be written")
        except OSError as error:
            detail = f"{name} cannot be written: {error.strerror}"
            detail += "; make it writable, or choose another folder"
            yield Finding("folder", False, detail)


def _device(params: Params) -> Iterator[Finding]:
    """Run a kernel, because torch only warns of a GPU that is too old for it."""
    device = prepare(params.runtime)
    torch.ones(2, 2, device=device).square().sum().item()
    no_gpu = params.runtime.device == "auto" and device.type == "cpu"
    reason = f": no GPU that torch {torch.__version__} and the driver support" if no_gpu else ""
    yield Finding("device", True, f"training on {device.type}{reason}")


def _predict_one_clip(classifier: Classifier, params: Params) -> None:
    """Predict one clip, because some models can be built but reject images of this size."""
    try:
        with torch.inference_mode():
            classifier.eval()(torch.zeros(1, clip_samples(params.clips)))
    except Exception as error:
        size = f"{params.mel.n_mels} x {params.mel.n_frames}"
        raise ModelError(
            f"train.backbone = {classifier.backbone_name!r} cannot process images of mel.n_mels x"
            f" mel.n_frames = {size} ({error}); change the size, or choose another backbone"
        ) from error


def _backbones(params: Params) -> Iterator[Finding]:
    """Build each model, to find an unknown name, a failed download or a wrong file."""
    names = [*params.models.teacher_backbones, *params.models.student_backbones]
    sections = FoldParams(params.train, params.train_l1, params.mel, params.clips, params.runtime)
    for name in dict.fromkeys(names):
        train = sections.of_backbone(name).train
        classifier = create_classifier(train, params.mel, params.clips, ["a", "b"], seed=0)
        _predict_one_clip(classifier, params)
        weights = "timm's" if train.pretrained is True else train.pretrained or "random"
        yield Finding("backbone", True, f"{train.backbone}, weights: {weights}")


def _labels(params: Params) -> Iterator[Finding]:
    """Once clips are stored, check that every fold has enough clips, and name missing species."""
    if not all(path.exists() for path in INPUT_FILES):
        yield Finding("labels", True, "cannot be checked before preprocess has run")
        return
    labeled = load_labeled(params.clips)
    for fold in params.models.folds:
        train, _ = labeled.split(fold)
        missing = labeled.without_recordings(train)
        repeats = oversample(
            [labeled.primary_labels[i] for i in train], params.train.min_recordings
        )
        enough = len(repeats) >= params.train.batch
        detail = f"fold {fold}: {len(train)} recordings to train on"
        detail += f", {len(repeats)} clips per epoch"
        detail += "" if enough else f", fewer than train.batch = {params.train.batch}: lower it"
        detail += f", no recording of {', '.join(missing)}" if missing else ""
        yield Finding("labels", enough, detail)


def check(params: Params) -> Iterator[Finding]:
    """Check data, disk, folders, device, backbones and, once clips are stored, labels."""
    checks: tuple[Callable[[Params], Iterator[Finding]], ...]
    checks = (_data, _folders, _device, _backbones, _labels)
    for run_check in checks:
        try:
            yield from run_check(params)
        except (SourceError, ModelError, RuntimeError, ValueError, OSError) as error:
            yield Finding(run_check.__name__.strip("_"), False, str(error))
