"""Which recordings are processed, and which species are reported."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from birdclef.common.names import AUDIO_SUFFIXES, OTHER_SOUND_SUFFIXES


class ChoiceError(ValueError):
    """Options that conflict with the model, the recordings or each other."""


class Found(NamedTuple):
    """The recordings to process, and the folders that were not searched."""

    recordings: list[Path]
    left_out: dict[Path, str]  # folder -> why it was not searched


def find_recordings(paths: Sequence[Path]) -> Found:
    """The given files, and the sound files in each folder, sorted; hidden files are left out.

    Sound files that libsndfile does not read are among them, so that they are named, unless they
    have been converted: unless a file of the same name with another suffix is beside them.

    Raises:
        FileNotFoundError: a path does not exist.
        ChoiceError: no recording was found.
    """
    recordings: list[Path] = []
    left_out: dict[Path, str] = {}
    for path in paths:
        if not os.path.lexists(path):
            raise FileNotFoundError(f"{path} does not exist")
        recordings += sorted(_search(path, left_out)) if path.is_dir() else [path]
    if not recordings and not left_out:
        raise ChoiceError(
            f"no recording in {', '.join(map(str, paths))}: no file has one of the suffixes"
            f" {' '.join(AUDIO_SUFFIXES)}"
        )
    return Found(list(dict.fromkeys(recordings)), left_out)


def _search(folder: Path, left_out: dict[Path, str]) -> Iterable[Path]:
    """Yield the sound files below a folder, and put folders that are not searched in `left_out`."""

    def refuse(error: OSError) -> None:
        left_out[Path(error.filename)] = f"cannot be searched: {error.strerror}"

    for name, folders, files in os.walk(folder, onerror=refuse):
        parent = Path(name)
        for linked in (parent / name for name in folders if (parent / name).is_symlink()):
            left_out[linked] = "a link to a folder is not followed; give it as an argument"
        readable = {path for path in map(parent.joinpath, files) if _has(path, AUDIO_SUFFIXES)}
        stems = {path.stem for path in readable}
        yield from readable
        for path in map(parent.joinpath, files):
            if _has(path, OTHER_SOUND_SUFFIXES) and path.stem not in stems:
                yield path


def _has(path: Path, suffixes: Sequence[str]) -> bool:
    return path.suffix.lower() in suffixes and not path.name.startswith(".")


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
