"""Format the metadata of an exported model as readable lines."""

from typing import Any

from birdclef.common.nested import flatten


def _describe_mel(mel: dict[str, Any]) -> str:
    bands = f"{mel['n_mels']} bands from {mel['f_min']:g} to {mel['f_max']:g} Hz"
    return f"{bands}, {mel['n_frames']} frames, window {mel['win_length']}, FFT {mel['n_fft']}"


def _describe_calibration(calibration: dict[str, Any] | None) -> str:
    if calibration is None:
        return "none: no recording was held out"
    thresholds, precision = calibration["thresholds"], calibration["precision"]
    own = sum(threshold is not None for threshold in thresholds)
    return (
        f"from predictions of held-out recordings; {own} of {len(thresholds)} species have a"
        f" threshold at precision {precision:g}"
    )


def info_lines(metadata: dict[str, Any]) -> list[str]:
    """One line per item of a file's metadata, without the species."""
    rows = {
        "species": len(metadata["species"]),
        "input": f"{metadata['clip_s']:g} s at {metadata['sample_rate_hz']} Hz, float32, any level",
        "mel": _describe_mel(metadata["mel"]) if "mel" in metadata else None,
        "backbones": ", ".join(metadata.get("backbones", [])),
        "level": metadata.get("level"),  # only in files of selected folds
        "seed": metadata.get("seed"),
        "folds": ", ".join(map(str, metadata.get("folds", []))),
        "training": metadata.get("training"),
        **dict(flatten(metadata.get("metrics", {}))),
        "calibration": _describe_calibration(metadata.get("calibration")),
        "licence": metadata.get("licence"),
    }
    rows = {name: value for name, value in rows.items() if value not in (None, "")}
    width = max(map(len, rows))
    return [f"{name:{width}}  {value}" for name, value in rows.items()]


def species_lines(metadata: dict[str, Any]) -> list[str]:
    """One species per line: code, scientific and common name, separated by tabs."""
    names = ("species", "scientific_name", "common_name")
    return ["\t".join(species[name] for name in names) for species in metadata["species"]]
