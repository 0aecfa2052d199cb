"""Synthetic sound: each sound has the requested time, frequency and level."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from birdclef.demo.synthesis import (
    LOOP_SAMPLES,
    SAMPLE_RATE_HZ,
    Note,
    Sound,
    Syllable,
    Voice,
    absorb,
    compose_phrase,
    decibels,
    individual,
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

TRILL = Voice((Syllable((4000.0, 3000.0), 0.05),), (3, 6), 0.05, (0.2, 1.0))
SECOND = SAMPLE_RATE_HZ


def _band_share(sound: Sound, low_hz: float, high_hz: float) -> float:
    power = np.abs(np.fft.rfft(sound)) ** 2
    hertz = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE_HZ)
    return float(power[(hertz >= low_hz) & (hertz <= high_hz)].sum() / power.sum())


def test_streams_differ_by_kind_and_index_and_repeat_themselves() -> None:
    keys = [(1, "a", 0), (2, "a", 0), (1, "b", 0), (1, "a", 1)]
    assert len({float(stream(*key).uniform()) for key in keys}) == len(keys)
    assert stream(1, "a", 0).uniform() == stream(1, "a", 0).uniform()


@given(st.floats(200.0, 7000.0))
def test_a_steady_note_sounds_at_its_frequency(pitch_hz: float) -> None:
    sound = sing([Note(Syllable((pitch_hz, pitch_hz), 0.3, (1.0,)), 0.0, 1.0, 0.0)])
    assert _band_share(sound, pitch_hz - 30.0, pitch_hz + 30.0) > 0.95


def test_harmonics_are_at_multiples_and_never_alias() -> None:
    def low(harmonics: tuple[float, ...], pitch_hz: float) -> Sound:
        return sing([Note(Syllable((pitch_hz, pitch_hz), 0.3, harmonics), 0.0, 1.0, 0.0)])

    assert _band_share(low((1.0, 1.0), 2000.0), 3900.0, 4100.0) == pytest.approx(0.5, abs=0.02)
    assert np.array_equal(low((1.0, 1.0), 9000.0), low((1.0,), 9000.0))


@given(st.integers(0, 10_000))
def test_notes_of_a_phrase_do_not_overlap_and_sound_at_their_times(
    seed: int,
) -> None:
    notes = compose_phrase(TRILL, np.random.default_rng(seed))
    assert 3 <= len(notes) <= 6
    assert notes[0].start_s == 0.0
    assert all(a.end_s < b.start_s for a, b in itertools.pairwise(notes))
    sound = sing(notes)
    assert len(sound) == pytest.approx(notes[-1].end_s * SAMPLE_RATE_HZ, abs=2)
    for before, after in itertools.pairwise(notes):
        gap = slice(round(before.end_s * SECOND) + 2, round(after.start_s * SECOND) - 2)
        assert not sound[gap].any()
        middle = round((before.start_s + before.end_s) / 2 * SECOND)
        assert np.abs(sound[middle - 20 : middle + 20]).max() > 0.5


def test_individuals_of_a_species_differ_but_little() -> None:
    birds = [individual(TRILL, stream(1, "bird", number)) for number in range(40)]
    pitches = np.array([bird.syllables[0].contour_hz[0] for bird in birds])
    assert len(set(pitches)) == len(pitches)
    assert 0.02 < np.std(np.log2(pitches / 4000.0)) < 0.12


def test_a_shuffled_singer_knows_a_part_of_the_repertoire() -> None:
    syllables = tuple(Syllable((1000.0 * i, 1000.0 * i), 0.1) for i in range(1, 9))
    voice = Voice(syllables, (5, 9), 0.05, (0.2, 1.0), shuffled=True)
    birds = [individual(voice, stream(1, "bird", number)) for number in range(10)]
    assert {len(bird.syllables) for bird in birds} == {5}
    assert len({tuple(round(s.contour_hz[0], -3) for s in b.syllables) for b in birds}) > 3


@pytest.mark.parametrize("slope_db", [-6.0, 0.0, 3.0])
def test_noise_has_its_slope(slope_db: float) -> None:
    power = power_spectrum(noise(10 * SECOND, slope_db, stream(1, "noise")))
    hertz = np.fft.rfftfreq(2 * (len(power) - 1), 1 / SAMPLE_RATE_HZ)
    low = power[(hertz > 900) & (hertz < 1100)].mean()
    high = power[(hertz > 3600) & (hertz < 4400)].mean()
    assert 10 * np.log10(high / low) == pytest.approx(2 * slope_db, abs=1.0)


def test_a_long_noise_is_a_loop_without_a_seam() -> None:
    sound = noise(LOOP_SAMPLES + 1000, -6.0, stream(1, "noise"))
    assert np.array_equal(sound[:1000], sound[-1000:])
    steps = np.abs(np.diff(sound))
    assert steps[LOOP_SAMPLES - 1] < 5 * steps.mean()


def test_ambient_sounds_have_the_same_power_and_their_own_bands() -> None:
    rng = stream(1, "ambience")
    sounds = {
        "insects": insects(5 * SECOND, 5000.0, 20.0, rng),
        "rain": rain(5 * SECOND, 20.0, rng),
        "wind": wind(5 * SECOND, rng),
    }
    for sound in sounds.values():
        assert np.mean(sound**2) == pytest.approx(1.0, rel=0.01)
        assert sound.dtype == np.float32
    assert _band_share(sounds["insects"], 4500.0, 5500.0) > 0.95
    assert _band_share(sounds["wind"], 0.0, 500.0) > 0.9
    assert _band_share(sounds["rain"], 1000.0, 16_000.0) > 0.8


def test_unit_leaves_silence_silent() -> None:
    assert not unit(np.zeros(100, np.float32)).any()


def test_a_room_rings_and_falls_by_60_db_in_its_time() -> None:
    response = room(0.5, stream(1, "room"))
    assert len(response) == SECOND // 2
    assert np.sum(response**2) == pytest.approx(1.0, rel=0.01)
    power_db = [10 * np.log10(np.mean(part**2)) for part in np.split(response, 10)]
    assert power_db[0] - power_db[-1] == pytest.approx(54.0, abs=4.0)
    click = np.zeros(SECOND, np.float32)
    click[100] = 1.0
    echo = reverberate(click, response)
    assert len(echo) == len(click)
    assert np.abs(echo[:99]).max() < 1e-5  # nothing before the click
    assert np.allclose(echo[100 : 100 + len(response)], response, atol=1e-5)


def test_distance_attenuates_high_frequencies() -> None:
    def level_db(distance_m: float, pitch_hz: float) -> float:
        note = Note(Syllable((pitch_hz, pitch_hz), 0.3, (1.0,)), 0.0, 1.0, 0.0)
        return float(10 * np.log10(np.mean(absorb(sing([note]), distance_m) ** 2)))

    assert level_db(0.0, 8000.0) - level_db(50.0, 8000.0) == pytest.approx(10.0, abs=0.3)
    assert level_db(0.0, 1000.0) - level_db(50.0, 1000.0) < 0.5


def test_a_microphone_tilts_around_1_khz_and_has_a_limit() -> None:
    white = noise(10 * SECOND, 0.0, stream(1, "noise"))
    gain = power_spectrum(microphone(white, -3.0, 8000.0)) / power_spectrum(white)
    hertz = np.fft.rfftfreq(2 * (len(gain) - 1), 1 / SAMPLE_RATE_HZ)

    def gain_db(at_hz: float) -> float:
        return float(10 * np.log10(gain[np.argmin(np.abs(hertz - at_hz))]))

    assert gain_db(1000.0) == pytest.approx(0.0, abs=0.5)
    assert gain_db(2000.0) == pytest.approx(-3.0, abs=0.5)
    assert gain_db(8000.0) == pytest.approx(-9.0 - 3.0, abs=0.5)


def test_decibels_stay_in_32_bits() -> None:
    assert decibels(20.0) == 10.0
    assert decibels(np.array([0.0, -20.0])).dtype == np.float32
