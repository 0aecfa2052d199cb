"""What would stop a run after hours, found in seconds, before it starts."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

from birdclef.audio_files import SourceError, list_audio, scan_audio
from birdclef.datasets import oversample
from birdclef.device import prepare
from birdclef.fold_run import FoldParams
from birdclef.layouts import COMPETITION, EXTRAS
from birdclef.model import ModelError, create_classifier
from birdclef.params import Params
from birdclef.sources import find_source, require_source
from birdclef.training_data import INPUT_FILES, load_labeled

_SOUNDSCAPE_GROWTH = 8  # FLAC at 32 kHz against Vorbis, at most
_CACHE_COPIES = 2  # workspace and DVC's cache, where the file system cannot share blocks


class Finding(NamedTuple):
    """One thing that was looked at."""

    what: str
    ok: bool
    detail: str


def _data(params: Params) -> Iterator[Finding]:
    root = Path(params.data.root)
    if not root.exists() and root == Path("data/demo"):
        yield Finding("data", True, "the demo will be made")
        return
    folder = require_source(COMPETITION, root)
    sources = [layout.source for layout in (COMPETITION, *EXTRAS) if find_source(layout, root)]
    yield Finding("data", True, f"{root}: {', '.join(sources)}")
    yield from _disk(params, folder)


def _disk(params: Params, folder: Path) -> Iterator[Finding]:
    clips = len(list_audio(folder / COMPETITION.audio)) * 2 * params.clips.stored_samples * 2
    scapes = [folder / name for name in ("unlabeled_soundscapes", "train_soundscapes")]
    entries = [e for s in scapes if s.is_dir() for e in scan_audio(s).values()]
    soundscapes = sum(entry.stat().st_size for entry in entries) * _SOUNDSCAPE_GROWTH
    needed, free = (clips + soundscapes) * _CACHE_COPIES, shutil.disk_usage(".").free
    detail = f"{free / 1e9:.1f} GB free, at most {needed / 1e9:.1f} GB needed"
    yield Finding("disk", free > needed, detail + " for clips and soundscapes, cache included")


def _folders(params: Params) -> Iterator[Finding]:
    for name in (".dvc/cache", "data", "models", "metrics", params.runtime.resume_dir):
        nearest = next(p for p in (Path(name), *Path(name).absolute().parents) if p.exists())
        try:
            with TemporaryFile(dir=nearest):
                yield Finding("folder", True, f"{name} can be written")
        except OSError as error:
            yield Finding("folder", False, f"{name} cannot be written: {error.strerror}")


def _device(params: Params) -> Iterator[Finding]:
    yield Finding("device", True, f"trains on {prepare(params.runtime).type}")


def _backbones(params: Params) -> Iterator[Finding]:
    """Build each model: an unknown name, a failed download or a wrong file show at once."""
    names = [*params.models.teacher_backbones, *params.models.student_backbones]
    sections = FoldParams(params.train, params.train_l1, params.mel, params.clips, params.runtime)
    for name in dict.fromkeys(names):
        train = sections.of_backbone(name).train
        create_classifier(train, params.mel, params.clips, ["a", "b"], seed=0)
        weights = "timm's" if train.pretrained is True else train.pretrained or "random"
        yield Finding("backbone", True, f"{train.backbone}, weights: {weights}")


def _labels(params: Params) -> Iterator[Finding]:
    """Once clips are stored: can every fold be trained, and does it know every species?"""
    if not all(path.exists() for path in INPUT_FILES):
        yield Finding("labels", True, "not known before preprocess has run")
        return
    labeled = load_labeled(params.clips)
    for fold in params.models.folds:
        train, _ = labeled.split(fold, params.train.scheme)
        unheard = labeled.without_recordings(train)
        repeats = oversample(
            [labeled.primary_labels[i] for i in train], params.train.min_recordings
        )
        enough = len(repeats) >= params.train.batch
        detail = f"fold {fold}: {len(train)} recordings to train on"
        detail += f", {len(repeats)} clips an epoch"
        detail += "" if enough else f", less than train.batch = {params.train.batch}"
        detail += f", none of {', '.join(unheard)}" if unheard else ""
        yield Finding("labels", enough, detail)


def check(params: Params) -> Iterator[Finding]:
    """Look at data, disk, folders, device, backbones and, where they are stored, labels."""
    looks: tuple[Callable[[Params], Iterator[Finding]], ...]
    looks = (_data, _folders, _device, _backbones, _labels)
    for look in looks:
        try:
            yield from look(params)
        except (SourceError, ModelError, RuntimeError, ValueError, OSError) as error:
            yield Finding(look.__name__.strip("_"), False, str(error))
