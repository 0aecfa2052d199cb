"""Time index, index_extra, preprocess and `dvc status` with as many recordings as the competition.

A temporary folder holds 182 species with 25,000 recordings. Each recording is a link to one file
of half a second, so that the time depends on rows, files and shards, and not on decoding.

    python benchmarks/size/scale.py --recordings 25000
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import soundfile
import yaml

ROOT = Path(__file__).parents[2]
SPECIES = 182
STAGES = ("index", "index_extra", "preprocess")


def make_competition(folder: Path, recordings: int) -> None:
    """Write a competition of `recordings` rows whose files are links to one sound file."""
    rng = np.random.default_rng(0)
    sound = folder / "sound.ogg"
    folder.mkdir(parents=True)
    soundfile.write(sound, 0.1 * rng.standard_normal(16_000), 32_000)
    counts = rng.multinomial(recordings, rng.dirichlet(np.full(SPECIES, 0.8)))
    labels = np.repeat([f"bird{i:03d}" for i in range(SPECIES)], counts)
    files = [f"{label}/XC{i}.ogg" for i, label in enumerate(labels)]
    for file in files:
        path = folder / "train_audio" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.hardlink_to(sound)
    columns = {
        "primary_label": labels,
        "secondary_labels": "['bird001', 'bird002']",
        "scientific_name": labels,
        "common_name": labels,
        "author": [f"recordist {i % 900}" for i in range(recordings)],
        "license": "CC0",
        "latitude": 1.0,
        "longitude": 2.0,
        "rating": 4.0,
        "filename": files,
    }
    pd.DataFrame(columns).to_csv(folder / "train_metadata.csv", index=False)


def make_repository(folder: Path) -> None:
    """Make a repository that contains the first stages of the pipeline."""
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text())
    pipeline["stages"] = {name: pipeline["stages"][name] for name in STAGES}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": pipeline["stages"]}))
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["data"]["root"] = "data/raw"
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    shutil.copytree(ROOT / "src", folder / "src")
    shutil.copy(ROOT / "data/corrections.csv", folder / "data/corrections.csv")
    shutil.copy(ROOT / ".dvcignore", folder / ".dvcignore")
    for command in ("git init -q", "dvc init -q", "dvc config core.analytics false"):
        subprocess.run(command.split(), cwd=folder, check=True)


def watch_memory(process: "subprocess.Popen[bytes]", peak: list[int]) -> None:
    """Keep the largest memory of a process and its children in `peak[0]`, in bytes."""
    while process.poll() is None:
        with suppress(psutil.Error):
            tree = psutil.Process(process.pid)
            family = [tree, *tree.children(recursive=True)]
            peak[0] = max(peak[0], sum(member.memory_info().rss for member in family))
        time.sleep(0.05)


def run(command: str, folder: Path) -> None:
    """Run a command; print its wall time, and the peak memory of all its processes."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(folder / "src")}
    start, peak = time.perf_counter(), [0]
    process = subprocess.Popen(
        command.split(), cwd=folder, env=environment, stdout=subprocess.DEVNULL
    )
    watcher = threading.Thread(target=watch_memory, args=(process, peak))
    watcher.start()
    if process.wait():
        raise SystemExit(f"{command} failed")
    elapsed = time.perf_counter() - start
    watcher.join()
    print(f"{command}: {elapsed:.1f} s, {peak[0] / 1e6:.0f} MB at most", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--recordings", type=int, default=25_000, help="number of recordings (default 25000)"
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_competition(folder / "data/raw/birdclef-2024", parser.parse_args().recordings)
        make_repository(folder)
        for stage in STAGES:
            run(f"python -m birdclef.stages {stage}", folder)
        run("python -m birdclef.stages preprocess", folder)  # again, with nothing changed
        run("dvc commit -q -f", folder)
        for _ in range(3):
            run("dvc status", folder)


if __name__ == "__main__":
    main()
