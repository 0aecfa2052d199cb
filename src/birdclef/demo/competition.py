"""The embedded demo: a small invented competition with the layouts and quirks of BirdCLEF."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from joblib import Parallel, delayed
from rich.progress import track

from birdclef.common.files import write_csv
from birdclef.demo.recordings import (
    COMPETITION,
    OLD_CODE,
    RENAMED_SPECIES,
    Planner,
    Take,
    plan_competition,
    plan_cut_take,
    plan_extras,
)
from birdclef.demo.scenes import (
    SITES,
    WINDOW_S,
    Song,
    audible_species,
    plan_labeled_soundscapes,
    plan_soundscape,
    soundscape,
)
from birdclef.demo.shared import Part, plan_cut, plan_middle, put_into, render_part
from birdclef.demo.sounds import write_sound, write_take
from birdclef.demo.species import SPECIES, VISITOR
from birdclef.demo.synthesis import SAMPLE_RATE_HZ, stream
from birdclef.demo.tables import write_tables, write_taxonomy
from birdclef.params import DemoParams

DESCRIPTION = "DEMO.md"  # marks a folder that this module wrote and may replace
SHORTER = {1: 0.55, 2: 19 / 24}  # share of the full length, for two of each 16 soundscapes
SITE_NAMES = ("ALD", "BRK", "CLF", "DEN")


@dataclass(frozen=True)
class SoundscapePlan:
    path: str
    kind: str
    index: int
    songs: list[Song]
    length_s: float
    part: Part | None = None  # of a labelled soundscape, which this one holds


def plan_soundscapes(params: DemoParams) -> list[SoundscapePlan]:
    """Plan all soundscapes: first the labelled ones, then the unlabelled ones.

    One more unlabelled soundscape, the last, holds a part of the first labelled one.
    """
    rng = stream(params.seed, "soundscape names")
    n_labeled, n_unlabeled = params.labeled_soundscapes, params.unlabeled_soundscapes
    names = 10_000 + rng.permutation(80_000)[: n_labeled + n_unlabeled + 1]
    length_s = float(params.soundscape_s)
    labeled = plan_labeled_soundscapes(params.seed, n_labeled, params.species, length_s)
    plans = [
        SoundscapePlan(f"train_soundscapes/{name}.ogg", "labeled", i, songs, length_s)
        for i, (name, songs) in enumerate(zip(names, labeled, strict=False))
    ]
    for i, name in enumerate(names[n_labeled:-1]):
        short_s = round(length_s * SHORTER.get(i % 16, 1.0), 1)
        songs = plan_soundscape(params.seed, "unlabeled", i, params.species, short_s)
        path = f"unlabeled_soundscapes/{name}.ogg"
        plans.append(SoundscapePlan(path, "unlabeled", i, songs, short_s))
    songs = plan_soundscape(params.seed, "unlabeled", n_unlabeled, params.species, length_s)
    path, part = f"unlabeled_soundscapes/{names[-1]}.ogg", plan_middle(0, labeled[0], length_s)
    return [*plans, SoundscapePlan(path, "unlabeled", n_unlabeled, songs, length_s, part)]


def write_soundscape(root: Path, plan: SoundscapePlan, seed: int) -> None:
    sound = soundscape(seed, plan.kind, plan.index, plan.songs, plan.length_s)
    if plan.part:
        sound = put_into(sound, render_part(seed, plan.part))
    write_sound(root / COMPETITION / plan.path, sound, SAMPLE_RATE_HZ, 0.9 if plan.part else None)


def window_labels(plan: SoundscapePlan, seed: int) -> list[dict[str, Any]]:
    """One row per complete window. A shorter remainder at the end gets no row."""
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
    """Write the labels of the labelled windows, and a submission of equal probabilities."""
    labeled = (plan for plan in plans if plan.kind == "labeled")
    labels = [row for plan in labeled for row in window_labels(plan, params.seed)]
    write_csv(pd.DataFrame(labels), root / COMPETITION / "train_soundscape_labels.csv", None)
    codes = sorted(species.code for species in SPECIES[: params.species])
    chance = dict.fromkeys(codes, 1.0 / len(codes))
    submission = [{"row_id": row["row_id"], **chance} for row in labels]
    write_csv(pd.DataFrame(submission), root / COMPETITION / "sample_submission.csv", None)


def describe(takes: list[Take], plans: list[SoundscapePlan]) -> str:
    """Text of the demo's description: what it is, and which files have which quirk."""

    def files(*chosen: Take) -> str:
        return ", ".join(f"`{take.path}`" for take in chosen)

    competition = [take for take in takes if take.source == COMPETITION]
    shared_id = [take for take in competition if len(take.recording.species) > 1]
    copy = next(take for take in competition if take.reencoded)
    original = next(t for t in competition if t.recording == copy.recording and not t.reencoded)
    excerpt = next(take for take in takes if take.excerpt_s)
    whole = next(take for take in competition if take.xc_id == excerpt.recording.xc_id)
    by_state = {
        name: [t for t in takes if t.state == name] for name in ("corrupt", "empty", "missing")
    }
    unknown = [take for take in takes if take.label in (OLD_CODE, SPECIES[VISITOR].code)]
    lines = [
        "# Synthesised demo dataset",
        "",
        "No real bird was recorded: `python -m birdclef.stages.demo` computes every sound, and",
        "writes this folder from scratch. Names, places and Xeno-Canto ids are invented.",
        "",
        f"- The same audio twice, re-encoded: {files(original, copy)}",
        f"- An excerpt of {excerpt.length_s:g} s of a longer recording: {files(whole, excerpt)}",
        f"- One id under two species, both heard: {files(*shared_id)}",
        *_describe_parts(takes, plans),
        f"- Corrupt: {files(*by_state['corrupt'])}",
        f"- Empty: {files(*by_state['empty'])}",
        f"- Listed, but not on disk: {files(*by_state['missing'])}",
        f"- Labels unknown to the competition: {files(*unknown)};",
        f"  `{OLD_CODE}` is what an older taxonomy called `{SPECIES[RENAMED_SPECIES].code}`",
        "",
    ]
    return "\n".join(lines)


def _describe_parts(takes: list[Take], plans: list[SoundscapePlan]) -> list[str]:
    """One line for each file that holds a part of a labelled soundscape."""
    parts = {f"{COMPETITION}/{plan.path}": plan.part for plan in plans}
    parts |= {take.path: take.part for take in takes}
    return [
        f"- {part.start_s:g} to {part.end_s:g} s of a labelled soundscape, softer:"
        f" `{COMPETITION}/{plans[part.index].path}`, `{path}`"
        for path, part in parts.items()
        if part
    ]


def start_afresh(root: Path) -> None:
    """Make `root` an empty folder. An earlier demo is removed; other files never are.

    Raises:
        FileExistsError: `root` holds files that the demo did not write.
    """
    if root.is_dir() and any(root.iterdir()):
        if not (root / DESCRIPTION).is_file():
            raise FileExistsError(
                f"the demo needs an empty folder, but {root} holds files that the demo did not"
                f" write (it has no {DESCRIPTION}): move them, and set data.root to their new"
                " folder"
            )
        shutil.rmtree(root)
    root.mkdir(parents=True, exist_ok=True)


def write_demo(root: Path, params: DemoParams, jobs: int) -> None:
    """Write the whole demo under `root`. The bytes do not depend on the number of jobs.

    Raises:
        FileExistsError: `root` holds files that the demo did not write.
    """
    planner, plans = Planner(params), plan_soundscapes(params)
    takes = plan_competition(planner)
    takes += plan_extras(planner, takes)
    labeled = [plan.songs for plan in plans if plan.kind == "labeled"]
    cut = plan_cut(params.seed, labeled, float(params.soundscape_s))
    takes.append(plan_cut_take(planner, cut))
    start_afresh(root)
    (root / DESCRIPTION).write_text(describe(takes, plans), encoding="utf-8")
    write_tables(root, takes, params.seed)
    write_taxonomy(root)
    write_soundscape_tables(root, plans, params)
    tasks = [delayed(write_soundscape)(root, plan, params.seed) for plan in plans]
    tasks += [delayed(write_take)(root, take, params.seed) for take in takes]
    done = Parallel(n_jobs=jobs, return_as="generator")(tasks)
    for _ in track(done, "Synthesising the demo", total=len(tasks)):
        pass
