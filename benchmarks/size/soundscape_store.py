"""Measure the soundscape store: time to read a window, and size relative to PCM.

Both are measured for several lengths of soundscape.

python benchmarks/size/soundscape_store.py --hours 0.1 1 15
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from birdclef.audio.pack_soundscapes import store_soundscape
from birdclef.dataset.soundscapes import read_window
from birdclef.params import ClipsParams, load_params

WINDOWS = 100


def make_soundscape(path: Path, hours: float) -> None:
    """Write an ogg file at 32 kHz: one minute of coloured noise, repeated."""
    rng = np.random.default_rng(0)
    minute = np.convolve(rng.standard_normal(60 * 32_000) * 0.05, np.ones(6) / 6, "same")
    with soundfile.SoundFile(path, "w", 32_000, 1) as file:
        for second in range(round(hours * 3600)):
            start = second % 60 * 32_000
            file.write(minute[start : start + 32_000])


def measure(hours: float, clips: ClipsParams) -> str:
    """Store one soundscape, read random windows of it, and describe both in one line."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as temporary:
        source, target = Path(temporary) / "a.ogg", Path(temporary) / "a.flac"
        make_soundscape(source, hours)
        start = time.perf_counter()
        stored = store_soundscape(source.parent, source.name, target, clips.sample_rate_hz)
        samples = stored.samples
        speed = hours * 3600 / (time.perf_counter() - start)
        times = []
        for start_s in rng.uniform(0, samples / clips.sample_rate_hz - clips.clip_s, WINDOWS):
            start = time.perf_counter()
            read_window(target, start_s, clips)
            times.append(time.perf_counter() - start)
        of_pcm = target.stat().st_size / (2 * samples)
    return (
        f"{hours:g} h: stored at {speed:.0f} times real time, in {of_pcm:.2f} of the bytes of"
        f" 16-bit PCM; {1e3 * np.median(times):.1f} ms per window (median), slowest of {WINDOWS}:"
        f" {1e3 * max(times):.1f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--hours",
        type=float,
        nargs="+",
        default=[0.1, 1.0, 15.0],
        help="lengths of the soundscapes (default 0.1 1 15)",
    )
    for hours in parser.parse_args().hours:
        print(measure(hours, load_params().clips), flush=True)


if __name__ == "__main__":
    main()
