"""The embedded demo: a small invented BirdCLEF with the layouts and quirks of the real data."""

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
from birdclef.demo.sounds import write_sound, write_take
from birdclef.demo.species import SPECIES, VISITOR
from birdclef.demo.synthesis import SAMPLE_RATE_HZ, stream
from birdclef.demo.tables import write_tables, write_taxonomy
from birdclef.params import DemoParams

DESCRIPTION = "DEMO.md"  # its presence says that a folder was written by this file
SHORTER = {1: 0.55, 2: 19 / 24}  # a few soundscapes of each sixteen are cut to this
SITE_NAMES = ("ALD", "BRK", "CLF", "DEN")


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
    write_csv(pd.DataFrame(labels), root / COMPETITION / "train_soundscape_labels.csv", None)
    codes = sorted(species.code for species in SPECIES[: params.species])
    chance = dict.fromkeys(codes, 1.0 / len(codes))
    submission = [{"row_id": row["row_id"], **chance} for row in labels]
    write_csv(pd.DataFrame(submission), root / COMPETITION / "sample_submission.csv", None)


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
