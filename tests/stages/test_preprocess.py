"""The stage as it is run: what it leaves behind, whatever the files and whenever it is killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import soundfile
import yaml

from birdclef.audio.quarantine import QuarantineError
from birdclef.common.tables import TableError
from birdclef.stages import preprocess
from paths import ROOT
from sounds import RATE_HZ, tone, write

RAW, SHARDS, SCAPES = Path("data/raw"), Path("data/clips"), Path("data/soundscapes")
NOTES = Path(".resume/preprocess/clips")
MAX_MEMORY_MB = 700


def _outputs(folder: Path) -> dict[str, bytes]:
    files = [p for name in (SHARDS, SCAPES) for p in (folder / name).rglob("*")]
    return {str(p.relative_to(folder)): p.read_bytes() for p in files if p.is_file()}


class World:
    """A folder to run the stage in: species with recordings of two seconds, one soundscape."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "metrics").mkdir(parents=True)
        write(folder / RAW / "scape.wav", tone(7))
        self.rows: list[tuple[str, str, str]] = []
        self.change()
        write(folder / "sound.ogg", tone(20) + 0.01)

    def change(self, jobs: int = 1, max_quarantined: float = 0.0, shift_s: float = 1.0) -> None:
        params = yaml.safe_load((ROOT / "params.yaml").read_text())
        params["data"]["root"] = str(RAW)
        params["runtime"]["jobs"] = jobs
        params["preprocess"]["max_quarantined"] = max_quarantined
        params["clips"]["shift_s"] = shift_s
        (self.folder / "params.yaml").write_text(yaml.safe_dump(params))

    def add(self, species: str, count: int = 1) -> Path:
        """Further recordings of a species, links to one file; the path of the last."""
        for _ in range(count):
            name = f"XC{len(self.rows)}"
            path = self.folder / RAW / species / f"{name}.ogg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.hardlink_to(self.folder / "sound.ogg")
            self.rows.append((name, f"{species}/{name}.ogg", species))
        self.index()
        return path

    def index(self, soundscape: tuple[str, str, str] = ("s", "labeled", "scape.wav")) -> None:
        columns = ["recording_id", "path", "primary_label"]
        (self.folder / "data/index").mkdir(parents=True, exist_ok=True)
        table = pd.DataFrame(self.rows, columns=columns)
        table.to_csv(self.folder / "data/index/kept.csv", index=False)
        table = pd.DataFrame([soundscape], columns=["soundscape_id", "kind", "path"])
        table.to_csv(self.folder / "data/index/kept_soundscapes.csv", index=False)

    def outputs(self) -> dict[str, bytes]:
        return _outputs(self.folder)

    def times(self) -> dict[str, int]:
        shards = (self.folder / SHARDS).glob("*.npy")
        return {path.stem: path.stat().st_mtime_ns for path in shards}

    def run_anew(self, elsewhere: Path) -> dict[str, bytes]:
        """What a run from nothing leaves."""
        shutil.copytree(self.folder, elsewhere, ignore=shutil.ignore_patterns(".resume", "clips"))
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(elsewhere)
            preprocess.main()
        return _outputs(elsewhere)

    def start(self) -> "subprocess.Popen[bytes]":
        environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
        command = [sys.executable, "-m", "birdclef.stages.preprocess"]
        return subprocess.Popen(
            command, cwd=self.folder, env=environment, start_new_session=True, stdout=-3
        )


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(tmp_path / "world")
    monkeypatch.chdir(world.folder)
    return world


@pytest.fixture
def packed(world: World) -> World:
    """Three species, packed."""
    for species in ("ant", "bee", "cat"):
        world.add(species, 2)
    preprocess.main()
    return world


def test_outputs_are_those_of_the_index(packed: World) -> None:
    scapes = ["labeled.csv", "labeled/s.flac", "unlabeled.csv"]
    clips = ["ant.npy", "bee.npy", "cat.npy", "index.csv", "quarantine.csv"]
    expected = {f"{SHARDS}/{name}" for name in clips} | {f"{SCAPES}/{name}" for name in scapes}
    assert set(packed.outputs()) == expected
    index = pd.read_csv(SHARDS / "index.csv")
    assert index["recording_id"].tolist() == [f"XC{i}" for i in range(6)]
    assert index["length"].tolist() == [12 * RATE_HZ] * 6
    assert (SCAPES / "labeled.csv").read_text() == f"soundscape_id,samples\ns,{7 * RATE_HZ}\n"


@pytest.mark.parametrize("change", ["nothing", "recording", "file", "params", "code"])
def test_only_what_changed_is_made_anew(
    packed: World, change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = packed.times()
    if change == "recording":
        packed.add("bee")
    elif change == "file":
        path = RAW / "bee" / "XC2.ogg"
        path.unlink()
        write(path, tone(14))
    elif change == "params":
        packed.change(shift_s=0.5)
    elif change == "code":
        monkeypatch.setattr("birdclef.audio.incremental._LIBRARIES", ("another",))
    preprocess.main()
    after = packed.times()
    made = {species for species in before if before[species] != after[species]}
    everything = {"ant", "bee", "cat"}
    expected = {"nothing": set(), "params": everything, "code": everything}
    assert made == expected.get(change, {"bee"})
    assert packed.outputs() == packed.run_anew(tmp_path / "anew")


def test_what_is_gone_from_the_index_is_gone_from_the_store(packed: World, tmp_path: Path) -> None:
    packed.rows = [row for row in packed.rows if row[2] != "bee"]
    packed.index(("t", "unlabeled", "scape.wav"))
    (SHARDS / ".ant.npy.123.tmp").write_bytes(b"half a shard")
    preprocess.main()
    assert set(packed.times()) == {"ant", "cat"}
    assert packed.outputs() == packed.run_anew(tmp_path / "anew")


def _bad_wav(samples: np.ndarray, rate_hz: int = RATE_HZ) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        soundfile.write(path, samples, rate_hz, format="WAV", subtype="FLOAT")

    return make


def _replace(make: Callable[[Path], None]) -> Callable[[Path], None]:
    def replace(path: Path) -> None:
        path.unlink()
        make(path)

    return replace


BAD: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "no audio": lambda path: path.write_bytes(b"<html>404</html>"),
    "corrupt": lambda path: path.write_bytes(b"OggS" + bytes(5000)),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:1000]),
    "silent": _bad_wav(np.zeros(RATE_HZ)),
    "nan": _bad_wav(np.array([0.1, np.nan] * RATE_HZ)),
    "infinite": _bad_wav(np.array([0.1, np.inf] * RATE_HZ)),
    "no samples": _bad_wav(np.zeros(0)),
    "one sample": _bad_wav(np.array([0.5])),
    "32 channels": _bad_wav(np.full((RATE_HZ, 32), 0.5)),
    "8 Hz": _bad_wav(np.full(100, 0.5), 8),
    "folder": _replace(Path.mkdir),
    "pipe": _replace(os.mkfifo),
}


def test_bad_files_of_every_kind_are_listed_and_the_rest_is_stored(world: World) -> None:
    world.change(max_quarantined=0.95)
    world.add("good")
    for kind, damage in BAD.items():
        path = world.add(kind.replace(" ", "-"))
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
        damage(path)
    preprocess.main()
    listed = pd.read_csv(SHARDS / "quarantine.csv")
    assert set(listed["path"]) == {row[1] for row in world.rows[1:]}
    assert listed["reason"].str.len().min() > 5
    assert not listed["reason"].str.contains(str(world.folder), regex=False).any()
    assert pd.read_csv(SHARDS / "index.csv")["recording_id"].tolist() == ["XC0"]
    counts = json.loads(Path("metrics/preprocess.json").read_text())
    assert counts == {"files": len(BAD) + 2, "quarantined": len(BAD)}


def test_too_many_bad_files_fail_after_all_are_listed_and_mending_them_is_enough(
    packed: World,
) -> None:
    bad = packed.add("ant")
    bad.unlink()
    with pytest.raises(QuarantineError, match=r"1 of 8 files .*max_quarantined = 0(.|\n)*XC6\.ogg"):
        preprocess.main()
    assert pd.read_csv(SHARDS / "quarantine.csv")["id"].tolist() == ["XC6"]
    assert json.loads(Path("metrics/preprocess.json").read_text())["quarantined"] == 1
    write(bad, tone(3))
    preprocess.main()
    assert len(pd.read_csv(SHARDS / "index.csv")) == 7


@pytest.mark.parametrize(
    "row",
    [("XC9", "../outside.ogg", "ant"), ("XC9", "ant/XC0.ogg", "../ant"), ("../XC9", "a.ogg", "a")],
)
def test_a_hostile_row_stops_the_run_before_anything_is_touched(
    packed: World, row: tuple[str, str, str]
) -> None:
    before = packed.outputs()
    packed.rows.append(row)
    packed.index()
    with pytest.raises(TableError, match=r"kept\.csv row 8: "):
        preprocess.main()
    assert packed.outputs() == before


def _wait(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_was_and_ends_with_the_same_bytes(
    world: World, tmp_path: Path
) -> None:
    """Killed alone, so that its worker processes live on for a while beside the next run."""
    world.change(jobs=2)
    for species in "abcdefgh":
        world.add(species, 25)
    killed, second = world.start(), None
    try:
        _wait(lambda: len(list(NOTES.glob("*.json"))) >= 2)
        killed.kill()
        killed.wait()
        finished = {path.stem.removesuffix(".npy") for path in NOTES.glob("*.json")}
        before = world.times()
        assert 2 <= len(finished) < 8
        assert not (SHARDS / "index.csv").exists()
        second = world.start()
        assert second.wait() == 0
    finally:
        for process in filter(None, (killed, second)):
            _kill_group(process)
    after = world.times()
    assert {species: after[species] for species in finished} == {s: before[s] for s in finished}
    world.change(jobs=1)  # within this process: workers of an earlier test are in its folder still
    assert world.outputs() == world.run_anew(tmp_path / "anew")


@pytest.mark.slow
def test_memory_is_bounded_over_all_processes(world: World) -> None:
    world.change(jobs=2)
    for species in "abcdef":
        world.add(species, 50)
    process = world.start()
    tree, peak = psutil.Process(process.pid), 0
    try:
        while process.poll() is None:
            with suppress(psutil.NoSuchProcess):
                family = [tree, *tree.children(recursive=True)]
                peak = max(peak, sum(member.memory_info().rss for member in family))
            time.sleep(0.02)
    finally:
        _kill_group(process)
    assert process.returncode == 0
    assert 50e6 < peak < MAX_MEMORY_MB * 1e6
