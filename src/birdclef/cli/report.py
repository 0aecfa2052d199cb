"""The report at the end of a run: first level against second level, and the exported model."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from birdclef.common.arrays import Waveform
from birdclef.common.names import METRICS, MODEL
from birdclef.predict.detector import Detector

_SECTIONS = {  # of evaluate.json
    "out_of_fold": "out of fold",
    "seen_through_teachers": "seen through teachers",
    "soundscapes": "labelled soundscapes",
}
_SEEN = (
    "Seen through teachers: the students did not train on these recordings, but some of their"
    " teachers did, so the scores are too high."
)
_ORDINALS = {"l1": "first level", "l2": "second level", "l3": "third level"}


def _read(name: str) -> dict[str, Any]:
    path = METRICS / f"{name}.json"
    if not path.exists():
        raise FileNotFoundError(f"{path} not found: run `make repro`, or `dvc repro`, first")
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values


def clips_per_second(model: Path, seconds: float = 2.0) -> float:
    """Clips per second that the model predicts on this machine, including mel and all folds."""
    detector = Detector(model)
    noise = np.random.default_rng(0).standard_normal((detector.batch, detector.clip_samples))
    batch = noise.astype(np.float32)
    detector.probabilities(batch)  # warm up
    start = time.perf_counter()

    def batches() -> Iterator[Waveform]:
        while time.perf_counter() - start < seconds:
            yield batch

    done = sum(map(len, detector.run(batches())))
    return done / (time.perf_counter() - start)


def scores_table() -> Table:
    """Macro ROC-AUC of every level, and the difference of the last level from the first.

    Raises:
        FileNotFoundError: nothing has been evaluated yet.
    """
    scores = _read("evaluate")
    rows = {section: name for section, name in _SECTIONS.items() if section in scores}
    names = {name for section in rows for name in scores[section]}
    levels = sorted(name for name in names if re.fullmatch(r"l\d", name))
    table = Table(title="macro ROC-AUC")
    table.add_column(no_wrap=True)
    for level in levels:
        table.add_column(_ORDINALS.get(level, level), justify="right")
    table.add_column("difference", justify="right")
    for section, name in rows.items():
        s = scores[section]
        table.add_row(name, *(_score(s, level) for level in levels), _difference(s, levels))
    if "seen_through_teachers" in rows:
        table.caption = _SEEN
    return table


def _score(scores: dict[str, float], level: str) -> str:
    if level not in scores:
        return ""
    spread = f" ± {scores[f'{level}_sd']:.3f}" if f"{level}_sd" in scores else ""
    return f"{scores[level]:.3f}{spread}"


def threshold_lines() -> list[str]:
    """Line on the species' own thresholds, scored on data that did not choose them, if any."""
    found = _read("evaluate").get("thresholds")
    if found is None:
        return []
    count, without = found["species_with"], found["species_without"]
    scores = [
        f"precision {found[part]['precision']:.3f} and recall {found[part]['recall']:.3f} {where}"
        for part, where in (("held_out", "out of fold"), ("soundscapes", "on soundscapes"))
        if part in found
    ]
    return ["; ".join([f"{count} of {count + without} species have an own threshold", *scores])]


def _difference(scores: dict[str, float], levels: list[str]) -> str:
    """Last level minus first, with its interval if there is one; empty if either has no score."""
    if not {levels[0], levels[-1]} <= scores.keys():
        return ""
    interval = f" [{scores['low']:+.3f}, {scores['high']:+.3f}]" if "low" in scores else ""
    return f"{scores[levels[-1]] - scores[levels[0]]:+.3f}{interval}"


def model_lines() -> list[str]:
    """Lines on the exported model: parity, size, and speed on this machine."""
    export = _read("export_onnx")
    lines = [
        f"ONNX against PyTorch: probabilities differ by less than {export['parity_below']:g}",
        f"{MODEL}: {export['model_mb']:.1f} MB",
    ]
    if MODEL.exists():
        lines[1] += f", {clips_per_second(MODEL):.0f} clips per second on this machine"
    return lines
