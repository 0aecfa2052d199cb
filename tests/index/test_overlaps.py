"""A part of a labelled soundscape is found in other files; sound that only resembles it is not."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from birdclef.demo.scenes import plan_soundscape, soundscape
from birdclef.index import overlaps
from birdclef.index.fingerprints import (
    BIN_BITS,
    FRAME_S,
    SAMPLE_RATE_HZ,
    Fingerprint,
    Peaks,
    find_peaks,
    fingerprint,
)
from birdclef.index.overlaps import (
    Overlap,
    Overlaps,
    best_stretch,
    compare_soundscapes,
    find_overlaps,
    share_sound,
)
from sounds import RATE_HZ, song, tone, write

PEAKS_PER_S = 16
SECOND = 1 / FRAME_S  # in frames


def peaks_of(seconds: float, seed: int) -> Peaks:
    """Random peaks, as noise has them."""
    rng = np.random.default_rng(seed)
    count = round(seconds * PEAKS_PER_S)
    frames = rng.integers(0, round(seconds * SECOND), count)
    bins = rng.integers(1, 414, count)
    return np.unique(frames << BIN_BITS | bins).astype(np.uint32)


def cut(peaks: Peaks, start_s: float, end_s: float, to_s: float = 0.0) -> Peaks:
    """The peaks from `start_s` to `end_s`, moved so that the cut starts at `to_s`."""
    start, end, to = (round(s * SECOND) for s in (start_s, end_s, to_s))
    frames = peaks >> BIN_BITS
    return (
        peaks[(frames >= start) & (frames < end)]
        + np.uint32(to << BIN_BITS)
        - np.uint32(start << BIN_BITS)
    )


def found(
    labeled: dict[str, Peaks], others: dict[str, Peaks], max_shared_s: float = 2.0
) -> list[Overlap]:
    def pack(peaks: dict[str, Peaks]) -> dict[str, Fingerprint]:
        return {name: Fingerprint(own, 0.0) for name, own in peaks.items()}

    return find_overlaps(pack(labeled), pack(others).items(), max_shared_s)


def with_part(peaks: Peaks, part: Peaks) -> Peaks:
    return np.unique(np.concatenate([peaks, part]))


def test_a_part_is_found_with_its_place_in_both() -> None:
    labeled = {"a": peaks_of(60, 1), "b": peaks_of(240, 2)}
    other = with_part(peaks_of(60, 3), cut(labeled["b"], 100, 108, to_s=20))
    (overlap,) = found(labeled, {"u": other, "v": peaks_of(60, 4)})
    assert (overlap.soundscape_id, overlap.other_id) == ("b", "u")
    assert overlap.offset_s == pytest.approx(80, abs=0.02)
    assert overlap.shared.seconds == pytest.approx(8, abs=0.6)
    assert overlap.shared.start_s == pytest.approx(100, abs=0.6)
    assert overlap.shared.end_s == pytest.approx(108, abs=0.6)


def test_only_more_than_the_limit_counts() -> None:
    labeled = {"a": peaks_of(60, 1)}
    other = with_part(peaks_of(60, 3), cut(labeled["a"], 10, 15, to_s=40))
    assert len(found(labeled, {"u": other}, 4.0)) == 1
    assert found(labeled, {"u": other}, 6.0) == []


def test_a_recording_cut_from_a_soundscape_is_found_and_one_file_in_two_is_two() -> None:
    labeled = {"a": peaks_of(60, 1), "b": peaks_of(60, 2)}
    recording = np.concatenate([cut(labeled["a"], 50, 60), cut(labeled["b"], 0, 10, to_s=10)])
    places = {o.soundscape_id: o.offset_s for o in found(labeled, {"r": recording})}
    assert places == {"a": pytest.approx(50, abs=0.02), "b": pytest.approx(-10, abs=0.02)}


def test_a_part_in_louder_other_sound_is_found_by_the_peaks_that_are_left() -> None:
    """Half of the peaks are masked, and there are as many of the other sound."""
    labeled = {"a": peaks_of(60, 1)}
    left = cut(labeled["a"], 10, 25)[::2]
    (overlap,) = found(labeled, {"u": with_part(peaks_of(60, 5), left)})
    assert overlap.shared.seconds == pytest.approx(15, abs=2.0)


def test_other_files_pass_one_after_another() -> None:
    labeled = {"a": Fingerprint(peaks_of(10, 1), 10.0)}
    alive = []

    def others() -> Iterator[tuple[str, Fingerprint]]:
        for name in "uvw":
            alive.append(name)
            yield name, Fingerprint(cut(labeled["a"].peaks, 2, 7), 5.0)

    assert [o.other_id for o in find_overlaps(labeled, others(), 2.0)] == alive == list("uvw")


def test_a_bird_that_repeats_itself_shares_nothing() -> None:
    takes = {str(seed): find_peaks(song(30, seed, SAMPLE_RATE_HZ)) for seed in range(6)}
    for name, own in takes.items():
        assert found({name: own}, {n: p for n, p in takes.items() if n != name}) == []


def test_steady_tones_and_pulses_share_nothing() -> None:
    """Hums and insects of one place have the same pitch and pulse in every soundscape."""
    rng = np.random.default_rng(0)
    pulses = tone(30, 5000, SAMPLE_RATE_HZ) * (tone(30, 9.0, SAMPLE_RATE_HZ) > 0)
    hum = tone(30, 2000, SAMPLE_RATE_HZ)
    for steady in (pulses, hum, pulses + hum):
        noises = 0.05 * rng.standard_normal((4, len(steady)))
        one, *others = (find_peaks((steady + noise).astype(np.float32)) for noise in noises)
        assert found({"a": one}, dict(zip("uvw", others, strict=True))) == []


def test_soundscapes_of_one_site_share_nothing_and_parts_of_them_are_found(tmp_path: Path) -> None:
    """A part that is re-encoded, softer, at another rate, and in sound 6 dB softer."""
    sounds = [
        soundscape(5, kind, 4 * i, plan_soundscape(5, kind, 4 * i, 12, 30.0), 30.0)
        for kind in ("labeled", "unlabeled")
        for i in range(3)
    ]
    own = [fingerprint(write(tmp_path / f"{i}.ogg", s)).peaks for i, s in enumerate(sounds)]
    labeled = dict(zip("abc", own[:3], strict=True))
    assert found(labeled, dict(zip("uvw", own[3:], strict=True))) == []
    part, into = 0.3 * sounds[1][8 * RATE_HZ + 99 : 20 * RATE_HZ], sounds[3].copy()
    into[3 * RATE_HZ :][: len(part)] = part
    mixed = sounds[4].copy()
    level = 2 * mixed.std() / part.std()
    mixed[10 * RATE_HZ :][: len(part)] += level * part
    files = {"mp3": write(tmp_path / "u.mp3", into), "mix": write(tmp_path / "v.ogg", mixed)}
    places = {
        (o.soundscape_id, o.other_id): o.offset_s
        for o in found(labeled, {name: fingerprint(file).peaks for name, file in files.items()})
    }
    expected = {("b", "mp3"): 5.0, ("b", "mix"): -2.0}
    assert places == {pair: pytest.approx(s, abs=0.06) for pair, s in expected.items()}


@given(st.lists(st.integers(-1, 1), max_size=30))
def test_the_best_stretch_has_the_greatest_sum(values: list[int]) -> None:
    parts = np.array(values, np.int64)
    start, end = best_stretch(parts)
    sums = [parts[i:j].sum() for j in range(len(parts) + 1) for i in range(j + 1)]
    assert 0 <= start <= end <= len(parts)
    assert parts[start:end].sum() == max(sums)
    assert start == end or (parts[start] == 1 and parts[end - 1] == 1)


def test_equal_peaks_are_shared_whole() -> None:
    peaks = peaks_of(20, 1)
    assert share_sound(peaks, peaks, 0).seconds == pytest.approx(20, abs=0.5)
    assert share_sound(peaks, peaks, 1000).seconds <= 1.0


def test_without_labelled_soundscapes_none_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(overlaps, "fingerprint_all")
    table = pd.DataFrame([["u", "unlabeled", "u.ogg"]], columns=["soundscape_id", "kind", "path"])
    assert compare_soundscapes(table, {}, tmp_path, 2.0, 1) == Overlaps([], [])
