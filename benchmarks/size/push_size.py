"""Calculate how many bytes a `dvc push` of a full-size run uploads.

The counts come from the recipe. The size of FLAC depends on the sound, so the script measures
its bytes per second on a folder of soundscapes:

    python benchmarks/size/push_size.py data/birdclef/birdclef-2024/unlabeled_soundscapes
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from birdclef.audio.pack_soundscapes import store_soundscape
from birdclef.common.lengths import stored_samples
from birdclef.model.classifier import create_classifier, save_checkpoint
from birdclef.params import Params, load_params

RECORDINGS = 24_459 + 1_132 + 650 + 477 + 17 + 5_852  # 2024, earlier years, Xeno-Canto; unique ids
SOUNDSCAPES, SOUNDSCAPE_S = 8_444, 240
SPECIES = [f"bird{i:03d}" for i in range(182)]
LEVELS = 2


def flac_bytes_per_s(folder: Path, rate_hz: int) -> float:
    """Bytes per second of these soundscapes in the store."""
    size, samples = 0, 0
    with tempfile.TemporaryDirectory() as temporary:
        target = Path(temporary) / "one.flac"
        for source in sorted(folder.glob("*.ogg")):
            samples += store_soundscape(folder, source.name, target, rate_hz).samples
            size += target.stat().st_size
    return size * rate_hz / samples


def checkpoint_bytes(params: Params) -> int:
    """Size in bytes of one model's checkpoint, with all species."""
    train = params.train.model_copy(update={"pretrained": False})
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "model.safetensors"
        save_checkpoint(create_classifier(train, params.mel, params.clips, SPECIES, 0), path)
        return path.stat().st_size


def parts(params: Params, flac: float) -> Iterator[tuple[str, str, float]]:
    """Yield a row for each part of the push: its name, its calculation, its bytes."""
    folds, species, weights = len(params.models.folds), len(SPECIES), checkpoint_bytes(params)
    stored, clip_s = stored_samples(params.clips), params.clips.clip_s
    windows = SOUNDSCAPES * round(SOUNDSCAPE_S / clip_s)
    yield (
        "clips, at most",
        f"{RECORDINGS:,} recordings x 2 ends x {stored:,} samples x 2 bytes",
        RECORDINGS * 2 * stored * 2,
    )
    yield (
        "soundscapes",
        f"{SOUNDSCAPES:,} x {SOUNDSCAPE_S} s x {flac:,.0f} bytes of FLAC",
        SOUNDSCAPES * SOUNDSCAPE_S * flac,
    )
    yield (
        "checkpoints",
        f"{LEVELS} levels x {folds} folds x {weights:,} bytes",
        LEVELS * folds * weights,
    )
    yield (
        "out-of-fold predictions",
        f"{LEVELS} levels x {RECORDINGS:,} recordings x {species} species x 4 bytes",
        LEVELS * RECORDINGS * species * 4,
    )
    yield (
        "pseudo labels",
        f"{folds} folds x {windows:,} windows x {species} species x 2 bytes",
        folds * windows * species * 2,
    )
    yield "exported model, about", f"{folds} folds x {weights:,} bytes", folds * weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of soundscapes in ogg")
    params = load_params("recipes/birdclef-2024.yaml")
    flac = flac_bytes_per_s(parser.parse_args().folder, params.clips.sample_rate_hz)
    print("| | | GB |\n|---|---|---|")
    total = 0.0
    for name, calculation, size in parts(params, flac):
        total += size
        print(f"| {name} | {calculation} | {size / 1e9:.2f} |")
    print(f"| together | | {total / 1e9:.1f} |")


if __name__ == "__main__":
    main()
