"""The stage `deduplicate` on a small data.root with copies, after `index` and `index_extra`."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import soxr
import yaml

from birdclef.common.recordings import COLUMNS
from birdclef.index.folds import count_straddling
from birdclef.index.layouts import COMPETITION, XENO_CANTO
from birdclef.stages import deduplicate, index, index_extra
from index_data import add_source, competition_row, touch_audio, write_table, xeno_canto_row
from paths import ROOT
from sounds import RATE_HZ, song, write


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eight recordings; XC13 is XC10 softer, XC22 is XC11 of another species, XC90 an excerpt."""
    monkeypatch.chdir(tmp_path)
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["data"]["root"] = "data/demo"
    params["runtime"]["jobs"] = 1
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    corrections = (ROOT / "data/corrections.csv").read_bytes()
    touch_audio(tmp_path / "data/corrections.csv", corrections)
    root = tmp_path / "data/demo"
    numbers = {"a": (10, 11, 12, 13), "b": (20, 21, 22)}
    rows = [competition_row(label, n) for label, own in numbers.items() for n in own]
    audio = add_source(root, COMPETITION, rows) / COMPETITION.audio
    for n in (10, 11, 12):
        write(audio / f"a/XC{n}.ogg", song(9, seed=n))
    write(audio / "a/XC13.ogg", 0.3 * song(9, seed=10))
    write(audio / "b/XC20.ogg", song(9, seed=20))
    write(audio / "b/XC22.ogg", song(9, seed=11))  # and XC21 cannot be decoded
    extra = add_source(root, XENO_CANTO, [xeno_canto_row("a", 90)]) / XENO_CANTO.audio
    excerpt = song(9, seed=12)[2 * RATE_HZ + 55 : 8 * RATE_HZ]
    write(extra / "a/XC90.mp3", soxr.resample(excerpt, RATE_HZ, 44_100), 44_100)
    index.main()
    index_extra.main()
    return tmp_path


def outputs(workspace: Path) -> dict[str, bytes]:
    tables = ("kept", "kept_soundscapes", "folds", "duplicates")
    names = [f"data/index/{name}.csv" for name in tables]
    names += ["deduplicate.json", "kept.json", "recordings_per_species.csv"]
    return {n: (workspace / (n if "/" in n else f"metrics/{n}")).read_bytes() for n in names}


def test_copies_are_listed_dropped_and_joined(workspace: Path) -> None:
    deduplicate.main()
    report = pd.read_csv(workspace / "data/index/duplicates.csv", keep_default_na=False)
    columns = ["recording_id", "duplicate_id", "action", "dropped"]
    assert report[columns].to_numpy().tolist() == [
        ["XC10", "XC13", "dropped", "XC13"],
        ["XC11", "XC22", "joined", ""],
        ["XC12", "XC90", "dropped", "XC90"],
    ]
    assert report["similarity"].between(0.8, 1).all()
    assert report["offset_s"].tolist() == pytest.approx([0.0, 0.0, 2.0], abs=0.06)
    kept = pd.read_csv(workspace / "data/index/kept.csv", keep_default_na=False)
    assert tuple(kept) == COLUMNS
    joint = dict(zip(kept["recording_id"], kept["joint_labels"], strict=True))
    assert joint == {"XC10": "", "XC11": "b", "XC12": "", "XC20": "", "XC21": "", "XC22": "a"}
    assert report["reason"].tolist() == ["same species", "other species", "same species"]
    assert report["shared_s"].tolist() == [""] * 3
    metrics = json.loads((workspace / "metrics/deduplicate.json").read_text())
    assert metrics == {
        "pairs": 3,
        "dropped": 2,
        "recordings_with_labeled_sound": 0,
        "soundscapes_with_labeled_sound": 0,
        "not_decoded": 1,
        "straddling_groups": 0,
    }
    summary = json.loads((workspace / "metrics/kept.json").read_text())
    assert summary["sources"][XENO_CANTO.source] == {"before": 1, "kept": 0}
    assert summary["licenses"] == {"CC BY": 6}


@pytest.fixture
def soundscapes(workspace: Path) -> Path:
    """Labelled s1 and s2; u1 holds 8 s of s1, u2 nothing, and recording XC21 is 6 s of s2."""
    competition = workspace / "data/demo" / COMPETITION.source
    sounds = {name: song(20, seed) for seed, name in enumerate(("s1", "s2", "u1", "u2"), 50)}
    sounds["u1"][11 * RATE_HZ :][: 8 * RATE_HZ] = 0.3 * sounds["s1"][3 * RATE_HZ :][: 8 * RATE_HZ]
    for name, sound in sounds.items():
        folder = "train_soundscapes" if name.startswith("s") else "unlabeled_soundscapes"
        write(competition / folder / f"{name}.ogg", sound)
    cut = sounds["s2"][5 * RATE_HZ + 77 : 11 * RATE_HZ]
    write(competition / COMPETITION.audio / "b/XC21.ogg", 0.5 * cut)
    rows = [{"audio_id": s, "site": "A", "seconds": 5, "birds": "a"} for s in ("s1", "s2")]
    write_table(competition / "train_soundscape_labels.csv", rows)
    index.main()
    return workspace


def test_sound_of_labelled_soundscapes_is_kept_out_of_training(soundscapes: Path) -> None:
    deduplicate.main()
    report = pd.read_csv(soundscapes / "data/index/duplicates.csv")
    shared = report[report["shared_s"].notna()]
    columns = ["recording_id", "duplicate_id", "reason", "action", "dropped"]
    assert shared[columns].to_numpy().tolist() == [
        ["s1", "u1", "soundscape with sound of a labeled soundscape", "dropped", "u1"],
        ["s2", "XC21", "recording with sound of a labeled soundscape", "dropped", "XC21"],
    ]
    assert shared["shared_s"].tolist() == pytest.approx([8, 6], abs=1)
    assert shared["start_s"].tolist() == pytest.approx([3, 5], abs=0.6)
    assert shared["end_s"].tolist() == pytest.approx([11, 11], abs=0.6)
    assert shared["offset_s"].tolist() == pytest.approx([-8, 5], abs=0.02)
    kept = pd.read_csv(soundscapes / "data/index/kept.csv")
    assert kept["recording_id"].tolist() == ["XC10", "XC11", "XC12", "XC20", "XC22"]
    before, after = (
        (soundscapes / f"data/index/{name}.csv").read_text().splitlines()
        for name in ("soundscapes", "kept_soundscapes")
    )
    assert after == [line for line in before if not line.startswith("u1,")]
    metrics = json.loads((soundscapes / "metrics/deduplicate.json").read_text())
    assert (metrics["pairs"], metrics["dropped"], metrics["not_decoded"]) == (3, 2, 0)
    assert metrics["recordings_with_labeled_sound"] == 1
    assert metrics["soundscapes_with_labeled_sound"] == 1


def test_what_may_be_shared_is_a_parameter(soundscapes: Path) -> None:
    params = yaml.safe_load((soundscapes / "params.yaml").read_text())
    params["deduplicate"]["max_shared_s"] = 7.0
    (soundscapes / "params.yaml").write_text(yaml.safe_dump(params))
    deduplicate.main()
    report = pd.read_csv(soundscapes / "data/index/duplicates.csv")
    assert report.loc[report["shared_s"].notna(), "duplicate_id"].tolist() == ["u1"]


@pytest.mark.slow
def test_exactly_the_planted_parts_of_the_demo_are_found(
    workspace: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """DEMO.md names each pair; the screen shows how many there are."""
    params = yaml.safe_load((workspace / "params.yaml").read_text())
    params["data"]["root"] = str(root)
    (workspace / "params.yaml").write_text(yaml.safe_dump(params))
    index.main()
    index_extra.main()
    deduplicate.main()
    lines = [x for x in (root / "DEMO.md").read_text().splitlines() if "of a labelled" in x]
    planted = [[Path(name).stem for name in re.findall(r"`([^`]+)`", line)] for line in lines]
    report = pd.read_csv(workspace / "data/index/duplicates.csv", dtype="str")
    shared = report[report["shared_s"].notna()]
    assert sorted(shared[["recording_id", "duplicate_id"]].to_numpy().tolist()) == sorted(planted)
    text = "1 recordings with labeled sound, 1 soundscapes with labeled sound"
    assert text in " ".join(capsys.readouterr().out.split())
    for line, (_, name) in zip(lines, planted, strict=True):
        place_s = [float(s) for s in re.findall(r"([\d.]+) to ([\d.]+) s", line)[0]]
        (found,) = shared.loc[shared["duplicate_id"] == name, ["start_s", "end_s"]].to_numpy()
        assert [float(s) for s in found] == pytest.approx(place_s, abs=1.1)


def test_the_leak_report_turns_red_where_a_pair_is_parted(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folds that know nothing of pairs: the metric tells, though recordists and ids differ."""
    found = []

    def part(kept: pd.DataFrame, *_: object) -> pd.DataFrame:
        fold = (kept["recording_id"] == "XC22").astype(int)
        ids = kept["recording_id"]
        found.append(kept)
        return pd.DataFrame({"recording_id": ids, "group": ids, "fold": fold})

    monkeypatch.setattr(deduplicate, "assign_folds", part)
    deduplicate.main()
    metrics = json.loads((workspace / "metrics/deduplicate.json").read_text())
    assert metrics["straddling_groups"] == 1
    assert count_straddling(found[0], part(found[0])) == 0  # without the pairs nobody would know


def test_the_same_data_give_the_same_bytes(workspace: Path) -> None:
    deduplicate.main()
    before = outputs(workspace)
    params = yaml.safe_load((workspace / "params.yaml").read_text())
    params["runtime"]["jobs"] = 2
    (workspace / "params.yaml").write_text(yaml.safe_dump(params))
    deduplicate.main()
    assert outputs(workspace) == before
    assert not any(str(workspace).encode() in data for data in before.values())


def test_the_params_decide(workspace: Path) -> None:
    """Of one second too little is heard to tell the excerpt that starts later."""
    params = yaml.safe_load((workspace / "params.yaml").read_text())
    params["deduplicate"]["max_s"] = 1.5
    params["folds"]["count"] = 2
    params["models"]["folds"] = [0]
    (workspace / "params.yaml").write_text(yaml.safe_dump(params))
    deduplicate.main()
    report = pd.read_csv(workspace / "data/index/duplicates.csv")
    assert report["duplicate_id"].tolist() == ["XC13", "XC22"]
    assert set(pd.read_csv(workspace / "data/index/folds.csv")["fold"]) == {0, 1}


def test_the_stage_needs_no_torch() -> None:
    code = "import sys, birdclef.stages.deduplicate; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
