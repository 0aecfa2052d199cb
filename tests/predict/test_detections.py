"""Which recordings are predicted, what is reported, and which names select which species."""

from pathlib import Path

import numpy as np
import pytest

from birdclef.common.probabilities import Calibration, calibrate
from birdclef.predict.detections import Scoring, detections, minimum_of, score
from birdclef.predict.detector import Detector, RecordingScores
from birdclef.predict.postprocess import add_recording_max, smooth
from birdclef.predict.selection import ChoiceError
from small_model import write_model
from sounds import tone, write

CALIBRATION = {
    "slopes": [1.0, 0.5, 2.0],
    "offsets": [0.0, -1.0, 0.5],
    "thresholds": [0.3, None, 0.8],
    "precision": 0.9,
}
P = np.random.default_rng(0).uniform(0.01, 0.99, (7, 3)).astype(np.float32)
SCORES = RecordingScores(Path("a.wav"), 3.4, P)


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    path = tmp_path_factory.mktemp("model") / "m.onnx"
    return Detector(write_model(path, {"calibration": CALIBRATION}))


@pytest.fixture(scope="module")
def plain_detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return Detector(write_model(tmp_path_factory.mktemp("model") / "m.onnx"))


def test_detections_by_hand() -> None:
    p = np.array([[0.5, 0.2, 0.9], [0.1, 0.1, 0.1]], np.float32)
    scores = RecordingScores(Path("a.wav"), 1.0, p)
    minimum = np.array([0.5, 0.1, 0.2])
    everyone = np.arange(3)
    found = list(detections(scores, (4.0, 5.0), minimum, everyone))
    assert [(d.start_s, d.end_s, d.species) for d in found] == [
        (0, 5, 2),
        (0, 5, 0),
        (0, 5, 1),
        (4, 9, 1),
    ]
    assert found[0].probability == pytest.approx(0.9)
    first = list(detections(scores, (4.0, 5.0), minimum, everyone, top_k=1))
    assert [d.species for d in first] == [2, 1]
    chosen = list(detections(scores, (4.0, 5.0), minimum, np.array([0, 1]), top_k=1))
    assert [d.species for d in chosen] == [0, 1]


def test_scoring_calibrates_then_raises_then_smooths(detector: Detector) -> None:
    calibration = Calibration.of_metadata({"calibration": CALIBRATION})
    assert calibration is not None
    calibrated = calibrate(P, calibration.curves)
    np.testing.assert_array_equal(score(SCORES, detector, Scoring()).probabilities, P)
    found = score(SCORES, detector, Scoring(calibrated=True)).probabilities
    np.testing.assert_allclose(found, calibrated, atol=1e-6)
    found = score(SCORES, detector, Scoring(True, 0.8, True)).probabilities
    np.testing.assert_allclose(found, smooth(add_recording_max(calibrated, 0.8)), atol=1e-6)


def test_own_thresholds_keep_the_same_detections_calibrated_or_not(detector: Detector) -> None:
    reported = []
    for calibrated in (False, True):
        minimum, without = minimum_of(detector, 0.5, True, calibrated)
        assert without == ["houspa"]
        assert minimum[1] == 0.5
        p = score(SCORES, detector, Scoring(calibrated=calibrated)).probabilities
        reported.append((p >= minimum)[:, [0, 2]])
    np.testing.assert_array_equal(reported[0], reported[1])
    assert 0 < reported[0].sum() < reported[0].size
    assert (minimum_of(detector, 0.2, False, True)[0] == 0.2).all()


def test_scoring_needs_a_model_with_calibration(plain_detector: Detector) -> None:
    with pytest.raises(ChoiceError, match="leave out --calibrate"):
        score(SCORES, plain_detector, Scoring(calibrated=True))
    with pytest.raises(ChoiceError, match="and --own-thresholds"):
        minimum_of(plain_detector, 0.1, True, False)


def test_silence_in_a_long_recording_stays_a_window(detector: Detector, tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", 0 * tone(3.0))
    (scores,) = detector.predict([path])
    assert len(scores.probabilities) == 6
    assert not scores.problem
