"""Where a killed training run picks up: one file a fold, replaced whole after each epoch.

It lies outside DVC's outputs, which DVC deletes when a stage starts, and is found by a hash of
everything that shaped it: other params or data start anew.
"""

import io
from pathlib import Path
from typing import Any

import torch

from birdclef.common.files import write_bytes


class ResumeError(RuntimeError):
    """A state that cannot be read; the message names the file."""


class ResumePoint:
    """The state after the last finished epoch of one run.

    Two runs of the same, as two tasks of a queue may be, share it: each state is what either would
    have come to, and one may forget it while the other goes on.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.path = folder / f"{key}.pt"

    def load(self) -> dict[str, Any] | None:
        """The saved state; None if there is none. Weights only: nothing is executed.

        Raises:
            ResumeError: it is damaged.
        """
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return None
        with file:
            try:
                state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
            except Exception as error:  # of zip, of pickle, of torch
                raise ResumeError(
                    f"{self.path} is damaged ({error}); delete it, and the model is trained anew"
                ) from error
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Replace the state in one step."""
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_bytes(buffer.getvalue(), self.path)

    def clear(self) -> None:
        """Forget it, once the outputs are written."""
        self.path.unlink(missing_ok=True)
