"""Partial results are used for the same recording, model, engine and overlap alone."""

from pathlib import Path

import numpy as np

from birdclef.predict.detector import Detector
from birdclef.predict.partial_results import PartialResults
from small_model import CLIP_S, write_model
from sounds import ramp, write


def test_results_of_another_recording_model_or_overlap_are_not_used(world: Path) -> None:
    path = world / "in" / "a.wav"
    (scores,) = Detector("m.onnx").predict([path])
    PartialResults(Path("o.csv"), Path("m.onnx"), "onnxruntime", 0.0).save(scores)
    again = PartialResults(Path("o.csv"), Path("m.onnx"), "onnxruntime", 0.0).load(path)
    assert again is not None
    np.testing.assert_array_equal(again.probabilities, scores.probabilities)
    assert PartialResults(Path("o.csv"), Path("m.onnx"), "onnxruntime", 0.1).load(path) is None
    assert PartialResults(Path("o.csv"), Path("m.onnx"), "openvino", 0.0).load(path) is None
    write(path, ramp(0.7))
    assert PartialResults(Path("o.csv"), Path("m.onnx"), "onnxruntime", 0.0).load(path) is None
    write_model(world / "m.onnx", {"clip_s": CLIP_S, "licence": "another"})
    assert PartialResults(Path("o.csv"), Path("m.onnx"), "onnxruntime", 0.0).load(path) is None


def damages(content: bytes) -> list[bytes]:
    """Nothing, too little, too much, and the content with one byte changed, here and there."""
    found = [b"", content[:1], content[:40], content[:-1], content + b"x", content[32:]]
    for at in range(0, len(content), len(content) // 40):
        found.append(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    return found


def test_a_damaged_partial_result_is_not_used(world: Path) -> None:
    path = world / "in" / "a.wav"
    results = PartialResults(Path("o.csv"), Path("m.onnx"), "onnxruntime", 0.0)
    (scores,) = Detector("m.onnx").predict([path])
    results.save(scores._replace(note="half"))
    (file,) = results.folder.iterdir()
    content = file.read_bytes()
    again = results.load(path)
    assert again is not None
    assert (again.note, again.duration_s) == ("half", scores.duration_s)
    for damaged in damages(content):
        file.write_bytes(damaged)
        assert results.load(path) is None


def test_the_folder_may_vanish_and_come_back(world: Path) -> None:
    path = world / "in" / "a.wav"
    results = PartialResults(Path("o.csv"), Path("m.onnx"), "onnxruntime", 0.0)
    (scores,) = Detector("m.onnx").predict([path])
    results.discard()
    results.discard()
    assert results.load(path) is None
    results.save(scores)
    assert results.load(path) is not None
