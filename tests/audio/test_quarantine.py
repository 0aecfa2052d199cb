"""Files set aside are listed; too many of them stop the run afterwards."""

from pathlib import Path

import pytest

from birdclef.audio.quarantine import Quarantined, QuarantineError, write_quarantine

BAD = [Quarantined("b", "b.ogg", "empty"), Quarantined("a", "a.ogg", "silent, all of it")]


def test_few_are_listed_sorted(tmp_path: Path) -> None:
    write_quarantine(BAD, 200, 0.01, tmp_path / "q.csv")
    text = (tmp_path / "q.csv").read_text()
    assert text == 'id,path,reason\na,a.ogg,"silent, all of it"\nb,b.ogg,empty\n'


def test_too_many_fail_but_are_listed_all_the_same(tmp_path: Path) -> None:
    with pytest.raises(QuarantineError, match=r"2 of 199 .*max_quarantined = 0\.01(.|\n)*a\.ogg"):
        write_quarantine(BAD, 199, 0.01, tmp_path / "q.csv")
    assert (tmp_path / "q.csv").exists()
