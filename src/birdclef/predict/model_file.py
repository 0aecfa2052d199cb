"""Read an exported model file, and check it against itself before any recording is read."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from birdclef.audio.decode import SAMPLE_RATES_HZ
from birdclef.common.names import INPUT, METADATA, OUTPUT
from birdclef.predict.engines import session
from birdclef.predict.external_data import has_external_data

MAX_BYTES = 2**31  # of a protocol buffer
MAX_CLIP_S = 3600.0
_MEL = ("n_mels", "n_frames", "win_length", "n_fft", "f_min", "f_max")
_NAMES = ("species", "scientific_name", "common_name")


class ModelFileError(ValueError):
    """A file that is not a whole exported model of this pipeline."""


def read_metadata(model: str | Path) -> dict[str, Any]:
    """Read the metadata of an exported file: species, sample_rate_hz, clip_s and more.

    Raises:
        ModelFileError: the file is missing, damaged, keeps weights in other files, lacks this
            pipeline's metadata, or its metadata are impossible or contradict its inputs and
            outputs.
    """
    path = Path(model)
    if not path.exists():
        raise ModelFileError(f"{model} not found: run `dvc repro`, or `dvc pull` to fetch it")
    if not path.is_file():
        raise ModelFileError(f"{model} cannot be loaded: it is no regular file; name a model file")
    if path.stat().st_size > MAX_BYTES:
        raise ModelFileError(f"{model} cannot be loaded: an ONNX file has at most 2 GiB")
    try:
        if has_external_data(path.read_bytes()):
            raise ModelFileError(
                f"{model} keeps weights in other files, and a model of this pipeline is a single"
                " file: export it again with `birdclef model export`"
            )
        loaded = session(path, optimise=False)
        text = loaded.get_modelmeta().custom_metadata_map.get(METADATA)
    except ModelFileError:
        raise
    except Exception as error:  # ONNX Runtime has an exception class per fault
        raise cannot_be_loaded(model, error) from None
    if text is None:
        raise ModelFileError(f"{model} was not exported by this pipeline")
    metadata = _parse(model, text)
    puts = (*loaded.get_inputs(), *loaded.get_outputs())
    _check_sizes(model, [(put.name, put.shape[-1] if put.shape else 0) for put in puts], metadata)
    return metadata


def cannot_be_loaded(model: str | Path, error: Exception) -> ModelFileError:
    """The error for a file that an engine refuses, with the engine's reason on one line."""
    reason = " ".join(str(error).split())[:300]
    return ModelFileError(
        f"{model} cannot be loaded: {reason}; it is damaged or no model of this pipeline: copy it"
        " again, or export it again"
    )


class _Rule(NamedTuple):
    """What one item of the metadata must be."""

    name: str
    what: str
    holds: Callable[[Any, Mapping[str, Any]], bool]  # of the item and all metadata
    is_needed: bool = False


def _is_number(value: object) -> bool:
    is_real = isinstance(value, int | float) and not isinstance(value, bool)
    return is_real and math.isfinite(value)  # type: ignore[arg-type]


def _are_texts(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _are_species(species: object, _: Mapping[str, Any]) -> bool:
    if not isinstance(species, list) or not species:
        return False
    if not all(isinstance(s, dict) and _are_texts([s.get(n) for n in _NAMES]) for s in species):
        return False
    return len({s["species"] for s in species}) == len(species)


def _is_calibration(calibration: object, metadata: Mapping[str, Any]) -> bool:
    if calibration is None:
        return True
    if not isinstance(calibration, dict) or not _is_number(calibration.get("precision")):
        return False
    count = len(metadata["species"])
    lists = [calibration.get(name) for name in ("slopes", "offsets", "thresholds")]
    if not all(isinstance(values, list) and len(values) == count for values in lists):
        return False
    thresholds = [value for value in calibration["thresholds"] if value is not None]
    return all(map(_is_number, [*calibration["slopes"], *calibration["offsets"], *thresholds]))


_RULES = (
    _Rule(
        "species",
        f"a list of species, each code once, each with the texts {', '.join(_NAMES)}",
        _are_species,
        is_needed=True,
    ),
    _Rule(
        "sample_rate_hz",
        "a whole number from {} to {}".format(*SAMPLE_RATES_HZ),
        lambda rate, _: type(rate) is int and SAMPLE_RATES_HZ[0] <= rate <= SAMPLE_RATES_HZ[1],
        is_needed=True,
    ),
    _Rule(
        "clip_s",
        f"a number of seconds above 0, at most {MAX_CLIP_S:g}",
        lambda clip_s, all_: (
            _is_number(clip_s) and 1 / all_["sample_rate_hz"] <= clip_s <= MAX_CLIP_S
        ),
        is_needed=True,
    ),
    _Rule(
        "mel",
        f"a mapping with the numbers {', '.join(_MEL)}",
        lambda mel, _: isinstance(mel, dict) and all(_is_number(mel.get(name)) for name in _MEL),
    ),
    _Rule(
        "calibration",
        "slopes, offsets and thresholds, each with a number per species, and a precision",
        _is_calibration,
    ),
    _Rule("backbones", "a list of texts", lambda names, _: _are_texts(names)),
    _Rule("folds", "a list", lambda folds, _: isinstance(folds, list)),
    _Rule("metrics", "a mapping", lambda metrics, _: isinstance(metrics, dict)),
)


def _parse(model: str | Path, text: str) -> dict[str, Any]:
    """Parse the metadata and check each item."""
    try:
        metadata = json.loads(text)
    except (ValueError, RecursionError):
        metadata = None
    if not isinstance(metadata, dict):
        raise ModelFileError(f"{model}: its metadata must be a JSON mapping; export it again")
    for rule in _RULES:
        if rule.name not in metadata and not rule.is_needed:
            continue
        value = metadata.get(rule.name)
        if not rule.holds(value, metadata):
            raise ModelFileError(
                f"{model}: {rule.name} in its metadata must be {rule.what}, and is"
                f" {repr(value)[:200]}; export it again"
            )
    return metadata


def _check_sizes(
    model: str | Path, found: list[tuple[str, object]], metadata: Mapping[str, Any]
) -> None:
    """Compare inputs and outputs with the metadata; the Detector tries sizes that are no numbers.

    Args:
        model: the file, for the message.
        found: name and size of the graph's inputs and then of its outputs.
        metadata: the metadata, already checked.
    """
    samples = round(metadata["clip_s"] * metadata["sample_rate_hz"])
    wanted = [(INPUT, samples), (OUTPUT, len(metadata["species"]))]
    stated = [
        (name, size if isinstance(size, int) else wanted_size)
        for (name, size), (_, wanted_size) in zip(found, wanted, strict=False)
    ]
    if len(found) != len(wanted) or stated != wanted:
        described = ", ".join(f"{name} of {size}" for name, size in found)
        raise ModelFileError(
            f"{model} contradicts itself: its metadata state {INPUT} of {samples} samples and"
            f" {OUTPUT} of {len(metadata['species'])} species, and its graph has {described};"
            " export it again"
        )
