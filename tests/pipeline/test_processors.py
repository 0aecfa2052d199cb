"""Training and export give the same bytes on other processors, which are emulated.

Minutes per processor, so the tests run on request: `make reproduce-elsewhere`.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from repository import Repository
from tiny_run import TINY, run_tiny

EMULATOR = shutil.which("qemu-x86_64")
PROCESSORS = ["Haswell", "EPYC-Rome"]  # of Intel and AMD, with AVX2 and without AVX-512
STAGES = [
    "train_l1 0 efficientvit_b0 0",
    "pseudo_label l1 l2 0",
    "train_l2 l1 l2 0 efficientvit_b0 0",
    "evaluate",
    "export_onnx",
]
PARAMS = TINY | {
    "models": {
        "folds": [0],
        "teacher_backbones": ["efficientvit_b0"],
        "student_backbones": ["efficientvit_b0"],
        "rounds": [{"teachers": "l1", "students": "l2"}],
    },
    "mel": {"n_mels": 64, "n_frames": 65, "f_min": 200.0},
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.emulated,
    pytest.mark.skipif(EMULATOR is None, reason="qemu-x86_64 is not installed (qemu-user)"),
]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A small pipeline that has run on this machine's own processor."""
    return run_tiny(tmp_path_factory, PARAMS)


def _outputs(folder: Path) -> dict[str, str]:
    """SHA-256 of every file that the stages write."""
    files = [
        p for name in ("models", "metrics", "data/pseudo_labels") for p in _files(folder / name)
    ]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix not in ("", ".md"))


@pytest.mark.parametrize("processor", PROCESSORS)
def test_training_and_export_give_the_same_bytes(
    here: Repository, tmp_path: Path, processor: str
) -> None:
    shutil.copytree(here.folder, tmp_path / "elsewhere")
    elsewhere = Repository(tmp_path / "elsewhere", tmp_path / "home")
    for path in (elsewhere.folder / "models", elsewhere.folder / "data/pseudo_labels"):
        for file in _files(path):
            file.unlink()
    for stage in STAGES:
        emulated = [str(EMULATOR), "-cpu", processor, sys.executable, "-m", "birdclef.stages"]
        elsewhere.run(*emulated, *stage.split())
    expected = _outputs(here.folder)
    assert "models/birdclef.onnx" in expected
    assert _outputs(elsewhere.folder) == expected


def test_without_the_settings_the_bytes_differ(here: Repository) -> None:
    """The test above can fail: NumPy and torch alone choose instructions by the processor."""
    code = (
        "import hashlib, numpy as np, torch;"
        "x = np.random.default_rng(0).standard_normal((64, 4099));"
        "t = torch.from_numpy(x.astype(np.float32)); found = (np.exp(x), (t @ t.T).numpy());"
        "print(hashlib.sha256(b''.join(each.tobytes() for each in found)).hexdigest())"
    )
    commands = [[], [str(EMULATOR), "-cpu", PROCESSORS[0]]]
    found = [
        subprocess.run(
            [*emulated, sys.executable, "-c", code],
            env=here.environment,
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        for emulated in commands
    ]
    if "avx512f" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("this processor has no wider instructions than the emulated one")
    assert found[0] != found[1]
