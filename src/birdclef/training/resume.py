"""Saved state from which a killed training run resumes: one file per fold, replaced each epoch.

The file lies outside DVC's outputs, because DVC deletes those when a stage starts. Its name is a
hash of everything that shapes the training, so a run with other params or data starts from scratch.
"""

import io
from pathlib import Path
from typing import Any

import torch

from birdclef.common.files import write_bytes


class ResumeError(RuntimeError):
    """A saved state that cannot be read; the message names the file."""


class ResumePoint:
    """The saved state after the last finished epoch of one run.

    Two identical runs, such as two tasks of a queue, share it. This is safe: both runs would reach
    the same states, and one may delete the file while the other is still training.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.path = folder / f"{key}.pt"

    def load(self) -> dict[str, Any] | None:
        """Read the saved state without executing any code in it; None if there is no file.

        Raises:
            ResumeError: the file is damaged.
        """
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return None
        with file:
            try:
                state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
            except Exception as error:  # raised by zip, pickle or torch
                raise ResumeError(
                    f"{self.path} is damaged ({error}); delete it to train this model from scratch"
                ) from error
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Replace the saved state atomically."""
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_bytes(buffer.getvalue(), self.path)

    def clear(self) -> None:
        """Delete the saved state; call this after the outputs are written."""
        self.path.unlink(missing_ok=True)
