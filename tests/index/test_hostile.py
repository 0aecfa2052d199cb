"""Hostile tables, names and folders: each is handled, set aside by row or name, or refused by name.

Whatever one row, file or folder is, every other recording and soundscape is indexed. The cases are
in tests/helpers/hostile_index.py.
"""

from pathlib import Path

import pytest

from birdclef.audio.inputs import read_inputs
from birdclef.common.recordings import read_recordings
from birdclef.common.tables import TableError, read_own
from birdclef.dataset.labels import read_labels
from birdclef.index.folders import SourceError
from birdclef.params import Params
from birdclef.stages import index
from hostile_index import Case, cases, make_root

GOOD = {"XC1", "XC2", "XC3", "s1", "u1"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, params: Params) -> Path:
    """The folder of a good competition, in the folder where the stage runs."""
    data = params.data.model_copy(update={"root": "raw"})
    rules = params.index.model_copy(update={"corrections": "corrections.csv"})
    changed = params.model_copy(update={"data": data, "index": rules})
    monkeypatch.setattr(index, "load_params", lambda: changed)
    monkeypatch.chdir(tmp_path)
    return make_root(tmp_path / "raw")


@pytest.mark.slow
@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.family}-{case.name}")
def test_one_hostile_thing_spoils_nothing_else(
    folder: Path, case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    case.change(folder)
    if case.refused:
        with pytest.raises((TableError, SourceError), match=case.refused):
            index.main()
        assert not Path("data/index").exists()
        return
    index.main()
    screen = capsys.readouterr().out
    assert case.said in screen
    assert all(line.isprintable() for line in screen.split("\n"))
    aside = read_own("data/index/set_aside.csv")
    rows = zip(aside["row"], aside["recording_id"], aside["reason"], strict=True)
    assert [(int(row) if row else name, why) for row, name, why in rows] == list(case.aside)
    assert _indexed() == (GOOD | set(case.added)) - set(case.lost)
    assert len(read_labels(Path("data/index/soundscape_labels.csv"))) == case.windows


def _indexed() -> set[str]:
    """Ids of the recordings and soundscapes that the next stages read."""
    recordings = read_recordings("data/index/recordings.csv")["recording_id"]
    soundscapes = Path("data/index/soundscapes.csv")
    table = read_inputs(soundscapes, ("soundscape_id", "kind"), Path("raw"))
    return {*recordings, *table["soundscape_id"]}


def test_the_corpus_is_large_and_every_outcome_occurs() -> None:
    found = cases()
    assert len(found) >= 300
    assert len({(case.family, case.name) for case in found}) == len(found)
    assert {case.outcome for case in found} == {"handled", "set aside", "refused"}
