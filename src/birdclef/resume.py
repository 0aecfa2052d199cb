"""Where a killed training run picks up: one file a fold, replaced whole after each epoch.

It lies outside DVC's outputs, which DVC deletes when a stage starts, and is found by a hash of
everything that shaped it: other params or data start anew.
"""

import hashlib
import io
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel

from birdclef.files import write_bytes


def fingerprint(params: Iterable[BaseModel], files: Iterable[Path], *extra: object) -> str:
    """Hash of parameter sections, file contents and anything else that has a plain repr."""
    digest = hashlib.sha256(repr((torch.__version__, *extra)).encode())
    for section in params:
        digest.update(section.model_dump_json().encode())
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:32]


class ResumePoint:
    """The state after the last finished epoch of one run."""

    def __init__(self, folder: Path, key: str) -> None:
        self.folder = folder / key
        self.path = self.folder / "state.pt"

    def load(self) -> dict[str, Any] | None:
        """The saved state; None if there is none. Weights only: nothing is executed."""
        if not self.path.exists():
            return None
        state: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Replace the state in one step."""
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_bytes(buffer.getvalue(), self.path)

    def clear(self) -> None:
        """Forget it, once the outputs are written."""
        shutil.rmtree(self.folder, ignore_errors=True)
