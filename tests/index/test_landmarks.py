"""The same sound is found however it was stored; different sound is not, however similar."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from birdclef.index import landmarks as matches
from birdclef.index.fingerprints import BIN_BITS, SAMPLE_RATE_HZ, Peaks, find_peaks, fingerprint
from birdclef.index.landmarks import PART_FRAMES, find_landmarks, find_matches, similarity
from sounds import RATE_HZ, song, tone, write

Samples = npt.NDArray[np.float32]
LONG_S, START_S = 20.0, 7.003  # an excerpt starts within a frame


def _resampled(sound: Samples, rate_hz: int) -> Samples:
    return np.asarray(soxr.resample(sound, RATE_HZ, rate_hz), np.float32)


def _excerpt(sound: Samples, seconds: float) -> Samples:
    return sound[round(START_S * RATE_HZ) :][: round(seconds * RATE_HZ)]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Peaks:
    path = tmp_path_factory.mktemp("original") / "a.ogg"
    return fingerprint(write(path, song(LONG_S, seed=0)), 60.0).peaks


@pytest.mark.parametrize(
    ("name", "rate_hz", "change", "offset_s"),
    [
        ("softer.ogg", RATE_HZ, lambda x: x * np.float32(0.05), 0.0),
        ("other_codec.mp3", RATE_HZ, lambda x: x, 0.0),
        ("higher_rate.mp3", 44_100, lambda x: _resampled(x, 44_100), 0.0),
        ("lower_rate.ogg", 22_050, lambda x: _resampled(x, 22_050), 0.0),
        ("stereo.ogg", RATE_HZ, lambda x: np.stack([x, 0.7 * x], axis=1), 0.0),
        ("cut.ogg", RATE_HZ, lambda x: x[133:], 133 / RATE_HZ),
        ("longer.ogg", RATE_HZ, lambda x: np.concatenate([song(3, 99), x]), -3.0),
        ("excerpt_5.ogg", RATE_HZ, lambda x: _excerpt(x, 5.0), START_S),
        ("excerpt_12.mp3", 44_100, lambda x: _resampled(_excerpt(x, 12.0), 44_100), START_S),
    ],
)
def test_a_copy_is_found(
    tmp_path: Path,
    original: Peaks,
    name: str,
    rate_hz: int,
    change: Callable[[Samples], Samples],
    offset_s: float,
) -> None:
    copy = fingerprint(write(tmp_path / name, change(song(LONG_S, seed=0)), rate_hz), 60.0).peaks
    (match,) = find_matches([original, copy], 0.8)
    assert (match.first, match.second) == (0, 1)
    # An mp3's decoder starts up to 50 ms late.
    assert match.offset_s == pytest.approx(offset_s, abs=0.06)
    (back,) = find_matches([copy, original], 0.8)
    assert back.offset_s == pytest.approx(-match.offset_s, abs=0.012)
    assert back.similarity == pytest.approx(match.similarity, abs=0.1)


def test_takes_of_one_stereotyped_bird_are_not_copies() -> None:
    takes = [find_peaks(song(10, seed, SAMPLE_RATE_HZ)) for seed in range(12)]
    assert find_matches(takes, 0.8) == []


def test_unrelated_noises_and_tones_share_nothing() -> None:
    rng = np.random.default_rng(0)
    rate = SAMPLE_RATE_HZ
    noises = [rng.standard_normal(10 * rate).astype(np.float32) for _ in range(8)]
    tones = [tone(10, hz, rate) + 0.01 * noise for hz, noise in zip((2e3, 2e3, 4e3), noises)]  # noqa: B905
    sounds = [*noises[3:], *(sound.astype(np.float32) for sound in tones)]
    beginnings = np.random.default_rng(1).standard_normal((3, 10 * rate)).astype(np.float32)
    hums = [tone(10, 2e3, rate) + 0.1 * noise for noise in beginnings]
    assert find_matches([find_peaks(sound) for sound in sounds[:5]], 0.01) == []
    assert find_matches([find_peaks(hum.astype(np.float32)) for hum in hums], 0.8) == []


def test_similarity_is_the_share_of_time_held() -> None:
    """Two recordings that overlap by half; the offset is where the second starts."""
    rate, whole = SAMPLE_RATE_HZ, song(15, 0, SAMPLE_RATE_HZ)
    one, other = find_peaks(whole[: 10 * rate]), find_peaks(whole[5 * rate + 64 :])
    ((_, _, share, offset_s),) = find_matches([one, other], 0.2)
    assert share == pytest.approx(0.5, abs=0.11)
    assert offset_s == pytest.approx(5 + 64 / rate, abs=0.012)
    assert find_matches([one, other], 0.8) == []
    assert similarity(one, one, 0) == 1.0
    assert similarity(one, one, 500) < 0.2
    assert similarity(one, one[:0], 0) == 0.0


PEAKS = st.lists(st.tuples(st.integers(0, 400), st.integers(1, 413)), max_size=80, unique=True)


def _packed(places: list[tuple[int, int]]) -> Peaks:
    return np.array(sorted((frame << BIN_BITS) + bin_ for frame, bin_ in places), np.uint32)


def _span(peaks: Peaks) -> int:
    return int(peaks[-1] >> BIN_BITS) - int(peaks[0] >> BIN_BITS) if len(peaks) else 0


def test_an_excerpt_with_more_peaks_than_the_whole_is_contained() -> None:
    """The whole has 12 peaks per second for 10 s; the excerpt of 5 s has 20 more per second."""
    rng = np.random.default_rng(0)
    frames = np.arange(940)
    whole = [(int(f), int(b)) for f, b in zip(frames[::8], rng.integers(1, 200, 118), strict=True)]
    noise = [(int(f), int(rng.integers(200, 414))) for f in range(1, 470, 5)]
    excerpt = [(f - 235, b) for f, b in whole if 235 <= f < 705] + noise
    one, other = _packed(whole), _packed(excerpt)
    assert len(other) > len(one)
    assert similarity(one, other, 235) == similarity(other, one, -235) == 1.0


@settings(deadline=None)
@given(PEAKS, PEAKS, st.integers(-500, 500))
def test_similarity_is_symmetric_and_a_fraction(
    one: list[tuple[int, int]], other: list[tuple[int, int]], offset: int
) -> None:
    a, b = _packed(one), _packed(other)
    there = similarity(a, b, offset)
    assert 0 <= there <= 1
    if len(a) != len(b) or _span(a) > _span(b) + PART_FRAMES:
        assert similarity(b, a, -offset) == there


@settings(deadline=None)
@given(PEAKS, st.integers(0, 1000))
def test_landmarks_move_with_their_sound(places: list[tuple[int, int]], later: int) -> None:
    hashes, frames = find_landmarks(_packed(places))
    moved, moved_frames = find_landmarks(_packed([(f + later, b) for f, b in places]))
    assert np.array_equal(hashes, moved)
    assert np.array_equal(frames + later, moved_frames)


def test_the_order_of_recordings_does_not_matter() -> None:
    takes = [find_peaks(song(8, seed, SAMPLE_RATE_HZ)) for seed in (0, 1, 2, 0, 1)]
    found = {(m.first, m.second): m.similarity for m in find_matches(takes, 0.8)}
    assert found == {(0, 3): 1.0, (1, 4): 1.0}
    backwards = find_matches(takes[::-1], 0.8)
    assert {(4 - m.second, 4 - m.first): m.similarity for m in backwards} == found
    assert find_matches(takes, 0.8) == find_matches(takes, 0.8)


def test_sounds_that_occur_everywhere_cost_nothing_and_match_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Equal recordings are found up to MAX_OCCURRENCES; with one more, their hashes are skipped."""
    monkeypatch.setattr(matches, "MAX_OCCURRENCES", 4)
    peaks = find_peaks(song(8, 0, SAMPLE_RATE_HZ))
    assert len(find_matches([peaks] * 2, 0.8)) == 1
    assert find_matches([peaks] * 5, 0.8) == []


def test_short_or_empty_recordings_match_nothing() -> None:
    peaks = find_peaks(song(3, 0, SAMPLE_RATE_HZ))
    assert find_matches([], 0.5) == []
    assert find_matches([peaks[:0], peaks[:0], peaks], 0.5) == []
    assert find_matches([peaks[:11], peaks[:11]], 0.1) == []


def test_more_recordings_than_a_key_can_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matches, "MAX_RECORDINGS", 1)
    with pytest.raises(ValueError, match="at most 1 recordings can be matched, got 2"):
        find_matches([np.zeros(0, np.uint32)] * 2, 0.5)
