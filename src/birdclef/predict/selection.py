"""Which recordings are processed, and which species are reported."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from birdclef.common.names import AUDIO_SUFFIXES


class ChoiceError(ValueError):
    """Options that conflict with the model, the recordings or each other."""


def find_recordings(paths: Sequence[Path]) -> list[Path]:
    """The given files, and the audio files in each folder, sorted; hidden files are left out.

    Raises:
        FileNotFoundError: a path does not exist.
        ChoiceError: no recording was found.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist")
        found += sorted(filter(_is_audio, path.rglob("*"))) if path.is_dir() else [path]
    if not found:
        raise ChoiceError(
            f"no recording in {', '.join(map(str, paths))}: no file has one of the suffixes"
            f" {' '.join(AUDIO_SUFFIXES)}"
        )
    return list(dict.fromkeys(found))


def _is_audio(path: Path) -> bool:
    is_visible = not path.name.startswith(".")
    return path.suffix.lower() in AUDIO_SUFFIXES and is_visible and not path.is_dir()


def read_species_list(path: Path) -> list[str]:
    """The lines of a species list.

    Raises:
        ChoiceError: the file is not UTF-8 text.
    """
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ChoiceError(f"{path} is not UTF-8 text: {error}") from None


def choose_species(
    lines: Iterable[str], species: Sequence[dict[str, str]]
) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Indices of the species that a list names by code, scientific name or common name.

    Lines of the form `Scientific name_Common name`, as in BirdNET's lists, are accepted too. Case
    and surrounding blanks do not matter. Blank lines and lines that begin with # are skipped.

    Returns:
        The indices in the model's order, and the names that the model does not know.

    Raises:
        ChoiceError: the model knows none of the names.
    """
    known: dict[str, set[int]] = {}
    for i, entry in enumerate(species):
        both = f"{entry['scientific_name']}_{entry['common_name']}"
        for name in (entry["species"], entry["scientific_name"], entry["common_name"], both):
            known.setdefault(name.strip().casefold(), set()).add(i)
    names = [line.strip() for line in lines]
    names = [name for name in names if name and not name.startswith("#")]
    unknown = [name for name in names if name.casefold() not in known]
    if len(unknown) == len(names):
        raise ChoiceError(
            f"the model knows none of the {len(names)} names in the species list; it knows codes,"
            f" scientific and common names such as {species[0]['species']},"
            f" {species[0]['scientific_name']}, {species[0]['common_name']}"
        )
    chosen = {i for name in names for i in known.get(name.casefold(), ())}
    return np.array(sorted(chosen), np.int64), unknown


def declared_s(path: Path) -> float:
    """Seconds that a file's header states, for the progress bar; 0 if it states none."""
    try:
        return float(soundfile.info(path).duration) if path.is_file() else 0.0
    except (soundfile.LibsndfileError, OSError, TypeError, ZeroDivisionError):
        return 0.0
