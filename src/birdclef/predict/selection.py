"""Which recordings are processed, and which species are reported."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from birdclef.common.names import AUDIO_SUFFIXES


class ChoiceError(ValueError):
    """Options that the model, the recordings or each other do not allow."""


def find_recordings(paths: Sequence[Path]) -> list[Path]:
    """Files as given, and every audio file inside folders, sorted; hidden ones are left out.

    Raises:
        FileNotFoundError: a path does not exist.
        ChoiceError: there is no recording.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist")
        found += sorted(filter(_is_audio, path.rglob("*"))) if path.is_dir() else [path]
    if not found:
        raise ChoiceError(
            f"no recording in {', '.join(map(str, paths))}: no file has a suffix of"
            f" {' '.join(AUDIO_SUFFIXES)}"
        )
    return list(dict.fromkeys(found))


def _is_audio(path: Path) -> bool:
    audio = path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".")
    return audio and not path.is_dir()


def read_species_list(path: Path) -> list[str]:
    """The lines of a species list.

    Raises:
        ChoiceError: the file is not text in UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ChoiceError(f"{path} is not text in UTF-8: {error}") from None


def choose_species(
    lines: Iterable[str], species: Sequence[dict[str, str]]
) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Positions of the species that a list names, by code, scientific or common name.

    Lines of `Scientific name_Common name`, as BirdNET's lists have them, count too. Case and blanks
    around do not matter; blank lines and those that begin with # are passed over.

    Returns:
        The positions in the model's order, and the names that the model does not know.

    Raises:
        ChoiceError: it knows none of them.
    """
    known: dict[str, set[int]] = {}
    for i, about in enumerate(species):
        both = f"{about['scientific_name']}_{about['common_name']}"
        for name in (about["species"], about["scientific_name"], about["common_name"], both):
            known.setdefault(name.strip().casefold(), set()).add(i)
    names = [line.strip() for line in lines]
    names = [name for name in names if name and not name.startswith("#")]
    unknown = [name for name in names if name.casefold() not in known]
    if len(unknown) == len(names):
        raise ChoiceError(
            f"the model knows none of the {len(names)} names in the species list; it takes codes,"
            f" scientific and common names such as {species[0]['species']},"
            f" {species[0]['scientific_name']}, {species[0]['common_name']}"
        )
    chosen = {i for name in names for i in known.get(name.casefold(), ())}
    return np.array(sorted(chosen), np.int64), unknown


def declared_s(path: Path) -> float:
    """Seconds that a file's header promises; only to show progress, so 0 where there is none."""
    try:
        return float(soundfile.info(path).duration) if path.is_file() else 0.0
    except (soundfile.LibsndfileError, OSError, TypeError, ZeroDivisionError):
        return 0.0
