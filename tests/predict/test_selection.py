"""Which recordings are processed, and which names mean which species."""

from pathlib import Path

import pytest

from birdclef.predict.selection import ChoiceError, choose_species, find_recordings
from small_model import SPECIES


def test_folders_give_their_audio_once_sorted_and_files_are_taken_as_given(tmp_path: Path) -> None:
    for name in ("b/x.WAV", "b/a.mp3", "b/notes.txt", "b/.hidden.wav", "b/._x.WAV", "odd.dat"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "b/folder.wav").mkdir()
    odd = tmp_path / "odd.dat"
    found = find_recordings([odd, tmp_path / "b", tmp_path / "b" / "x.WAV"])
    assert [p.name for p in found] == ["odd.dat", "a.mp3", "x.WAV"]
    with pytest.raises(FileNotFoundError, match=r"gone does not exist"):
        find_recordings([tmp_path / "gone"])


def test_species_are_chosen_by_code_and_both_names() -> None:
    lines = [
        "# mine",
        "",
        " MALLAR3 ",
        "Motacilla cinerea_Grey Wagtail",
        "dodo",
        "passer domesticus",
    ]
    chosen, unknown = choose_species(lines, SPECIES)
    assert chosen.tolist() == [0, 1, 2]
    assert unknown == ["dodo"]
    chosen, unknown = choose_species(["house sparrow"], SPECIES)
    assert (chosen.tolist(), unknown) == ([1], [])
    with pytest.raises(ChoiceError, match="knows none of the 1 names"):
        choose_species(["dodo"], SPECIES)
    with pytest.raises(ChoiceError, match="knows none of the 0 names"):
        choose_species([], SPECIES)
