"""Compare `birdclef predict` with the original's inference, on the same soundscapes and networks.

Five efficientvit_b0 with 182 species and random weights process synthetic soundscapes of 4 minutes:

(a) The original's method: decode a file, compute torchaudio's mel of all its windows at once, run
    five ONNX sessions with default options one after the other, average them, and write one table
    at the end.
(b) `birdclef predict --format submission`, with each engine, and as two processes that take half
    of the files each.

Runs of both alternate. The rate of (b) is measured on the files beyond the first quarter. It
therefore leaves out the start of the program, as the rate of (a) does; the time of the start is in
a column of its own. With `--hours`, (b) also runs on one recording of that length.

    python benchmarks/speed/predict.py --files 40 --rounds 3 --hours 15
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import median

import numpy as np
import onnxruntime
import pandas as pd
import psutil
import soundfile
import torch

from birdclef.audio.decode import stream
from birdclef.common.allocator import keep_freed_memory
from birdclef.common.files import write_json
from birdclef.common.lengths import clip_samples
from birdclef.common.names import INPUT
from birdclef.export.graph import export, save
from birdclef.export.mel import ExportableLogMel
from birdclef.model.classifier import Ensemble, create_classifier
from birdclef.model.mel import LogMel
from birdclef.params import Params, load_params
from birdclef.predict.detector import cores
from birdclef.predict.engines import ENGINES, session

SPECIES, FOLDS, FILE_S, TEST_FILES, LIMIT_MIN = 182, 5, 240, 1100, 120
RESULTS = Path("benchmarks/results/predict.json")


def make_soundscapes(folder: Path, count: int, rate_hz: int) -> list[Path]:
    """Write noise with chirps as OGG Vorbis: eight different files, then links to them."""
    rng = np.random.default_rng(0)
    paths = [folder / f"soundscape_{i}.ogg" for i in range(count)]
    for i, path in enumerate(paths):
        if i >= 8:
            os.link(paths[i % 8], path)
            continue
        with soundfile.SoundFile(path, "w", rate_hz, 1) as file:
            for _ in range(FILE_S):
                t = np.arange(rate_hz) / rate_hz
                chirp = np.sin(2 * np.pi * (rng.uniform(1000, 8000) + 800 * t) * t)
                file.write(0.02 * rng.standard_normal(rate_hz) + rng.uniform(0, 0.2) * chirp)
    return paths


def make_recording(path: Path, hours: float, rate_hz: int) -> Path:
    """Write noise as FLAC: one minute, repeated."""
    minute = 0.02 * np.random.default_rng(0).standard_normal(60 * rate_hz)
    with soundfile.SoundFile(path, "w", rate_hz, 1, subtype="PCM_16") as file:
        for _ in range(round(60 * hours)):
            file.write(minute)
    return path


def make_models(folder: Path, params: Params) -> None:
    """Write `all.onnx` as the pipeline does, and `fold_<i>.onnx`, image to logits, as the original.

    Also write `sample.csv`, the sample submission.
    """
    names = [f"bird{i}" for i in range(SPECIES)]
    settings = params.train.model_copy(update={"backbone": "efficientvit_b0", "pretrained": False})
    models = [create_classifier(settings, params.mel, params.clips, names, i) for i in range(FOLDS)]
    metadata = {
        "species": [{"species": n, "scientific_name": n, "common_name": n} for n in names],
        "sample_rate_hz": params.clips.sample_rate_hz,
        "clip_s": params.clips.clip_s,
    }
    ensemble = Ensemble.of([model.eval() for model in models]).eval()
    save(export(ensemble, params.mel, params.clips), metadata, folder / "all.onnx")
    image = torch.zeros(2, 3, params.mel.n_mels, params.mel.n_frames)
    for i, model in enumerate(models):
        torch.onnx.export(
            model.backbone.eval(),
            (image,),
            folder / f"fold_{i}.onnx",
            input_names=["image"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            external_data=False,
            dynamo=True,
            verbose=False,
        )
    pd.DataFrame(columns=["row_id", *names]).to_csv(folder / "sample.csv", index=False)


def original(folder: Path, files: list[Path], out: Path, params: Params) -> dict[str, float]:
    """Predict files with the original's method. Returns the seconds of each part and of all."""
    mel = LogMel(params.mel, params.clips)
    folds = [
        onnxruntime.InferenceSession(folder / f"fold_{i}.onnx", providers=["CPUExecutionProvider"])
        for i in range(FOLDS)
    ]
    spent = dict.fromkeys(("decode", "mel", "model"), 0.0)
    tables, first_start = [], time.perf_counter()
    for path in files:
        start = time.perf_counter()
        waveform, _ = soundfile.read(path, dtype="float32")
        windows = waveform.reshape(-1, clip_samples(params.clips))
        decoded = time.perf_counter()
        with torch.inference_mode():
            images = mel(torch.from_numpy(windows)).numpy()
        imaged = time.perf_counter()
        logits = [fold.run(None, {"image": images})[0] for fold in folds]
        probabilities = (1 / (1 + np.exp(-np.stack(logits)))).mean(axis=0)
        done = time.perf_counter()
        spent["decode"] += decoded - start
        spent["mel"] += imaged - decoded
        spent["model"] += done - imaged
        rows = [f"{path.stem}_{5 * (i + 1)}" for i in range(len(windows))]
        tables.append(pd.DataFrame(probabilities, index=rows))
    pd.concat(tables).to_csv(out)
    return spent | {"all": time.perf_counter() - first_start}


def ours(folder: Path, files: list[Path], out: Path, engine: str = "onnxruntime") -> list[str]:
    """The `birdclef predict` command for these files."""
    options = ["--format", "submission", "--sample-submission", str(folder / "sample.csv")]
    return [
        *(sys.executable, "-m", "birdclef.cli.app", "predict", *map(str, files)),
        *("--model", str(folder / "all.onnx"), "--out", str(out), "--engine", engine, *options),
    ]


def timed(*commands: list[str]) -> tuple[float, float]:
    """Run commands at the same time. Returns the seconds until all have ended, and GB.

    GB is the peak memory of the largest process.
    """
    start = time.perf_counter()
    started = [psutil.Popen(c, stdout=subprocess.DEVNULL) for c in commands]
    largest = 0
    while any(process.poll() is None for process in started):
        for process in started:
            with suppress(psutil.Error):  # the process has just ended
                largest = max(largest, process.memory_info().rss)
        time.sleep(0.05)
    if any(process.returncode for process in started):
        raise SystemExit("failed: " + " ".join(commands[0]))
    return time.perf_counter() - start, largest / 1e9


def timed_original(folder: Path, files: int, out: Path) -> tuple[float, float]:
    """Seconds and GB of the original's method; seconds without its imports and loading."""
    command = [sys.executable, __file__, "--files", str(files)]
    _, gigabytes = timed([*command, "--original", str(folder), str(out)])
    spent = json.loads((folder / "original.json").read_text(encoding="utf-8"))
    return spent["all"], gigabytes


def timed_in_two(folder: Path, files: list[Path], out: Path) -> tuple[float, float]:
    """Seconds and GB of two `birdclef predict` processes, each on half of the files."""
    second = out.with_name("second.csv")
    return timed(ours(folder, files[::2], out), ours(folder, files[1::2], second))


def seconds_of_parts(folder: Path, path: Path, params: Params) -> dict[str, float]:
    """Seconds on one core that our method spends on a file: decoding, the mel, the networks."""
    keep_freed_memory()
    blocks = list(stream(path, params.clips.sample_rate_hz))  # allocates memory before the timing
    start = time.perf_counter()
    for _ in stream(path, params.clips.sample_rate_hz):
        pass
    decoded = time.perf_counter()
    waveform = np.concatenate(blocks)
    clips = waveform[: len(waveform) // clip_samples(params.clips) * clip_samples(params.clips)]
    clips = clips.reshape(-1, clip_samples(params.clips))
    mel = session(folder / "mel.onnx")
    all_models = session(folder / "all.onnx")
    times = []
    for model in (mel, all_models):
        model.run(None, {INPUT: clips[:8]})
        model_start = time.perf_counter()
        for i in range(0, len(clips), 8):
            model.run(None, {INPUT: clips[i : i + 8]})
        times.append(time.perf_counter() - model_start)
    return {"decode": decoded - start, "mel": times[0], "model": times[1] - times[0]}


def make_mel(folder: Path, params: Params) -> None:
    """Write `mel.onnx`, the mel of the exported model alone."""
    torch.onnx.export(
        ExportableLogMel(params.mel, params.clips).eval(),
        (torch.zeros(2, clip_samples(params.clips)),),
        folder / "mel.onnx",
        input_names=[INPUT],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        external_data=False,
        dynamo=True,
        verbose=False,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=40, help="number of soundscapes (default 40)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each method (default 3)")
    parser.add_argument(
        "--hours", type=float, default=0.0, help="length of one long recording (default: none)"
    )
    parser.add_argument("--original", nargs=2, type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    params = load_params(Path("recipes/birdclef-2024.yaml"))
    if chosen.original:  # runs in its own process, as ours does
        folder, out = chosen.original
        spent = original(folder, sorted(folder.glob("*.ogg"))[: chosen.files], out, params)
        write_json(spent, folder / "original.json")
        return
    engines = [e for e in ENGINES if e == "onnxruntime" or _has_openvino()]
    with tempfile.TemporaryDirectory() as name:
        folder, out = Path(name), Path(name) / "out.csv"
        make_models(folder, params)
        make_mel(folder, params)
        files = make_soundscapes(folder, chosen.files, params.clips.sample_rate_hz)
        first_quarter = files[: len(files) // 4]
        methods: dict[str, Callable[[list[Path]], tuple[float, float]]] = {
            **{e: lambda paths, e=e: timed(ours(folder, paths, out, e)) for e in engines},  # type: ignore[misc]
            "onnxruntime, two processes": lambda paths: timed_in_two(folder, paths, out),
        }
        originals: list[tuple[float, float]] = []
        runs: dict[str, list[tuple[float, float, float]]] = {method: [] for method in methods}
        for _ in range(chosen.rounds):
            originals.append(timed_original(folder, len(files), out))
            for method, run in methods.items():
                runs[method].append((run(first_quarter)[0], *run(files)))
        if chosen.hours:
            sound = make_recording(folder / "long.flac", chosen.hours, params.clips.sample_rate_hz)
            long_s, long_gb = timed(ours(folder, [sound], out))
        spent_by_ours = seconds_of_parts(folder, files[0], params)
        spent = json.loads((folder / "original.json").read_text(encoding="utf-8"))
    per_file = FILE_S / params.clips.clip_s
    windows = len(files) * per_file
    base = windows / median(seconds for seconds, _ in originals)

    def row(rate: float, start_s: float | None, gigabytes: float) -> dict[str, object]:
        minutes = (TEST_FILES * per_file / rate + (start_s or 0)) / 60
        return {
            "windows a second": round(rate, 1),
            "times the original": round(rate / base, 2),
            "start, s": "" if start_s is None else round(start_s, 1),
            "GB": round(gigabytes, 2),
            f"minutes for {TEST_FILES} files": round(minutes, 1),
        }

    rows = {"original": row(base, None, max(gb for _, gb in originals))}
    for method, times in runs.items():
        later_windows = windows - len(first_quarter) * per_file
        rate = later_windows / median(all_s - quarter_s for quarter_s, all_s, _ in times)
        start_s = median(all_s for _, all_s, _ in times) - windows / rate
        rows[method] = row(rate, start_s, max(gb for *_, gb in times))
    if chosen.hours:
        start_s = float(str(rows["onnxruntime"]["start, s"]))
        rate = chosen.hours * 3600 / params.clips.clip_s / (long_s - start_s)
        rows[f"onnxruntime, {chosen.hours:g} hours"] = row(rate, start_s, long_gb)
    parts = {
        "original, two cores": {
            k: round(1000 * v / windows, 2) for k, v in spent.items() if k != "all"
        },
        "ours, one core": {k: round(1000 * v / per_file, 2) for k, v in spent_by_ours.items()},
    }
    write_json({"cores": cores(), "ways": rows, "ms a window": parts}, RESULTS)
    for name, figures in (rows | parts).items():
        print(f"{name:32}", ", ".join(f"{k} {v}" for k, v in figures.items()))


def _has_openvino() -> bool:
    try:
        import openvino  # noqa: F401
    except ModuleNotFoundError:
        return False
    return True


if __name__ == "__main__":
    main()
