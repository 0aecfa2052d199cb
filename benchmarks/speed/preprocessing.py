"""Compare preprocessing with the original notebook: files per second, and bytes stored.

The baseline does in one process what the notebook does with `librosa.load`: decode the whole file
(soundfile), average the channels, resample if the rate differs (soxr_hq, librosa's default), then
np.save the first and the last ten seconds as float32. librosa itself is not a dependency of this
project; it could only make the baseline slower. Rounds of both methods alternate, so that a busy
machine slows both.

    python benchmarks/speed/preprocessing.py --files 240 --rounds 3
"""

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soundfile
import soxr
from joblib import Parallel, delayed

from birdclef.audio.pack_clips import pack_shard
from birdclef.common.allocator import keep_freed_memory
from birdclef.params import ClipsParams, load_params

FORMATS = {"ogg": 32_000, "mp3": 44_100}
BASELINE_S = 10
JOBS = 2


def make_recordings(folder: Path, suffix: str, count: int) -> list[str]:
    """Write recordings of 10 to 120 s of coloured noise with gaps; return their names."""
    rate, rng = FORMATS[suffix], np.random.default_rng(0)
    names = [f"{i}.{suffix}" for i in range(count)]
    for name in names:
        with soundfile.SoundFile(folder / name, "w", rate, 1) as file:
            for second in range(round(rng.uniform(10, 120))):
                noise = rng.standard_normal(rate) * (0.2 if second % 4 else 0.01)
                file.write(np.convolve(noise, np.ones(6) / 6, "same"))
    return names


def baseline(names: Sequence[str], folder: Path, out: Path, clips: ClipsParams) -> None:
    """Decode whole files and save both ends as float32."""
    keep = BASELINE_S * clips.sample_rate_hz
    for name in names:
        waveform, rate = soundfile.read(folder / name, dtype="float32")
        if waveform.ndim > 1:
            waveform = waveform.mean(axis=1)
        if rate != clips.sample_rate_hz:
            waveform = soxr.resample(waveform, rate, clips.sample_rate_hz, "HQ")
        np.save(out / f"{name}_head.npy", waveform[:keep])
        np.save(out / f"{name}_tail.npy", waveform[-keep:])


def _pack(shard: str, rows: list[tuple[str, str]], folder: Path, out: Path, c: ClipsParams) -> None:
    keep_freed_memory()
    pack_shard(shard, rows, folder, out, c)


def packed(names: Sequence[str], folder: Path, out: Path, clips: ClipsParams) -> None:
    """Pack clips as the pipeline does, with its allocator: four shards per process."""
    shards = np.array_split(np.array(names), 4 * JOBS)
    calls = (
        delayed(_pack)(f"s{i}", [(str(n), str(n)) for n in shard], folder, out, clips)
        for i, shard in enumerate(shards)
    )
    Parallel(JOBS)(calls)


def seconds(method: Callable[..., None], names: Sequence[str], raw: Path, out: Path) -> float:
    """Wall time of a method that writes into an empty folder.

    The folder is emptied first, because replacing files would measure the disk as well.
    """
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    start = time.perf_counter()
    method(names, raw, out, load_params().clips)
    return time.perf_counter() - start


def compare(suffix: str, count: int, rounds: int) -> None:
    """Print both speeds and their ratio, as medians over rounds, and the ratio of bytes."""
    with tempfile.TemporaryDirectory() as temporary:
        raw, old, new = (Path(temporary) / name for name in ("raw", "old", "new"))
        raw.mkdir()
        names = make_recordings(raw, suffix, count)
        seconds(packed, names, raw, new)  # start the worker processes before timing
        times = [
            (seconds(baseline, names, raw, old), seconds(packed, names, raw, new))
            for _ in range(rounds)
        ]
        sizes = [sum(p.stat().st_size for p in folder.iterdir()) for folder in (old, new)]
    ratio = statistics.median(slow / fast for slow, fast in times)
    speeds = [count / statistics.median(method_s) for method_s in zip(*times, strict=True)]
    print(
        f"{suffix}: baseline {speeds[0]:.0f} files per second, {JOBS} processes {speeds[1]:.0f},"
        f" {ratio:.1f} times as fast; {sizes[1] / sizes[0]:.3f} of the bytes"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=240, help="recordings per format")
    parser.add_argument("--rounds", type=int, default=3, help="timed runs of each method")
    options = parser.parse_args()
    for suffix in FORMATS:
        compare(suffix, options.files, options.rounds)


if __name__ == "__main__":
    main()
