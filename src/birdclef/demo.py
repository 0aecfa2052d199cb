"""The embedded demo: a small invented BirdCLEF with the layouts and quirks of the real data."""

import shutil
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile
import soxr
from joblib import Parallel, delayed
from rich.progress import track

from birdclef.demo_scenes import (
    SITES,
    SPECIES,
    VISITOR,
    WINDOW_S,
    Song,
    Species,
    audible_species,
    focal_recording,
    plan_labeled_soundscapes,
    plan_soundscape,
    soundscape,
)
from birdclef.params import DemoParams
from birdclef.synthesis import SAMPLE_RATE_HZ, Sound, stream

DESCRIPTION = "DEMO.md"  # its presence says that a folder was written by this file
RECORDING_S = (4.0, 40.0)
SECONDARY_SHARE, LISTED_SHARE = 0.3, 0.6  # recordings with another species; those that say so
EXCERPT_S = 12.0  # of a longer recording, published once more
EXTRA_SHARE = 0.04  # recordings of each other source, as a share of the competition's
SHORTER = {1: 0.55, 2: 19 / 24}  # a few soundscapes of each sixteen are cut to this
SITE_NAMES = ("ALD", "BRK", "CLF", "DEN")
RENAMED_SPECIES, OLD_CODE = 2, "gremos1"  # what the taxonomy of 2021 called the Moss Dove
FIRST_NAMES = ("Ada", "Bruno", "Cleo", "Dario", "Edda", "Fergus")
LAST_NAMES = ("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir")

COMPETITION, XENO_CANTO = "birdclef-2024", "birdclef2024-additional-mp3"
AUDIO_FOLDER = {
    COMPETITION: "train_audio",
    "birdclef-2023": "train_audio",
    "birdclef-2022": "train_audio",
    "birdclef-2021": "train_short_audio",
    "birdsong-recognition": "train_audio",
    XENO_CANTO: "additional_audio",
}
MP3_FORMATS = ((44_100, 1), (22_050, 1), (44_100, 2))  # sample rate and channels, in turn


@dataclass(frozen=True)
class Recording:
    """One focal recording, whichever sources publish it."""

    xc_id: int
    species: tuple[int, ...]
    secondary: tuple[int, ...]
    listed: tuple[int, ...]
    recordist: int
    length_s: float


@dataclass(frozen=True)
class Take:
    """A recording as one source lists and stores it.

    Attributes:
        xc_id: the recording's own, except for the duplicate and the excerpt.
        excerpt_s: the part of the recording that is stored, or None for all of it.
        state: "sound", or what the file is instead: "corrupt", "empty" or "missing".
    """

    source: str
    label: str
    xc_id: int
    recording: Recording
    rate_hz: int = SAMPLE_RATE_HZ
    channels: int = 1
    state: str = "sound"
    excerpt_s: tuple[float, float] | None = None

    @property
    def length_s(self) -> float:
        start_s, end_s = self.excerpt_s or (0.0, self.recording.length_s)
        return end_s - start_s

    @property
    def reencoded(self) -> bool:
        return self.xc_id != self.recording.xc_id

    @property
    def path(self) -> str:
        """Where the file lies, relative to the demo's folder."""
        suffix = "mp3" if self.source in ("birdsong-recognition", XENO_CANTO) else "ogg"
        return f"{self.source}/{AUDIO_FOLDER[self.source]}/{self.label}/XC{self.xc_id}.{suffix}"


class Planner:
    """Hands out recordings with ids of their own, in a fixed order."""

    def __init__(self, params: DemoParams) -> None:
        self.params = params
        self.counts = long_tail(params)
        self.rng = stream(params.seed, "plan")
        self.recordists = min(len(FIRST_NAMES) * len(LAST_NAMES), max(6, sum(self.counts) // 6))
        self.xc_ids = iter((900_000 + self.rng.permutation(90_000)).tolist())

    def recording(self, species: int, recordist: int | None = None) -> Recording:
        if recordist is None:
            recordist = int(self.rng.integers(self.recordists))
        others = [i for i in (*range(self.params.species), VISITOR) if i != species]
        has_secondary, lists_it = self.rng.uniform(size=2) < (SECONDARY_SHARE, LISTED_SHARE)
        secondary = (int(self.rng.choice(others)),) if has_secondary else ()
        longest_s = min(RECORDING_S[1], float(self.params.soundscape_s))
        length_s = RECORDING_S[0] + (longest_s - RECORDING_S[0]) * self.rng.uniform() ** 3.5
        return Recording(
            xc_id=next(self.xc_ids),
            species=(species,),
            secondary=secondary,
            listed=secondary if lists_it else (),
            recordist=recordist,
            length_s=round(float(length_s), 1),
        )


def long_tail(params: DemoParams) -> list[int]:
    """Recordings of each species, falling by a constant factor from the most to the fewest."""
    steps = np.linspace(0.0, 1.0, params.species)
    ratio = params.min_recordings / params.max_recordings
    return [int(count) for count in np.rint(params.max_recordings * ratio**steps)]


def plan_competition(planner: Planner) -> list[Take]:
    """The competition's own recordings, with its duplicate, its shared id and its bad files."""
    takes: list[list[Take]] = []
    for species, count in enumerate(planner.counts):
        order = planner.rng.permutation(planner.recordists)[: max(3, round(0.6 * count))].tolist()
        recordings = [planner.recording(species, order[k % len(order)]) for k in range(count)]
        code = SPECIES[species].code
        takes.append([Take(COMPETITION, code, r.xc_id, r) for r in recordings])
    takes[0][-1] = replace(takes[0][0], xc_id=next(planner.xc_ids))
    both = replace(takes[0][1].recording, species=(0, 2), secondary=(), listed=())
    takes[0][1] = replace(takes[0][1], recording=both)
    takes[2][1] = replace(takes[2][1], recording=both, xc_id=both.xc_id)
    takes[1][-1] = replace(takes[1][-1], state="corrupt")
    takes[3][-1] = replace(takes[3][-1], state="empty")
    return [take for own in takes for take in own]


def plan_extras(planner: Planner, competition: list[Take]) -> list[Take]:
    """Earlier years and Xeno-Canto; each repeats an id of the competition, and of the last."""
    takes: list[Take] = []
    usual = [take.recording for take in competition if _is_usual(take)]
    per_source = max(3, round(EXTRA_SHARE * sum(planner.counts)))
    turn = 0
    for number, source in enumerate(list(AUDIO_FOLDER)[1:]):
        recordings = [usual[7 * number % len(usual)]]
        recordings += [takes[-1].recording] if takes else []
        while len(recordings) < per_source:
            turn += 1
            recordings.append(planner.recording(-turn % planner.params.species))
        if source == "birdsong-recognition":  # a Scientific_Common that its table does not explain
            recordings[-1] = replace(recordings[-1], secondary=(VISITOR,), listed=(VISITOR,))
        for recording in recordings:
            code = SPECIES[recording.species[0]].code
            takes.append(Take(source, code, recording.xc_id, recording))
    takes += _misfits(planner)
    return _with_formats([*takes, _excerpt(planner, usual)])


def _is_usual(take: Take) -> bool:
    return take.state == "sound" and not take.reencoded and len(take.recording.species) == 1


def _misfits(planner: Planner) -> list[Take]:
    """Rows that an index has to drop: unknown labels, and files that are not there."""
    old, visitor, missing = (
        [planner.recording(species) for _ in range(2)] for species in (RENAMED_SPECIES, VISITOR, 0)
    )
    visitor_code = SPECIES[VISITOR].code
    return [
        *(Take("birdclef-2021", OLD_CODE, r.xc_id, r) for r in old),
        *(Take("birdclef-2022", visitor_code, r.xc_id, r) for r in visitor),
        *(Take(XENO_CANTO, SPECIES[0].code, r.xc_id, r, state="missing") for r in missing),
    ]


def _excerpt(planner: Planner, usual: list[Recording]) -> Take:
    """The middle of the competition's longest recording, in Xeno-Canto under an id of its own."""
    whole = max(usual, key=lambda recording: (recording.length_s, recording.xc_id))
    length_s = min(EXCERPT_S, 0.6 * whole.length_s)
    start_s = 0.4 * (whole.length_s - length_s)
    code = SPECIES[whole.species[0]].code
    excerpt_s = (start_s, start_s + length_s)
    return Take(XENO_CANTO, code, next(planner.xc_ids), whole, excerpt_s=excerpt_s)


def _with_formats(takes: list[Take]) -> list[Take]:
    """Give the mp3 files of each source the formats in turn."""
    formatted, turn = [], dict.fromkeys(AUDIO_FOLDER, 0)
    for take in takes:
        if take.path.endswith(".mp3"):
            rate_hz, channels = MP3_FORMATS[turn[take.source] % len(MP3_FORMATS)]
            turn[take.source] += 1
            take = replace(take, rate_hz=rate_hz, channels=channels)
        formatted.append(take)
    return formatted


# Tables ------------------------------------------------------------------------------------


def _bird_name(species: Species) -> str:
    return f"{species.scientific_name}_{species.common_name}"


def _details(take: Take, seed: int) -> dict[str, Any]:
    """What every source says of a recording; drawn by its id, so that the years agree."""
    rng = stream(seed, "details", take.recording.xc_id)
    heard = [SPECIES[i] for i in take.recording.species]
    species = next((s for s in heard if s.code == take.label), heard[0])  # else: an older code
    recordist = take.recording.recordist
    first, last = divmod(recordist, len(LAST_NAMES))
    day = pd.Timestamp("2012-01-01") + pd.Timedelta(days=int(rng.integers(3000)))
    return {
        "species": species,
        "listed": [SPECIES[i] for i in take.recording.listed],
        "type": [str(rng.choice(["song", "call"])), *(["male"] if rng.uniform() < 0.3 else [])],
        "latitude": round(float(rng.uniform(8.5, 20.0)), 4),
        "longitude": round(float(rng.uniform(73.5, 77.5)), 4),
        "author": f"{FIRST_NAMES[first]} {LAST_NAMES[last]}",
        "license": "Creative Commons CC0 1.0",
        "rating": float(rng.integers(4, 11)) / 2.0,
        "url": f"https://xeno-canto.example/{take.xc_id}",
        "date": day.strftime("%Y-%m-%d"),
        "time": f"{rng.integers(5, 19):02d}:{rng.integers(60):02d}",
    }


def row_2024(take: Take, seed: int) -> dict[str, Any]:
    """Columns of 2024 and 2023."""
    details = _details(take, seed)
    return {
        "primary_label": take.label,
        "secondary_labels": str([species.code for species in details["listed"]]),
        "type": str(details["type"]),
        "latitude": details["latitude"],
        "longitude": details["longitude"],
        "scientific_name": details["species"].scientific_name,
        "common_name": details["species"].common_name,
        "author": details["author"],
        "license": details["license"],
        "rating": details["rating"],
        "url": details["url"],
        "filename": f"{take.label}/{Path(take.path).name}",
    }


def row_2022(take: Take, seed: int) -> dict[str, Any]:
    """Like 2023, and the time of day."""
    return {**row_2024(take, seed), "time": _details(take, seed)["time"]}


def row_2021(take: Take, seed: int) -> dict[str, Any]:
    """The file name is bare, and the columns have another order."""
    row, details = row_2024(take, seed), _details(take, seed)
    row |= {"date": details["date"], "time": details["time"], "filename": Path(take.path).name}
    columns = "primary_label secondary_labels type latitude longitude scientific_name common_name"
    columns += " author date filename license rating time url"
    return {column: row[column] for column in columns.split()}


def row_2020(take: Take, seed: int) -> dict[str, Any]:
    """35 columns; the label is `ebird_code`, species elsewhere are `Scientific_Common`."""
    details = _details(take, seed)
    species, listed = details["species"], details["listed"]
    return {
        "rating": details["rating"],
        "playback_used": "no",
        "ebird_code": take.label,
        "channels": "1 (mono)" if take.channels == 1 else "2 (stereo)",
        "date": details["date"],
        "pitch": "Not specified",
        "duration": int(take.recording.length_s),
        "filename": Path(take.path).name,
        "speed": "Not specified",
        "species": species.common_name,
        "number_of_notes": "Not specified",
        "title": f"XC{take.xc_id} {species.common_name} ({species.scientific_name})",
        "secondary_labels": str([_bird_name(other) for other in listed]),
        "bird_seen": "yes",
        "sci_name": species.scientific_name,
        "location": "A wood, somewhere",
        "latitude": details["latitude"],
        "sampling_rate": f"{take.rate_hz} (Hz)",
        "type": ", ".join(details["type"]),
        "elevation": "100 m",
        "description": np.nan,
        "bitrate_of_mp3": "128000 (bps)",
        "file_type": "mp3",
        "volume": "Not specified",
        "background": str([f"{s.common_name} ({s.scientific_name})" for s in listed]),
        "xc_id": take.xc_id,
        "url": details["url"],
        "country": "Nowhere",
        "author": details["author"],
        "primary_label": _bird_name(species),
        "longitude": details["longitude"],
        "length": "Not specified",
        "time": details["time"],
        "recordist": details["author"],
        "license": details["license"],
    }


def row_xeno_canto(take: Take, seed: int) -> dict[str, Any]:
    """Columns of the Xeno-Canto API, and the label."""
    details = _details(take, seed)
    genus, epithet = details["species"].scientific_name.split()
    minutes, seconds = divmod(round(take.length_s), 60)
    return {
        "id": take.xc_id,
        "gen": genus,
        "sp": epithet,
        "ssp": np.nan,
        "group": "birds",
        "en": details["species"].common_name,
        "rec": details["author"],
        "cnt": "Nowhere",
        "loc": "A wood, somewhere",
        "lat": details["latitude"],
        "lng": details["longitude"],
        "alt": 100,
        "type": ", ".join(details["type"]),
        "sex": np.nan,
        "stage": np.nan,
        "method": "field recording",
        "url": details["url"].removeprefix("https:"),
        "file": f"{details['url']}/download",
        "file-name": Path(take.path).name,
        "lic": details["license"],
        "q": "ABC"[take.xc_id % 3],
        "length": f"{minutes}:{seconds:02d}",
        "time": details["time"],
        "date": details["date"],
        "uploaded": details["date"],
        "also": str([species.scientific_name for species in details["listed"]]),
        "rmk": np.nan,
        "animal-seen": "yes",
        "playback-used": "no",
        "smp": take.rate_hz,
        "primary_label": take.label,
        "numRecordings": 1,
    }


TABLES: dict[str, tuple[str, Callable[[Take, int], dict[str, Any]]]] = {
    COMPETITION: ("train_metadata.csv", row_2024),
    "birdclef-2023": ("train_metadata.csv", row_2024),
    "birdclef-2022": ("train_metadata.csv", row_2022),
    "birdclef-2021": ("train_metadata.csv", row_2021),
    "birdsong-recognition": ("train.csv", row_2020),
    XENO_CANTO: ("BirdClef2024_additional.csv", row_xeno_canto),
}


def write_tables(root: Path, takes: list[Take], seed: int) -> None:
    """One table a source, in the order of its files."""
    for source, (name, row) in TABLES.items():
        own = sorted((t for t in takes if t.source == source), key=lambda t: (t.label, t.xc_id))
        _write_csv(root / source / name, [row(take, seed) for take in own])


def write_taxonomy(root: Path) -> None:
    """eBird's taxonomy, with more species than the competition has."""
    rows = [
        {
            "TAXON_ORDER": order,
            "CATEGORY": "species",
            "SPECIES_CODE": species.code,
            "PRIMARY_COM_NAME": species.common_name,
            "SCI_NAME": species.scientific_name,
            "ORDER1": "Passeriformes",
            "FAMILY": f"{species.scientific_name.split()[0]}idae",
            "SPECIES_GROUP": "",
            "REPORT_AS": "",
        }
        for order, species in enumerate(SPECIES, start=1)
    ]
    _write_csv(root / COMPETITION / "eBird_Taxonomy_v2021.csv", rows)


def _write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, index=False, lineterminator="\n")


# Files -------------------------------------------------------------------------------------

_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _ogg_checksum(page: bytes) -> int:
    """Ogg's CRC is zlib's with the bits of each byte in the other order, and not inverted."""
    mirrored = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)


def set_ogg_serial(ogg: bytes, serial: int) -> bytes:
    """Give every page of an ogg file this stream number; libsndfile draws one by the clock."""
    pages = []
    start = 0
    while start < len(ogg):  # a page: 27 bytes of header, lengths of its segments, segments
        n_segments = ogg[start + 26]
        end = start + 27 + n_segments + sum(ogg[start + 27 : start + 27 + n_segments])
        page = bytearray(ogg[start:end])
        page[14:18] = serial.to_bytes(4, "little")
        page[22:26] = bytes(4)
        page[22:26] = _ogg_checksum(bytes(page)).to_bytes(4, "little")
        pages.append(bytes(page))
        start = end
    return b"".join(pages)


def write_sound(path: Path, sound: Sound, rate_hz: int, compression: float | None = None) -> None:
    """Write ogg or mp3, by the suffix, through 16-bit samples; same sound, same bytes.

    Args:
        sound: shape (sample,) or (sample, channel), within -1..1, clipped beyond.
        compression: 0 (large) to 1 (small); None for libsndfile's default.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Floats in 16-bit steps: given integers, libsndfile 1.2.2 fills half of a stereo mp3 with
    # whatever lies in memory. Source: libsndfile pull request 1106.
    steps = np.float32(32767.0)
    samples = np.rint(np.clip(sound, -1.0, 1.0) * steps) / steps
    is_ogg = path.suffix == ".ogg"
    with soundfile.SoundFile(
        path,
        "w",
        rate_hz,
        1 if samples.ndim == 1 else samples.shape[1],
        format="OGG" if is_ogg else "MP3",
        subtype="VORBIS" if is_ogg else "MPEG_LAYER_III",
        compression_level=compression,
    ) as file:
        for start in range(0, len(samples), rate_hz):  # one long call overflows Vorbis's stack
            file.write(samples[start : start + rate_hz])
    if is_ogg:
        path.write_bytes(set_ogg_serial(path.read_bytes(), 1))


def write_take(root: Path, take: Take, seed: int) -> None:
    """Store a recording the way its source does, or the bad file that is there instead."""
    path = root / take.path
    path.parent.mkdir(parents=True, exist_ok=True)
    if take.state == "empty":
        path.write_bytes(b"")
    elif take.state == "corrupt":  # the start of an ogg page, then nothing that makes sense
        path.write_bytes(b"OggS" + stream(seed, "corrupt", take.xc_id).bytes(5000))
    elif take.state == "sound":
        write_sound(path, _take_sound(take, seed), take.rate_hz, 0.9 if take.reencoded else None)


def _take_sound(take: Take, seed: int) -> Sound:
    recording = take.recording
    sound = focal_recording(
        seed,
        recording.xc_id,
        recording.species,
        recording.secondary,
        recording.recordist,
        recording.length_s,
    )
    if take.excerpt_s:
        start, end = (round(s * SAMPLE_RATE_HZ) for s in take.excerpt_s)
        sound = sound[start:end]
    if take.rate_hz != SAMPLE_RATE_HZ:
        sound = soxr.resample(sound, SAMPLE_RATE_HZ, take.rate_hz)
    if take.channels == 2:  # the second microphone hears it later, and softer
        sound = np.stack([sound, np.float32(0.7) * np.roll(sound, 9)], axis=1)
    return sound * np.float32(0.5) if take.reencoded else sound


@dataclass(frozen=True)
class SoundscapePlan:
    path: str
    kind: str
    index: int
    songs: list[Song]
    length_s: float


def plan_soundscapes(params: DemoParams) -> list[SoundscapePlan]:
    """The labelled soundscapes, then the unlabelled ones."""
    rng = stream(params.seed, "soundscape names")
    n_labeled, n_unlabeled = params.labeled_soundscapes, params.unlabeled_soundscapes
    names = 10_000 + rng.permutation(80_000)[: n_labeled + n_unlabeled]
    length_s = float(params.soundscape_s)
    songs = plan_labeled_soundscapes(params.seed, n_labeled, params.species, length_s)
    plans = [
        SoundscapePlan(f"train_soundscapes/{name}.ogg", "labeled", i, own, length_s)
        for i, (name, own) in enumerate(zip(names, songs, strict=False))
    ]
    for i, name in enumerate(names[n_labeled:]):
        own_s = round(length_s * SHORTER.get(i % 16, 1.0), 1)
        own = plan_soundscape(params.seed, "unlabeled", i, params.species, own_s)
        path = f"unlabeled_soundscapes/{name}.ogg"
        plans.append(SoundscapePlan(path, "unlabeled", i, own, own_s))
    return plans


def write_soundscape(root: Path, plan: SoundscapePlan, seed: int) -> None:
    sound = soundscape(seed, plan.kind, plan.index, plan.songs, plan.length_s)
    write_sound(root / COMPETITION / plan.path, sound, SAMPLE_RATE_HZ)


def window_labels(plan: SoundscapePlan, seed: int) -> list[dict[str, Any]]:
    """One row a whole window; what remains at the end has none."""
    audio_id = Path(plan.path).stem
    rows = []
    windows = audible_species(seed, plan.songs, int(plan.length_s // WINDOW_S))
    for window, present in enumerate(windows, start=1):
        end_s = window * WINDOW_S
        rows.append(
            {
                "row_id": f"{audio_id}_{end_s}",
                "site": SITE_NAMES[plan.index % SITES],
                "audio_id": audio_id,
                "seconds": end_s,
                "birds": " ".join(sorted(SPECIES[i].code for i in present)) or "nocall",
            }
        )
    return rows


def write_soundscape_tables(root: Path, plans: list[SoundscapePlan], params: DemoParams) -> None:
    """Labels of the labelled windows, and a submission that knows nothing about them."""
    labeled = (plan for plan in plans if plan.kind == "labeled")
    labels = [row for plan in labeled for row in window_labels(plan, params.seed)]
    _write_csv(root / COMPETITION / "train_soundscape_labels.csv", labels)
    codes = sorted(species.code for species in SPECIES[: params.species])
    chance = dict.fromkeys(codes, 1.0 / len(codes))
    submission = [{"row_id": row["row_id"], **chance} for row in labels]
    _write_csv(root / COMPETITION / "sample_submission.csv", submission)


def describe(takes: list[Take]) -> str:
    """What the demo is, and where its quirks lie."""

    def files(*chosen: Take) -> str:
        return ", ".join(f"`{take.path}`" for take in chosen)

    own = [take for take in takes if take.source == COMPETITION]
    both = [take for take in own if len(take.recording.species) > 1]
    copy = next(take for take in own if take.reencoded)
    source = next(t for t in own if t.recording == copy.recording and not t.reencoded)
    excerpt = next(take for take in takes if take.excerpt_s)
    whole = next(take for take in own if take.xc_id == excerpt.recording.xc_id)
    state = {
        name: [t for t in takes if t.state == name] for name in ("corrupt", "empty", "missing")
    }
    unknown = [take for take in takes if take.label in (OLD_CODE, SPECIES[VISITOR].code)]
    lines = [
        "# Synthesised demo dataset",
        "",
        "No real bird was recorded: `python -m birdclef.stages.demo` computes every sound, and",
        "writes this folder from scratch. Names, places and Xeno-Canto ids are invented.",
        "",
        f"- The same audio twice, re-encoded: {files(source, copy)}",
        f"- An excerpt of {excerpt.length_s:g} s of a longer recording: {files(whole, excerpt)}",
        f"- One id under two species, both heard: {files(*both)}",
        f"- Corrupt: {files(*state['corrupt'])}",
        f"- Empty: {files(*state['empty'])}",
        f"- Listed, but not on disk: {files(*state['missing'])}",
        f"- Labels unknown to the competition: {files(*unknown)};",
        f"  `{OLD_CODE}` is what an older taxonomy called `{SPECIES[RENAMED_SPECIES].code}`",
        "",
    ]
    return "\n".join(lines)


def start_afresh(root: Path) -> None:
    """Remove an earlier demo; anything else that lies at its place is not ours to remove.

    Raises:
        FileExistsError: the folder holds something, and no demo wrote it.
    """
    if root.is_dir() and any(root.iterdir()):
        if not (root / DESCRIPTION).is_file():
            raise FileExistsError(
                f"{root} is written from scratch, but holds files that are not the demo's"
                f" (it has no {DESCRIPTION}): move them, and point data.root at them"
            )
        shutil.rmtree(root)
    root.mkdir(parents=True, exist_ok=True)


def write_demo(root: Path, params: DemoParams, jobs: int) -> None:
    """Write the whole demo under `root`, the same bytes whatever the number of jobs.

    Raises:
        FileExistsError: `root` holds files that no demo wrote.
    """
    planner = Planner(params)
    takes = plan_competition(planner)
    takes += plan_extras(planner, takes)
    plans = plan_soundscapes(params)
    start_afresh(root)
    (root / DESCRIPTION).write_text(describe(takes), encoding="utf-8")
    write_tables(root, takes, params.seed)
    write_taxonomy(root)
    write_soundscape_tables(root, plans, params)
    tasks = [delayed(write_soundscape)(root, plan, params.seed) for plan in plans]
    tasks += [delayed(write_take)(root, take, params.seed) for take in takes]
    done = Parallel(n_jobs=jobs, return_as="generator")(tasks)
    for _ in track(done, "Synthesising the demo", total=len(tasks)):
        pass
