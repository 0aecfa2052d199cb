"""Synthetic sound for the demo: birds' voices, noises, rooms and microphones.

Every function is pure, apart from drawing from the random generator that it is given.
Sounds are float32 arrays of one channel at SAMPLE_RATE_HZ.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import fft, signal

Sound = NDArray[np.float32]
Spectrum = NDArray[np.float32]
Gain = Callable[[Spectrum], Spectrum]  # frequencies in Hz -> factors on amplitudes

SAMPLE_RATE_HZ = 32_000
HIGHEST_HZ = 15_000.0  # higher harmonics are left out, so that none aliases at 16 kHz
LOOP_SAMPLES = 2**19  # 16 s, far longer than the clip of any model
SPECTRUM_SAMPLES = 2048  # frame length of every power spectrum


def stream(seed: int, kind: str, *indices: int) -> Generator:
    """Random generator of one item. It does not depend on the process or the order of items."""
    return np.random.default_rng([seed, zlib.crc32(kind.encode()), *indices])


def decibels(level_db: Any) -> Any:
    """Amplitude factor for a level in dB: a float32 number, or an array of them."""
    return np.float32(10.0) ** (np.asarray(level_db, np.float32) / np.float32(20.0))


@dataclass(frozen=True)
class Syllable:
    """One uninterrupted sound of a voice.

    Attributes:
        contour_hz: the fundamental frequency at evenly spaced moments.
        harmonics: amplitudes of the fundamental, of twice its frequency, and so on.
        pulse_hz: rate of full amplitude modulation, which makes a buzz; 0 for none.
    """

    contour_hz: tuple[float, ...]
    length_s: float
    harmonics: tuple[float, ...] = (1.0, 0.08)
    pulse_hz: float = 0.0


@dataclass(frozen=True)
class Voice:
    """The song of a species or of one individual: phrases of syllables, and pauses between.

    Attributes:
        syllables: sung in this order, or drawn at random if `shuffled`.
        repeats: fewest and most rounds of all syllables per phrase; fewest and most
            single syllables per phrase if `shuffled`.
        gap_s: silence between two syllables.
        pause_s: shortest and longest silence between two phrases.
        pitch_drift: factor on the pitch from one round to the next.
        tempo_drift: factor on the gap from one round to the next.
    """

    syllables: tuple[Syllable, ...]
    repeats: tuple[int, int]
    gap_s: float
    pause_s: tuple[float, float]
    shuffled: bool = False
    pitch_drift: float = 1.0
    tempo_drift: float = 1.0


def individual(voice: Voice, rng: Generator) -> Voice:
    """Draw one individual of a species: its own pitch, tempo, tone and part of the repertoire."""
    pitch = 2.0 ** rng.normal(0.0, 0.06)
    tempo = 2.0 ** rng.normal(0.0, 0.10)
    overtones = 2.0 ** rng.normal(0.0, 0.5)
    repertoire = np.arange(len(voice.syllables))
    if voice.shuffled:
        repertoire = np.sort(rng.permutation(repertoire)[: max(3, len(repertoire) * 2 // 3)])
    return replace(
        voice,
        syllables=tuple(
            _vary(voice.syllables[i], pitch, tempo, overtones, rng) for i in repertoire
        ),
        gap_s=voice.gap_s * tempo,
    )


def _vary(
    syllable: Syllable, pitch: float, tempo: float, overtones: float, rng: Generator
) -> Syllable:
    bends = pitch * 2.0 ** rng.normal(0.0, 0.03, len(syllable.contour_hz))
    fundamental, *higher = syllable.harmonics
    return replace(
        syllable,
        contour_hz=tuple(
            float(f * bend) for f, bend in zip(syllable.contour_hz, bends, strict=True)
        ),
        length_s=syllable.length_s * tempo * 2.0 ** rng.normal(0.0, 0.08),
        harmonics=(fundamental, *(amplitude * overtones for amplitude in higher)),
    )


@dataclass(frozen=True)
class Note:
    """One syllable in a phrase; `pitch` is a factor on the syllable's frequencies."""

    syllable: Syllable
    start_s: float
    pitch: float
    level_db: float

    @property
    def end_s(self) -> float:
        return self.start_s + self.syllable.length_s


def compose_phrase(voice: Voice, rng: Generator) -> list[Note]:
    """Draw one phrase of a voice; the first note starts at 0."""
    notes: list[Note] = []
    now_s, pitch, gap_s = 0.0, 1.0, voice.gap_s
    for _ in range(int(rng.integers(voice.repeats[0], voice.repeats[1] + 1))):
        drawn = int(rng.integers(len(voice.syllables)))
        for syllable in (voice.syllables[drawn],) if voice.shuffled else voice.syllables:
            notes.append(Note(syllable, now_s, pitch, rng.uniform(-4.0, 0.0)))
            now_s = notes[-1].end_s + gap_s * rng.uniform(0.85, 1.15)
        pitch *= voice.pitch_drift
        gap_s *= voice.tempo_drift
    return notes


def sing(notes: list[Note]) -> Sound:
    """Render a phrase as sound."""
    starts = [round(note.start_s * SAMPLE_RATE_HZ) for note in notes]
    sounds = [_sing_note(note) for note in notes]
    phrase = np.zeros(starts[-1] + len(sounds[-1]), np.float32)
    for start, sound in zip(starts, sounds, strict=True):
        phrase[start : start + len(sound)] += sound
    return phrase


def _sing_note(note: Note) -> Sound:
    syllable = note.syllable
    n_samples = max(64, round(syllable.length_s * SAMPLE_RATE_HZ))
    moments = np.linspace(0.0, 1.0, n_samples, dtype=np.float32)
    nodes = np.linspace(0.0, 1.0, len(syllable.contour_hz))
    frequency_hz = note.pitch * np.interp(moments, nodes, syllable.contour_hz)
    phase = (np.cumsum(frequency_hz) * (2.0 * np.pi / SAMPLE_RATE_HZ)).astype(np.float32)
    sound = np.zeros(n_samples, np.float32)
    for order, amplitude in enumerate(syllable.harmonics, start=1):
        if order * frequency_hz.max() < HIGHEST_HZ:
            sound += np.float32(amplitude) * np.sin(np.float32(order) * phase)
    if syllable.pulse_hz:
        pulses = np.float32(2.0 * np.pi * syllable.pulse_hz * syllable.length_s) * moments
        sound *= np.float32(0.5) - np.float32(0.5) * np.cos(pulses)
    swell = np.minimum(
        1.0, 4.0 * np.minimum(moments, 1.0 - moments)
    )  # fade in and out by a quarter
    return np.asarray(sound * swell * decibels(note.level_db), dtype=np.float32)


def octaves(frequencies_hz: Spectrum) -> Spectrum:
    """Octaves above 1 kHz, negative below. Frequencies under 60 Hz count as 60 Hz."""
    return np.log2(np.maximum(frequencies_hz, 60.0) / 1000.0)


def _gain_at(gain: Gain, length: int) -> Spectrum:
    """The gain at each frequency of a real Fourier transform of `length` samples."""
    return gain(np.fft.rfftfreq(length, 1.0 / SAMPLE_RATE_HZ).astype(np.float32))


def shaped(sound: Sound, gain: Gain) -> Sound:
    """Filter a sound without delay: multiply each frequency by its gain."""
    length = fft.next_fast_len(len(sound), real=True)
    spectrum = fft.rfft(sound, length) * _gain_at(gain, length)
    return np.asarray(fft.irfft(spectrum, length)[: len(sound)], dtype=np.float32)


def _noise(n_samples: int, gain: Gain, rng: Generator) -> Sound:
    """Noise of root mean square 1, drawn as a random spectrum and multiplied by `gain`.

    The noise is periodic and loops without a seam, so noise longer than LOOP_SAMPLES is a loop.
    """
    length = fft.next_fast_len(min(n_samples, LOOP_SAMPLES), real=True)
    parts = rng.standard_normal((length // 2 + 1, 2), dtype=np.float32)
    spectrum = parts.view(np.complex64)[:, 0] * _gain_at(gain, length)
    loop = unit(np.asarray(fft.irfft(spectrum, length), dtype=np.float32))
    return np.resize(loop, n_samples)


def noise(n_samples: int, db_per_octave: float, rng: Generator) -> Sound:
    """Noise of root mean square 1 whose power rises or falls by `db_per_octave`."""
    return _noise(n_samples, lambda hz: decibels(db_per_octave * octaves(hz)), rng)


def band_noise(n_samples: int, low_hz: float, high_hz: float, rng: Generator) -> Sound:
    """Noise of root mean square 1 in the band between two frequencies, with soft edges."""
    center_hz, width_hz = (low_hz + high_hz) / 2.0, (high_hz - low_hz) / 2.0
    return _noise(n_samples, lambda hz: np.exp(-(((hz - center_hz) / width_hz) ** 4)), rng)


def unit(sound: Sound) -> Sound:
    """Scale to a root mean square of 1; silence stays silence."""
    power = float(np.mean(np.square(sound, dtype=np.float64)))
    return sound / np.float32(max(power, 1e-20) ** 0.5)


def slow_swell(n_samples: int, period_s: float, rng: Generator) -> Sound:
    """Random envelope between 0 and 1 that changes slowly, over about `period_s`."""
    n_nodes = max(4, round(n_samples / SAMPLE_RATE_HZ / period_s) + 2)
    nodes = rng.uniform(0.0, 1.0, n_nodes)
    moments = np.linspace(0.0, n_nodes - 1.0, n_samples)
    return np.interp(moments, np.arange(n_nodes), nodes).astype(np.float32)


def insects(n_samples: int, pitch_hz: float, pulse_hz: float, rng: Generator) -> Sound:
    """A chorus of stridulating insects around one pitch, root mean square about 1."""
    elapsed_s = np.arange(n_samples, dtype=np.float32) / SAMPLE_RATE_HZ
    pulses = 0.5 - 0.5 * np.cos(np.float32(2.0 * np.pi * pulse_hz) * elapsed_s)
    chorus = band_noise(n_samples, pitch_hz * 0.95, pitch_hz * 1.05, rng)
    swell = 0.5 + 0.5 * slow_swell(n_samples, 7.0, rng)
    return unit(chorus * pulses.astype(np.float32) * swell)


def rain(n_samples: int, drops_per_s: float, rng: Generator) -> Sound:
    """Rain: a hiss with single drops, root mean square 1."""
    drops = np.zeros(n_samples, np.float32)
    n_drops = max(1, round(drops_per_s * n_samples / SAMPLE_RATE_HZ))
    drops[rng.integers(0, n_samples, n_drops)] = rng.exponential(1.0, n_drops)
    splash = np.exp(-np.arange(160) / 24.0) * rng.standard_normal(160)
    patter = reverberate(drops, splash.astype(np.float32))
    return unit(unit(patter) + noise(n_samples, 1.0, rng))


def wind(n_samples: int, rng: Generator) -> Sound:
    """Wind: gusts of low rumble, root mean square 1."""
    return unit(noise(n_samples, -9.0, rng) * slow_swell(n_samples, 3.0, rng) ** 2)


def room(reverb_s: float, rng: Generator) -> Sound:
    """Impulse response of diffuse reverberation of energy 1 that falls by 60 dB in `reverb_s`."""
    n_samples = round(reverb_s * SAMPLE_RATE_HZ)
    fall = 10.0 ** (-3.0 * np.arange(n_samples) / n_samples)
    echo = noise(n_samples, -2.0, rng) * fall.astype(np.float32)
    return unit(echo) / np.float32(n_samples**0.5)


def reverberate(sound: Sound, response: Sound) -> Sound:
    """Convolve a sound with a room's impulse response, and cut it to the sound's length."""
    return np.asarray(signal.oaconvolve(sound, response)[: len(sound)], dtype=np.float32)


def absorb(sound: Sound, distance_m: float) -> Sound:
    """Attenuate high frequencies as air and leaves do over a distance.

    Source: ISO 9613-1 gives about 0.1 dB per metre at 8 kHz, growing with nearly the
    square of frequency. The rate is doubled here because of foliage.
    """
    return shaped(sound, lambda hz: decibels(-0.2 * distance_m * (hz / 8000.0) ** 1.7))


def microphone(sound: Sound, tilt_db_per_octave: float, low_pass_hz: float) -> Sound:
    """Apply a microphone's response: a slope around 1 kHz and a soft upper limit."""

    def gain(hz: Spectrum) -> Spectrum:
        tilt: Spectrum = decibels(tilt_db_per_octave * octaves(hz))
        limit: Spectrum = np.sqrt(1.0 + (hz / low_pass_hz) ** 6)
        return tilt / limit

    return shaped(sound, gain)


def power_spectrum(sound: Sound) -> NDArray[np.float32]:
    """Mean power at each of SPECTRUM_SAMPLES / 2 + 1 frequencies."""
    padded = np.pad(sound, (0, -len(sound) % SPECTRUM_SAMPLES))
    frames = padded.reshape(-1, SPECTRUM_SAMPLES)  # (frame, sample)
    spectra = fft.rfft(frames * np.hanning(SPECTRUM_SAMPLES).astype(np.float32))
    return np.asarray(np.mean(np.abs(spectra) ** 2, axis=0))
