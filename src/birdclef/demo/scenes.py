"""The demo's sound scenes: focal recordings near one bird, soundscapes far from many birds.

The species are invented. Three pairs sound alike: the trillfinches, the warblers and the
cuckoos. The constants in capitals set how hard the demo is, and how much its soundscapes
differ from its focal recordings.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.random import Generator

from birdclef.demo.species import bird
from birdclef.demo.synthesis import (
    SAMPLE_RATE_HZ,
    Note,
    Sound,
    Voice,
    absorb,
    compose_phrase,
    decibels,
    insects,
    microphone,
    noise,
    power_spectrum,
    rain,
    reverberate,
    room,
    sing,
    stream,
    unit,
    wind,
)

WINDOW_S = 5

# Focal recordings: the bird is near, and the recordist chose the moment, though often too early.
FOCAL_SNR_DB = (-4.0, 26.0)  # bird relative to the background
FOCAL_LATE_SHARE = 0.2  # share of recordings whose bird starts to sing at any time, not at once
FOCAL_SLOPE_DB = (-7.0, -1.0)  # slope of the background per octave
FOCAL_WIND_DB = (-20.0, 6.0)  # wind relative to the rest of the background
FOCAL_INSECT_SHARE = 0.15  # share of recordings with insects
FOCAL_TILT_DB = (-2.0, 1.0)  # slope of the recordist's microphone per octave
FOCAL_LOW_PASS_HZ = (9_000.0, 15_000.0)
FOCAL_SECONDARY_DB = (-24.0, -10.0)  # secondary species relative to the main bird
FOCAL_QUIETEST_DB = -46.0  # peak of the quietest recording; most are far louder

# Soundscapes: birds at many distances in a wood, recorded with one type of recorder.
DISTANCE_M = (15.0, 60.0)  # nearest and farthest bird
SNR_DB = (32.0, 8.0)  # mean of a song's SNR in its own band, for the nearest and farthest bird
SNR_SPREAD_DB = 2.0  # standard deviation around that mean
AUDIBLE_DB = 7.0  # a song counts as present in a window if its SNR is at least this ...
AUDIBLE_S = 0.6  # ... and the window holds this many seconds, or half, of its syllables
REVERB_S = (0.3, 0.8)  # time to fall by 60 dB, one value per site
REVERB_SHARE = (0.25, 0.8)  # share of a song's energy, for the nearest and farthest bird
BIRDS_PER_MINUTE = (4.0, 8.0)
BOUT_S = (8.0, 30.0)  # how long a bird keeps singing
RECORDER_TILT_DB = -1.5  # per octave
RECORDER_LOW_PASS_HZ = 10_000.0
RECORDER_HISS_DB = -66.0  # root mean square
INSECT_SHARE, RAIN_SHARE, WIND_SHARE = 0.5, 0.2, 0.4  # shares of soundscapes with each of them
INSECT_DB, RAIN_DB, WIND_DB = (-20.0, -6.0), (-18.0, -6.0), (-12.0, 4.0)  # over steady noise
SITES = 4


def _sing_on(voice: Voice, length_s: float, rng: Generator) -> Sound:
    """One bird that sings phrase after phrase; root mean square 1 without the silences."""
    song = np.zeros(round(length_s * SAMPLE_RATE_HZ), np.float32)
    is_late = rng.uniform() < FOCAL_LATE_SHARE
    latest_s = max(1.0, length_s - 2.0) if is_late else 1.0
    start = round(rng.uniform(0.0, latest_s) * SAMPLE_RATE_HZ)
    while start < len(song):
        phrase = sing(compose_phrase(voice, rng))
        part = song[start : start + len(phrase)]
        part += phrase[: len(part)]
        start += len(phrase) + round(rng.uniform(*voice.pause_s) * SAMPLE_RATE_HZ)
    sounding_share = np.mean(song != 0)
    return unit(song) * np.float32(sounding_share**0.5)


def focal_recording(
    seed: int,
    xc_id: int,
    species: tuple[int, ...],
    secondary: tuple[int, ...],
    recordist: int,
    length_s: float,
) -> Sound:
    """A recording of one or more near birds, at the recordist's place, with their microphone.

    One Xeno-Canto id gives the same sound in every source that publishes it.
    """
    rng, gear = stream(seed, "recording", xc_id), stream(seed, "recordist", recordist)
    n_samples = round(length_s * SAMPLE_RATE_HZ)
    birds = np.zeros(n_samples, np.float32)
    for i in species:
        birds += _sing_on(bird(seed, i, recordist), length_s, rng)
    for i in secondary:
        level = decibels(rng.uniform(*FOCAL_SECONDARY_DB))
        birds += absorb(_sing_on(bird(seed, i, recordist), length_s, rng), 40.0) * level
    response = room(gear.uniform(0.2, 0.4), gear)
    birds += reverberate(birds, response) * decibels(rng.uniform(-22.0, -12.0))
    background = noise(n_samples, gear.uniform(*FOCAL_SLOPE_DB), rng)
    background += wind(n_samples, rng) * decibels(rng.uniform(*FOCAL_WIND_DB))
    if rng.uniform() < FOCAL_INSECT_SHARE:
        chorus = insects(n_samples, rng.uniform(4000.0, 8000.0), rng.uniform(12.0, 45.0), rng)
        background += chorus * decibels(rng.uniform(-16.0, 0.0))
    sound = birds + background * decibels(-rng.uniform(*FOCAL_SNR_DB))
    sound = microphone(sound, gear.uniform(*FOCAL_TILT_DB), gear.uniform(*FOCAL_LOW_PASS_HZ))
    peak_db = FOCAL_QUIETEST_DB * rng.uniform(0.02, 1.0) ** 2.5
    return sound * np.float32(decibels(peak_db) / np.abs(sound).max())


@dataclass(frozen=True)
class Song:
    """One phrase in a soundscape.

    Attributes:
        bird: number of the individual within its species.
        distance: 0 for the nearest possible bird, 1 for the farthest.
        take: seed of the phrase.
    """

    species: int
    bird: int
    start_s: float
    distance: float
    snr_db: float
    take: int


def _notes(seed: int, song: Song) -> list[Note]:
    return compose_phrase(bird(seed, song.species, song.bird), np.random.default_rng(song.take))


def _bout(seed: int, species: int, length_s: float, rng: Generator) -> list[Song]:
    """The songs of one bird that keeps singing from one place for a while."""
    number, distance = int(rng.integers(1_000, 2_000)), float(rng.uniform())
    voice = bird(seed, species, number)
    now_s = float(rng.uniform(-5.0, max(1.0, length_s - 3.0)))
    until_s = now_s + rng.uniform(*BOUT_S)
    songs = []
    while now_s < min(until_s, length_s):
        mean_db = SNR_DB[0] + distance * (SNR_DB[1] - SNR_DB[0])
        snr_db = float(rng.normal(mean_db, SNR_SPREAD_DB))
        song = Song(species, number, max(now_s, 0.0), distance, snr_db, int(rng.integers(2**31)))
        songs.append(song)
        sung_s = _notes(seed, song)[-1].end_s
        now_s = song.start_s + sung_s + 1.5 * float(rng.uniform(*voice.pause_s))
    return songs


def plan_soundscape(
    seed: int, kind: str, index: int, n_species: int, length_s: float
) -> list[Song]:
    """The songs of a soundscape, sorted by start time."""
    rng = stream(seed, kind, index)
    n_birds = max(1, round(rng.uniform(*BIRDS_PER_MINUTE) * (length_s + 15.0) / 75.0))
    songs = []
    for _ in range(n_birds):
        songs += _bout(seed, int(rng.integers(n_species)), length_s, rng)
    return sorted(songs, key=_when)


def _when(song: Song) -> tuple[float, int, int]:
    return song.start_s, song.species, song.take


def audible_species(seed: int, songs: list[Song], n_windows: int) -> list[set[int]]:
    """Ground truth: the indices of the audible species in each window of WINDOW_S."""
    present: list[set[int]] = [set() for _ in range(n_windows)]
    for song in songs:
        if song.snr_db < AUDIBLE_DB:
            continue
        notes = _notes(seed, song)
        starts_s = np.array([note.start_s for note in notes]) + song.start_s
        ends_s = np.array([note.end_s for note in notes]) + song.start_s
        enough_s = min(AUDIBLE_S, (ends_s - starts_s).sum() / 2.0)
        for window in range(n_windows):
            begin_s, end_s = window * WINDOW_S, (window + 1) * WINDOW_S
            overlaps_s = np.minimum(ends_s, end_s) - np.maximum(starts_s, begin_s)
            if np.maximum(overlaps_s, 0.0).sum() >= enough_s:
                present[window].add(song.species)
    return present


def plan_labeled_soundscapes(
    seed: int, count: int, n_species: int, length_s: float
) -> list[list[Song]]:
    """Plan soundscapes so that each species is in at least one window and absent from another.

    Windows are numbered across all soundscapes. Each species has a home window, to which a
    song of a near bird is added, and an empty window, from which its songs are removed.
    """
    kind, per_soundscape = "labeled", int(length_s // WINDOW_S)
    plans = [plan_soundscape(seed, kind, i, n_species, length_s) for i in range(count)]
    rng = stream(seed, "home windows")
    for species in range(n_species):
        home, empty = rng.choice(count * per_soundscape, 2, replace=False)
        index, window = divmod(int(empty), per_soundscape)
        begin_s, end_s = window * WINDOW_S, (window + 1) * WINDOW_S
        plans[index] = [
            song
            for song in plans[index]
            if song.species != species
            or song.start_s >= end_s
            or song.start_s + _notes(seed, song)[-1].end_s <= begin_s
        ]
        index, window = divmod(int(home), per_soundscape)
        start_s = window * WINDOW_S + float(rng.uniform(0.2, 1.0))
        take = int(rng.integers(2**31))
        plans[index].append(Song(species, 999, start_s, 0.2, AUDIBLE_DB + 12.0, take))
    return [sorted(plan, key=_when) for plan in plans]


@dataclass(frozen=True)
class Site:
    """The acoustic properties that all soundscapes of one place share."""

    number: int
    reverb_s: float
    insect_hz: float
    insect_pulse_hz: float
    tilt_db: float


@cache
def _site(seed: int, number: int) -> Site:
    rng = stream(seed, "site", number)
    return Site(
        number=number,
        reverb_s=rng.uniform(*REVERB_S),
        insect_hz=rng.uniform(4500.0, 7500.0),
        insect_pulse_hz=rng.uniform(12.0, 45.0),
        tilt_db=RECORDER_TILT_DB + rng.uniform(-0.5, 0.5),
    )


def _ambience(site: Site, n_samples: int, rng: Generator) -> Sound:
    """All sounds of a soundscape except birds; the steady noise has root mean square 1."""
    sound = noise(n_samples, -4.0, rng)
    if rng.uniform() < INSECT_SHARE:
        level = decibels(rng.uniform(*INSECT_DB))
        sound += insects(n_samples, site.insect_hz, site.insect_pulse_hz, rng) * level
    if rng.uniform() < RAIN_SHARE:
        drops_per_s = 10.0 ** rng.uniform(0.5, 2.0)
        sound += rain(n_samples, drops_per_s, rng) * decibels(rng.uniform(*RAIN_DB))
    if rng.uniform() < WIND_SHARE:
        sound += wind(n_samples, rng) * decibels(rng.uniform(*WIND_DB))
    return sound


def render_songs(seed: int, songs: list[Song], site: Site, ambience: Sound) -> Sound:
    """Render the songs alone, each at its `snr_db` over the ambience in the song's own band."""
    direct, diffuse = np.zeros_like(ambience), np.zeros_like(ambience)
    floor = power_spectrum(ambience)
    for song in songs:
        distance_m = DISTANCE_M[0] * (DISTANCE_M[1] / DISTANCE_M[0]) ** song.distance
        sound = absorb(sing(_notes(seed, song)), distance_m)
        spectrum = power_spectrum(sound)
        snr = float(np.sum(spectrum**2) / np.sum(floor * spectrum))
        sound *= np.float32(decibels(song.snr_db) / snr**0.5)
        share = REVERB_SHARE[0] + song.distance * (REVERB_SHARE[1] - REVERB_SHARE[0])
        start = round(song.start_s * SAMPLE_RATE_HZ)
        sound = sound[: len(direct) - start]
        direct[start : start + len(sound)] += sound * np.float32((1.0 - share) ** 0.5)
        diffuse[start : start + len(sound)] += sound * np.float32(share**0.5)
    return direct + reverberate(diffuse, room(site.reverb_s, stream(seed, "room", site.number)))


def soundscape(seed: int, kind: str, index: int, songs: list[Song], length_s: float) -> Sound:
    """Render a soundscape: birds and ambience, through the recorder's microphone and hiss."""
    rng = stream(seed, kind + " ambience", index)
    site = _site(seed, index % SITES)
    ambience = _ambience(site, round(length_s * SAMPLE_RATE_HZ), rng)
    sound = render_songs(seed, songs, site, ambience) + ambience
    sound = microphone(sound, site.tilt_db, RECORDER_LOW_PASS_HZ)
    sound = unit(sound) * decibels(rng.uniform(-34.0, -24.0))
    hiss = rng.standard_normal(len(sound), dtype=np.float32) * decibels(RECORDER_HISS_DB)
    return np.asarray(sound + hiss, dtype=np.float32)
