"""The demo's recordings: who recorded what, and how each source lists and stores it."""

from dataclasses import dataclass, replace

import numpy as np

from birdclef.demo.shared import Part
from birdclef.demo.species import SPECIES, VISITOR
from birdclef.demo.synthesis import SAMPLE_RATE_HZ, stream
from birdclef.params import DemoParams

RECORDING_S = (4.0, 40.0)
SECONDARY_SHARE, LISTED_SHARE = 0.3, 0.6  # recordings with a second species; those that list it
EXCERPT_S = 12.0  # part of a longer recording that is published a second time
EXTRA_SHARE = 0.04  # recordings per other source, as a share of the competition's
RENAMED_SPECIES, OLD_CODE = 2, "gremos1"  # the Moss Dove, and its code in birdclef-2021
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
MP3_FORMATS = ((44_100, 1), (22_050, 1), (44_100, 2))  # sample rate in Hz, channels


@dataclass(frozen=True)
class Recording:
    """One focal recording, which several sources may publish.

    Attributes:
        species: indices in SPECIES of the birds near the microphone.
        secondary: indices in SPECIES of the birds in the background.
        listed: those of `secondary` that the metadata lists.
        recordist: index of the recordist's name.
    """

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
        xc_id: the id of the recording, except for the duplicate and the excerpt.
        excerpt_s: start and end of the part that is stored; None if all of it is stored.
        part: the part of a labelled soundscape that is stored instead of the recording.
        state: "sound" for a good file, otherwise "corrupt", "empty" or "missing".
    """

    source: str
    label: str
    xc_id: int
    recording: Recording
    rate_hz: int = SAMPLE_RATE_HZ
    channels: int = 1
    state: str = "sound"
    excerpt_s: tuple[float, float] | None = None
    part: Part | None = None

    @property
    def length_s(self) -> float:
        start_s, end_s = self.excerpt_s or (0.0, self.recording.length_s)
        return end_s - start_s

    @property
    def reencoded(self) -> bool:
        return self.xc_id != self.recording.xc_id

    @property
    def path(self) -> str:
        """Path of the file, relative to the demo's folder."""
        suffix = "mp3" if self.source in ("birdsong-recognition", XENO_CANTO) else "ogg"
        return f"{self.source}/{AUDIO_FOLDER[self.source]}/{self.label}/XC{self.xc_id}.{suffix}"


class Planner:
    """Draws recordings with unique ids, in a fixed order."""

    def __init__(self, params: DemoParams) -> None:
        self.params = params
        self.counts = long_tail(params)
        self.rng = stream(params.seed, "plan")
        self.recordists = min(len(FIRST_NAMES) * len(LAST_NAMES), max(6, sum(self.counts) // 6))
        self.xc_ids = iter((900_000 + self.rng.permutation(90_000)).tolist())

    def recording(self, species: int, recordist: int | None = None) -> Recording:
        if recordist is None:
            recordist = int(self.rng.integers(self.recordists))
        other_species = [i for i in (*range(self.params.species), VISITOR) if i != species]
        has_secondary, is_listed = self.rng.uniform(size=2) < (SECONDARY_SHARE, LISTED_SHARE)
        secondary = (int(self.rng.choice(other_species)),) if has_secondary else ()
        longest_s = min(RECORDING_S[1], float(self.params.soundscape_s))
        length_s = RECORDING_S[0] + (longest_s - RECORDING_S[0]) * self.rng.uniform() ** 3.5
        return Recording(
            xc_id=next(self.xc_ids),
            species=(species,),
            secondary=secondary,
            listed=secondary if is_listed else (),
            recordist=recordist,
            length_s=round(float(length_s), 1),
        )


def long_tail(params: DemoParams) -> list[int]:
    """Number of recordings per species, falling by a constant factor from most to fewest."""
    steps = np.linspace(0.0, 1.0, params.species)
    ratio = params.min_recordings / params.max_recordings
    return [int(count) for count in np.rint(params.max_recordings * ratio**steps)]


def plan_competition(planner: Planner) -> list[Take]:
    """Plan the competition's recordings, with a duplicate, a shared id and two bad files."""
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
    """Plan the recordings of earlier years and Xeno-Canto.

    Each source repeats one recording of the competition and one of the source before it.
    """
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
        if source == "birdsong-recognition":  # a `Scientific_Common` name without a row
            recordings[-1] = replace(recordings[-1], secondary=(VISITOR,), listed=(VISITOR,))
        for recording in recordings:
            code = SPECIES[recording.species[0]].code
            takes.append(Take(source, code, recording.xc_id, recording))
    takes += _misfits(planner)
    return _with_formats([*takes, _excerpt(planner, usual)])


def _is_usual(take: Take) -> bool:
    return take.state == "sound" and not take.reencoded and len(take.recording.species) == 1


def _misfits(planner: Planner) -> list[Take]:
    """Rows that the index must drop: unknown labels and missing files."""
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
    """The middle of the competition's longest recording, in Xeno-Canto with an id of its own."""
    whole = max(usual, key=lambda recording: (recording.length_s, recording.xc_id))
    length_s = min(EXCERPT_S, 0.6 * whole.length_s)
    start_s = 0.4 * (whole.length_s - length_s)
    code = SPECIES[whole.species[0]].code
    excerpt_s = (start_s, start_s + length_s)
    return Take(XENO_CANTO, code, next(planner.xc_ids), whole, excerpt_s=excerpt_s)


def plan_cut_take(planner: Planner, part: Part) -> Take:
    """A part of a labelled soundscape, in Xeno-Canto as a recording of its commonest species."""
    main, others = part.species[0], part.species[1:]
    recording = replace(
        planner.recording(main),
        secondary=others,
        listed=others,
        length_s=part.end_s - part.start_s,
    )
    return Take(XENO_CANTO, SPECIES[main].code, recording.xc_id, recording, part=part)


def _with_formats(takes: list[Take]) -> list[Take]:
    """Assign MP3_FORMATS in turn to the mp3 files of each source."""
    formatted, turn = [], dict.fromkeys(AUDIO_FOLDER, 0)
    for take in takes:
        if take.path.endswith(".mp3"):
            rate_hz, channels = MP3_FORMATS[turn[take.source] % len(MP3_FORMATS)]
            turn[take.source] += 1
            take = replace(take, rate_hz=rate_hz, channels=channels)
        formatted.append(take)
    return formatted
