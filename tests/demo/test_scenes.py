"""The demo's sound scenes: labels match the sound, and confusable species sound alike."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from birdclef.demo.scenes import (
    AUDIBLE_DB,
    WINDOW_S,
    Site,
    Song,
    audible_species,
    focal_recording,
    plan_labeled_soundscapes,
    plan_soundscape,
    render_songs,
    soundscape,
)
from birdclef.demo.species import SPECIES, VISITOR, bird
from birdclef.demo.synthesis import SAMPLE_RATE_HZ, Sound, compose_phrase, noise, sing, stream
from birdclef.params import load_params
from paths import ROOT

PAIRS = [(0, 1), (4, 5), (8, 9)]  # trillfinches, warblers, cuckoos
WOOD = Site(0, reverb_s=0.6, insect_hz=5000.0, insect_pulse_hz=20.0, tilt_db=-2.0)
WINDOW = WINDOW_S * SAMPLE_RATE_HZ


def _song(species: int, start_s: float, snr_db: float = 20.0) -> Song:
    return Song(species, 5, start_s, 0.1, snr_db, 99)


def _phrase_s(seed: int, song: Song) -> float:
    voice = bird(seed, song.species, song.bird)
    return compose_phrase(voice, np.random.default_rng(song.take))[-1].end_s


def test_codes_and_names_are_distinct() -> None:
    for names in zip(*((s.code, s.common_name, s.scientific_name) for s in SPECIES), strict=True):
        assert len(set(names)) == len(SPECIES) == 13


def _mean_log_mel(species: int) -> np.ndarray:
    """Mean log-mel spectrum of 12 birds of a species, shape (band,)."""
    edges_hz = 700 * (10 ** (np.linspace(2.0, 3.4e3, 50) / 2595) - 1)
    spectra = []
    for number in range(12):
        voice = bird(1, species, number)
        sound = sing(compose_phrase(voice, stream(1, "phrase", number)))
        power = np.abs(np.fft.rfft(sound)) ** 2
        hertz = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE_HZ)
        bands = np.histogram(hertz, edges_hz, weights=power)[0]
        spectra.append(10 * np.log10(bands / bands.sum() + 1e-4))
    return np.mean(spectra, axis=0)


def test_confusable_species_are_nearer_to_each_other_than_to_any_other() -> None:
    mels = [_mean_log_mel(species) for species in range(VISITOR)]
    apart = np.array([[np.linalg.norm(a - b) for b in mels] for a in mels])
    np.fill_diagonal(apart, np.inf)
    for one, two in PAIRS:
        assert (np.argmin(apart[one]), np.argmin(apart[two])) == (two, one)


def test_one_bird_is_the_same_wherever_it_is_heard() -> None:
    assert bird(1, 0, 3) == bird(1, 0, 3)
    assert bird(1, 0, 3) != bird(1, 0, 4)
    assert bird(1, 0, 3) != bird(2, 0, 3)


def test_a_recording_depends_on_its_id_and_some_are_very_quiet() -> None:
    def record(xc_id: int) -> Sound:
        return focal_recording(1, xc_id, (0,), (), 4, 4.0)

    assert np.array_equal(record(7), record(7))
    assert not np.array_equal(record(7), record(8))
    assert len(record(7)) == 4 * SAMPLE_RATE_HZ
    peaks = [float(np.abs(record(xc_id)).max()) for xc_id in range(30)]
    assert min(peaks) < 0.05
    assert 0.5 < max(peaks) <= 1.0


def test_every_species_of_a_recording_can_be_heard_in_it() -> None:
    def low(species: tuple[int, ...]) -> float:
        """Share of the energy in the dove's band, which no trillfinch reaches."""
        power = np.abs(np.fft.rfft(focal_recording(1, 7, species, (), 4, 6.0))) ** 2
        hertz = np.fft.rfftfreq(6 * SAMPLE_RATE_HZ, 1 / SAMPLE_RATE_HZ)
        return float(power[(hertz > 400) & (hertz < 750)].sum() / power.sum())

    assert low((0, 2)) > 3 * low((0,))


@pytest.mark.parametrize("species", range(VISITOR))
def test_a_song_is_labelled_in_the_window_where_it_sounds(species: int) -> None:
    song = _song(species, 6.0)
    assert _phrase_s(1, song) < 4.0
    assert audible_species(1, [song], 4) == [set(), {species}, set(), set()]


def test_a_song_across_a_border_is_labelled_in_both_windows_but_a_tip_is_not_enough() -> None:
    length_s = _phrase_s(1, _song(2, 0.0))
    half, tip = _song(2, WINDOW_S - length_s / 2), _song(2, WINDOW_S - length_s + 0.05)
    assert audible_species(1, [half], 2) == [{2}, {2}]
    assert audible_species(1, [tip], 2) == [{2}, set()]


def test_a_song_too_faint_to_hear_is_not_labelled() -> None:
    assert audible_species(1, [_song(0, 1.0, AUDIBLE_DB - 0.1)], 1) == [set()]
    assert audible_species(1, [_song(0, 1.0, AUDIBLE_DB)], 1) == [{0}]


def test_labelled_windows_hold_the_energy_of_their_species() -> None:
    """Each species rendered alone: windows with its label hold energy, untouched ones do not."""
    plan = [s for s in plan_soundscape(3, "labeled", 1, 12, 30.0) if s.snr_db >= AUDIBLE_DB]
    truth = audible_species(3, plan, 6)
    ambience = noise(30 * SAMPLE_RATE_HZ, -4.0, stream(3, "test"))
    assert any(truth)
    begins_s = np.arange(6) * WINDOW_S
    for species in {song.species for song in plan}:
        own = [song for song in plan if song.species == species]
        energy = np.square(render_songs(3, own, WOOD, ambience)).reshape(6, WINDOW).sum(axis=1)
        labelled = np.array([species in present for present in truth])
        touched = np.zeros(6, bool)
        for song in own:  # plus one second of echo
            end_s = song.start_s + _phrase_s(3, song) + 1.0
            touched |= (song.start_s < begins_s + WINDOW_S) & (end_s > begins_s)
        assert labelled.any()
        assert (labelled <= touched).all()
        assert energy[labelled].min() > 100 * energy[~touched].max(initial=0.0)


def test_a_song_is_at_its_snr_over_the_ambience() -> None:
    ambience = noise(10 * SAMPLE_RATE_HZ, -4.0, stream(1, "test"))
    near, far = (render_songs(1, [_song(0, 2.0, snr)], WOOD, ambience) for snr in (20.0, 0.0))
    assert 10 * np.log10(np.sum(near**2) / np.sum(far**2)) == pytest.approx(20.0, abs=0.01)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31 - 1), st.integers(4, 12), st.integers(1, 3), st.integers(10, 23))
def test_every_species_has_positive_and_negative_windows(
    seed: int, n_species: int, count: int, length_s: int
) -> None:
    plans = plan_labeled_soundscapes(seed, count, n_species, float(length_s))
    windows = [
        present for plan in plans for present in audible_species(seed, plan, length_s // WINDOW_S)
    ]
    assert len(windows) == count * (length_s // WINDOW_S)
    for species in range(n_species):
        assert 0 < sum(species in present for present in windows) < len(windows)


def test_the_demo_scores_each_species_on_forty_windows_or_more() -> None:
    """Fewer positive windows would make the score of a species mostly chance."""
    demo = load_params(ROOT / "params.yaml").demo
    length_s = float(demo.soundscape_s)
    plans = plan_labeled_soundscapes(demo.seed, demo.labeled_soundscapes, demo.species, length_s)
    positives: Counter[int] = Counter()
    for plan in plans:
        for present in audible_species(demo.seed, plan, demo.soundscape_s // WINDOW_S):
            positives.update(present)
    assert min(positives[species] for species in range(demo.species)) >= 40


def test_late_birds_sing_too() -> None:
    """Some birds are silent at first, and every bird sings before its recording ends."""
    silent = 0
    for xc_id in range(40):
        song = focal_recording(3, xc_id, (0,), (), 0, 12.0).astype(np.float64)
        spectrum = np.abs(np.fft.rfft(song.reshape(12, SAMPLE_RATE_HZ))) ** 2
        trill = spectrum[:, 3000:6500].sum(axis=1)  # 1 Hz per bin: the Ashen Trillfinch
        silent += trill[:3].max() < 0.1 * trill.max()
    assert 1 <= silent <= 12


def test_a_soundscape_is_the_same_twice() -> None:
    plan = plan_soundscape(1, "unlabeled", 0, 12, 6.0)
    one, two = (soundscape(1, "unlabeled", 0, plan, 6.0) for _ in range(2))
    assert np.array_equal(one, two)
    assert one.dtype == np.float32
