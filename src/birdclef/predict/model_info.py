"""What an exported model says of itself, for people."""

from typing import Any

from birdclef.common.nested import flatten


def _of_mel(mel: dict[str, Any]) -> str:
    bands = f"{mel['n_mels']} bands from {mel['f_min']:g} to {mel['f_max']:g} Hz"
    return f"{bands}, {mel['n_frames']} frames, window {mel['win_length']}, FFT {mel['n_fft']}"


def _of_calibration(about: dict[str, Any] | None) -> str:
    if about is None:
        return "none: no out-of-fold predictions"
    own = sum(threshold is not None for threshold in about["thresholds"])
    return (
        f"out of fold; {own} of {len(about['thresholds'])} species have a threshold at precision"
        f" {about['precision']:g}"
    )


def info_lines(about: dict[str, Any]) -> list[str]:
    """One line an item of a file's metadata, but for the species."""
    rows = {
        "species": len(about["species"]),
        "input": f"{about['clip_s']:g} s at {about['sample_rate_hz']} Hz, float32, any level",
        "mel": _of_mel(about["mel"]) if "mel" in about else None,
        "backbones": ", ".join(about.get("backbones", [])),
        "level": about.get("level"),  # of folds that were exported alone
        "seed": about.get("seed"),
        "folds": ", ".join(map(str, about.get("folds", []))),
        "training": about.get("training"),
        **dict(flatten(about.get("metrics", {}))),
        "calibration": _of_calibration(about.get("calibration")),
        "licence": about.get("licence"),
    }
    rows = {name: value for name, value in rows.items() if value not in (None, "")}
    width = max(map(len, rows))
    return [f"{name:{width}}  {value}" for name, value in rows.items()]


def species_lines(about: dict[str, Any]) -> list[str]:
    """A species a line: code, scientific and common name, separated by tabs."""
    names = ("species", "scientific_name", "common_name")
    return ["\t".join(species[name] for name in names) for species in about["species"]]
