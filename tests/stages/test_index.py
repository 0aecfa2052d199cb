"""The stages `index` and `index_extra` on a small data.root, as `dvc repro` runs them."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from birdclef.common.recordings import COLUMNS
from birdclef.index.folders import SourceError
from birdclef.index.layouts import BIRDCLEF_2023, BIRDSONG_2020, COMPETITION, EXTRAS, XENO_CANTO
from birdclef.stages import index, index_extra
from index_data import (
    add_source,
    competition_row,
    row_2020,
    touch_audio,
    write_table,
    xeno_canto_row,
)
from paths import ROOT


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with params.yaml, corrections and a competition of 24 recordings with extras."""
    monkeypatch.chdir(tmp_path)
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["data"]["root"] = "data/demo"
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    touch_audio(tmp_path / "data" / "corrections.csv", (ROOT / "data/corrections.csv").read_bytes())
    root = tmp_path / "data" / "demo"
    rows = [competition_row(label, 10 * i + n) for i, label in enumerate("abc") for n in range(8)]
    folder = add_source(root, COMPETITION, rows)
    touch_audio(folder / "unlabeled_soundscapes" / "u1.ogg")
    touch_audio(folder / "train_soundscapes" / "s1.ogg")
    window = {"row_id": "s1_5", "site": "X", "audio_id": "s1", "seconds": 5, "birds": "a"}
    write_table(folder / "train_soundscape_labels.csv", [window])
    add_source(root, BIRDCLEF_2023, [competition_row("a", 50), competition_row("z", 51)])
    add_source(root, BIRDSONG_2020, [row_2020("b", 52)])
    add_source(root, XENO_CANTO, [xeno_canto_row("c", 53), xeno_canto_row("c", 20)])
    return tmp_path


def run_both() -> None:
    index.main()
    index_extra.main()


def outputs(workspace: Path) -> dict[str, bytes]:
    folders = (workspace / "data" / "index", workspace / "metrics")
    return {path.name: path.read_bytes() for folder in folders for path in folder.iterdir()}


def test_one_species_is_refused_before_anything_is_written(workspace: Path) -> None:
    folder = workspace / "data" / "demo" / "birdclef-2024"
    write_table(folder / "train_metadata.csv", [competition_row("a", n) for n in range(8)])
    with pytest.raises(SourceError, match=r"train_metadata\.csv has only one species, a,"):
        index.main()
    assert not (workspace / "data/index").exists()


def test_every_output_is_written(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_both()
    files = {name: data.decode().splitlines() for name, data in outputs(workspace).items()}
    assert {name: (lines[0], len(lines) - 1) for name, lines in files.items()} == {
        "recordings.csv": (",".join(COLUMNS), 24),
        "species.csv": ("species,scientific_name,common_name", 3),
        "soundscapes.csv": ("soundscape_id,kind,path", 2),
        "soundscape_labels.csv": ("soundscape_id,start_s,end_s,labels,site", 1),
        "set_aside.csv": ("source,row,recording_id,reason", 0),
        "extra.csv": (",".join(COLUMNS), 3),
        "extra_set_aside.csv": ("source,row,recording_id,reason", 0),
        "index.json": ("{", len(files["index.json"]) - 1),
        "index_extra.json": ("{", len(files["index_extra.json"]) - 1),
    }
    screen = capsys.readouterr().out
    assert "birdclef-2022: not under data/demo, skipped\n" in screen
    assert "27 recordings" in screen


def test_metrics_tell_what_the_rules_left(workspace: Path) -> None:
    run_both()
    own = json.loads((workspace / "metrics/index.json").read_text())
    assert {name: own[name] for name in ("recordings", "species", "labeled_windows")} == {
        "recordings": 24,
        "species": 3,
        "labeled_windows": 1,
    }
    assert (own["species_below_10_recordings"], own["species_without_recordings"]) == (3, 0)
    extra = json.loads((workspace / "metrics/index_extra.json").read_text())
    assert (extra["extra_recordings"], extra["recordings"]) == (3, 27)
    assert (own["licenses"], extra["licenses"]) == ({"CC BY": 24}, {"CC BY": 3})
    rules = ("rows", "same_species", "usable", "unique", "new", "kept")
    assert {name: [counts[r] for r in rules] for name, counts in extra["sources"].items()} == {
        "birdclef-2023": [2, 1, 1, 1, 1, 1],
        "birdsong-recognition": [1, 1, 1, 1, 1, 1],
        "birdclef2024-additional-mp3": [2, 2, 2, 2, 1, 1],
    }


def test_the_same_data_give_the_same_bytes_in_any_order(workspace: Path) -> None:
    run_both()
    before = outputs(workspace)
    table = workspace / "data/demo/birdclef-2024/train_metadata.csv"
    pd.read_csv(table, dtype=str).sample(frac=1, random_state=0).to_csv(table, index=False)
    run_both()
    assert outputs(workspace) == before
    assert not any(str(workspace).encode() in data for data in before.values())


def test_the_competition_alone_is_enough(workspace: Path) -> None:
    for layout in EXTRAS:
        folder = workspace / "data/demo" / layout.source
        if folder.exists():
            folder.rename(workspace / layout.source)
    run_both()
    assert outputs(workspace)["extra.csv"].decode() == ",".join(COLUMNS) + "\n"


def test_a_species_that_lost_its_recordings_stays_an_output_and_is_counted(workspace: Path) -> None:
    for path in (workspace / "data/demo/birdclef-2024/train_audio/b").iterdir():
        path.write_bytes(b"")
    index.main()
    metrics = json.loads((workspace / "metrics/index.json").read_text())
    names = ("species", "species_below_10_recordings", "species_without_recordings", "set_aside")
    assert [metrics[name] for name in names] == [3, 3, 1, 8]
    assert metrics["set_aside_by_reason"] == {"empty_file": 8}


def test_the_limit_comes_from_params(workspace: Path) -> None:
    path = workspace / "params.yaml"
    params = yaml.safe_load(path.read_text())
    params["index"]["max_recordings_per_species"] = 8
    path.write_text(yaml.safe_dump(params))
    run_both()
    assert len(outputs(workspace)["extra.csv"].splitlines()) == 1


def test_the_stages_need_no_torch() -> None:
    modules = "birdclef.stages.index, birdclef.stages.index_extra"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
