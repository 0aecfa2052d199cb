"""Windows of a recording: their samples, their order and their probabilities."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from birdclef.predict.detector import Detector, _batches
from birdclef.predict.engines import EngineError
from small_model import CLIP_S, expected_probabilities, write_model
from sounds import RATE_HZ, ramp, tone, write


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "m.onnx")


@given(
    blocks=st.lists(st.integers(0, 30), max_size=8),
    length=st.integers(1, 12),
    overlap=st.integers(0, 11),
    size=st.integers(1, 4),
)
def test_clips_are_slices_of_the_padded_sound_however_it_arrives(
    blocks: list[int], length: int, overlap: int, size: int
) -> None:
    step = max(1, length - overlap)
    sound = np.arange(1, sum(blocks) + 1, dtype=np.float32)
    pieces = np.split(sound, np.cumsum(blocks)[:-1]) if blocks else []
    batches = list(_batches(iter(pieces), length, step, size))
    assert all(len(batch) == size for batch in batches[:-1])
    assert all(0 < len(batch) <= size for batch in batches)
    found = [clip for batch in batches for clip in batch]
    count = 0 if not len(sound) else 1 + max(0, -(-(len(sound) - length) // step))
    padded = np.pad(sound, (0, length + count * step))
    expected = [padded[i * step : i * step + length] for i in range(count)]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("overlap_s", [0.0, 0.2])
def test_each_window_is_the_models_prediction_for_its_samples(
    model: Path, tmp_path: Path, overlap_s: float
) -> None:
    sound = ramp(1.3)
    path = write(tmp_path / "a.wav", sound)
    found = list(Detector(model).windows(path, overlap_s))
    step, length = round((CLIP_S - overlap_s) * RATE_HZ), round(CLIP_S * RATE_HZ)
    padded = np.pad(sound, (0, length))
    clips = np.stack([padded[i * step : i * step + length] for i in range(len(found))])
    expected = expected_probabilities(clips)
    np.testing.assert_allclose([w.probabilities for w in found], expected, atol=1e-4)
    assert [w.start_s for w in found] == pytest.approx(np.arange(len(found)) * step / RATE_HZ)
    assert [w.end_s - w.start_s for w in found] == pytest.approx([CLIP_S] * len(found))
    assert found[-1].end_s >= 1.3 > found[-2].end_s


@pytest.mark.parametrize("threads", [1, 5])
def test_recordings_are_predicted_in_order_and_bad_ones_named(
    model: Path, tmp_path: Path, threads: int
) -> None:
    lengths_s = (7.3, 0.1, 4.0, 11.9)
    paths = [write(tmp_path / f"{s}.flac", ramp(s)) for s in lengths_s]
    broken, silent = (
        tmp_path / "broken.ogg",
        write(tmp_path / "silent.wav", np.zeros(9, np.float32)),
    )
    broken.write_bytes(b"broken")
    paths[2:2] = [broken, silent]
    reported_s: list[float] = []
    detector = Detector(model, threads)
    found = list(detector.predict(paths, advance=reported_s.append))
    assert [scores.path for scores in found] == paths
    assert [bool(scores.problem) for scores in found] == [path == broken for path in paths]
    assert not len(found[2].probabilities)
    readable = [scores for scores in found if not scores.problem]
    for scores in readable:
        alone = [w.probabilities for w in Detector(model).windows(scores.path)]
        np.testing.assert_array_equal(scores.probabilities, alone)
    assert found[0].duration_s == pytest.approx(7.3, abs=1e-3)
    total_s = sum(scores.duration_s for scores in readable)  # without the padding
    assert sum(reported_s) == pytest.approx(total_s)
    assert min(reported_s) >= 0


def test_other_sample_rates_and_channels_give_the_same_probabilities(
    model: Path, tmp_path: Path
) -> None:
    stereo = np.stack([0 * ramp(2, 44_100), 2 * ramp(2, 44_100) - 1], axis=1)
    one = write(tmp_path / "one.wav", ramp(2) - 0.5)
    other = tmp_path / "other.wav"
    import soundfile

    soundfile.write(other, stereo, 44_100, subtype="FLOAT")
    a, b = Detector(model).predict([one, other])
    np.testing.assert_allclose(a.probabilities, b.probabilities, atol=2e-3)


def test_an_overlap_of_a_whole_window_is_refused(model: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(1))
    with pytest.raises(ValueError, match=r"overlap of 0\.5 s .* less than 0\.5 s"):
        list(Detector(model).windows(path, CLIP_S))


def test_openvino_gives_the_same_probabilities(model: Path, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    path = write(tmp_path / "a.wav", ramp(9))
    scores = [next(Detector(model, 2, e).predict([path])) for e in ("onnxruntime", "openvino")]
    np.testing.assert_allclose(scores[0].probabilities, scores[1].probabilities, atol=1e-5)


def test_a_file_without_a_named_image_is_refused(model: Path) -> None:
    pytest.importorskip("openvino")
    with pytest.raises(EngineError, match="export it again with `dvc repro export_onnx`"):
        Detector(model, engine="openvino-bf16")


def test_missing_engines_are_named(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError, match="'tpu' is not one of onnxruntime, openvino"):
        Detector(model, engine="tpu")
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(EngineError, match=r"pip install 'birdclef\[openvino\]'"):
        Detector(model, engine="openvino")
