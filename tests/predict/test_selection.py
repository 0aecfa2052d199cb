"""Which recordings are processed, and which names mean which species."""

import os
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
    assert [p.name for p in found.recordings] == ["odd.dat", "a.mp3", "x.WAV"]
    assert not found.left_out
    with pytest.raises(FileNotFoundError, match=r"gone does not exist"):
        find_recordings([tmp_path / "gone"])


def test_sound_that_cannot_be_read_is_named_unless_it_was_converted(tmp_path: Path) -> None:
    for name in ("a.m4a", "b.M4A", "b.flac", "c.txt", ".d.m4a"):
        (tmp_path / name).touch()
    found = find_recordings([tmp_path])
    assert [p.name for p in found.recordings] == ["a.m4a", "b.flac"]


def test_folders_that_are_not_searched_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in" / "locked").mkdir(parents=True)
    (tmp_path / "in" / "linked").symlink_to("..")
    scandir = os.scandir

    def locked(path: str) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr("os.scandir", locked)
    found = find_recordings([tmp_path / "in"])
    reasons = {path.name: reason for path, reason in found.left_out.items()}
    assert reasons == {
        "locked": "cannot be searched: Permission denied",
        "linked": "a link to a folder is not followed; give it as an argument",
    }
    monkeypatch.undo()
    (tmp_path / "in" / "a.wav").touch()
    assert [p.name for p in find_recordings([tmp_path / "in" / "linked" / "in"])[0]] == ["a.wav"]


def test_a_link_to_itself_is_a_recording_that_is_set_aside_later(tmp_path: Path) -> None:
    (tmp_path / "a.wav").symlink_to("a.wav")
    assert find_recordings([tmp_path / "a.wav"]).recordings == [tmp_path / "a.wav"]
    assert find_recordings([tmp_path]).recordings == [tmp_path / "a.wav"]


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
