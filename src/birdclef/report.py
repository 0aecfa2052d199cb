"""The table that a run ends with: first level against second level, and the exported model."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from birdclef.inference import Detector

METRICS, MODEL = Path("metrics"), Path("models/birdclef.onnx")


def _read(name: str) -> dict[str, Any]:
    path = METRICS / f"{name}.json"
    if not path.exists():
        raise FileNotFoundError(f"{path} not found: run `make repro`, or `dvc repro`, first")
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values


def clips_per_second(model: Path, seconds: float = 2.0) -> float:
    """Model clips a second on this machine, mel and all folds included."""
    detector = Detector(model)
    noise = np.random.default_rng(0).standard_normal((8, detector.clip_samples))
    batch = noise.astype(np.float32)
    detector.probabilities(batch)  # warm up
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        detector.probabilities(batch)
        done += len(batch)
    return done / (time.perf_counter() - start)


def scores_table() -> Table:
    """Macro ROC-AUC of both levels and their difference.

    Raises:
        FileNotFoundError: nothing was evaluated yet.
    """
    scores = _read("evaluate")
    table = Table(title="macro ROC-AUC")
    for column in ("", "first level", "second level", "difference"):
        table.add_column(column, justify="left" if not column else "right")
    out_of_fold = scores["out_of_fold"]
    l1, l2 = out_of_fold["l1"], out_of_fold["l2"]
    table.add_row("out of fold", f"{l1:.3f}", f"{l2:.3f}", f"{l2 - l1:+.3f}")
    if "soundscapes" in scores:
        s = scores["soundscapes"]
        interval = f"{s['difference']:+.3f} [{s['low']:+.3f}, {s['high']:+.3f}]"
        table.add_row("labelled soundscapes", f"{s['l1']:.3f}", f"{s['l2']:.3f}", interval)
    return table


def model_lines() -> list[str]:
    """What is to say of the exported model: parity, size, speed here."""
    export = _read("export_onnx")
    lines = [
        f"ONNX against PyTorch: probabilities differ by at most {export['parity']:.1e}",
        f"{MODEL}: {export['model_mb']:.1f} MB",
    ]
    if MODEL.exists():
        lines[1] += f", {clips_per_second(MODEL):.0f} clips a second on this machine"
    return lines
