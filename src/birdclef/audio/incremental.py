"""Make only outputs that are missing or out of date, so that a killed run resumes where it was.

Each output has a note: a JSON file with the key it was made from, its size, its modification time
and the task's result. Notes lie outside DVC's outputs, because file times differ between machines
and outputs must not. An output is finished if its note has the current key and nothing has
written to the output since; `dvc checkout` counts as writing.
"""

import json
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from shutil import rmtree
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import soundfile
import soxr
from joblib import Parallel, delayed

from birdclef.common.allocator import keep_freed_memory
from birdclef.common.digests import digest
from birdclef.common.files import write_json
from birdclef.progress import track

_LIBRARIES = (soundfile.__libsndfile_version__, soxr.__version__, np.__version__)


class Task(NamedTuple):
    """One output and how to make it."""

    output: Path
    key: str  # digest of everything that shapes the output
    make: Callable[[], Any]  # writes the output whole or not at all; returns JSON values


class ConcurrentWriteError(RuntimeError):
    """Another process keeps writing to the same outputs."""


def key_of(*parts: object, code: Sequence[ModuleType]) -> str:
    """Digest of plain values, of the modules that process them, and of the audio libraries."""
    return digest(*parts, _LIBRARIES, *(Path(str(module.__file__)) for module in code))


def keep_only(folder: Path, names: Collection[str]) -> None:
    """Create a folder, and remove everything in it that is not in `names`.

    What it removes are outputs of earlier runs and half-written files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.name in names:
            continue
        if path.is_dir() and not path.is_symlink():
            rmtree(path)
        else:
            path.unlink(missing_ok=True)


def make_missing(tasks: Sequence[Task], notes: Path, jobs: int, what: str) -> list[Any]:
    """Run the tasks whose outputs are not finished, in `jobs` processes.

    Args:
        tasks: Tasks whose outputs all have different names.
        notes: Folder for the notes on these outputs; anything else in it is removed.
        jobs: Number of processes.
        what: What the outputs are called on the screen, in the plural.

    Returns:
        The result of each task, from this run or an earlier one, in the order of `tasks`.

    Raises:
        ConcurrentWriteError: another process keeps changing an output.
    """
    keep_only(notes, {_note(notes, task).name for task in tasks})
    for _ in range(2):  # twice, because workers of a killed run may still write an output or two
        calls = (delayed(_make_if_missing)(task, _note(notes, task)) for task in tasks)
        results = Parallel(jobs, return_as="generator")(calls)
        made = list(track(results, what, len(tasks)))
        changed = [t.output for t in tasks if _recall(t, _note(notes, t)) is None]
        if not changed:
            return made
    raise ConcurrentWriteError(
        f"{changed[0]} was changed by another process during this run;"
        " stop that process and run again"
    )


def _note(notes: Path, task: Task) -> Path:
    return notes / f"{task.output.name}.json"


def _make_if_missing(task: Task, note: Path) -> Any:
    if (earlier := _recall(task, note)) is not None:
        return earlier
    keep_freed_memory()
    result = task.make()
    write_json({"key": task.key, "made": _stamp(task.output), "result": result}, note)
    return result


def _recall(task: Task, note: Path) -> Any | None:
    """The result in the note; None unless the output is finished and the note is whole."""
    try:
        noted = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # RecursionError: brackets without end
        return None
    if not isinstance(noted, dict) or noted.get("key") != task.key or "made" not in noted:
        return None
    return noted.get("result") if noted["made"] == _stamp(task.output) else None


def _stamp(path: Path) -> list[int] | None:
    """Size and modification time of an output; None if its task had nothing to write."""
    if not path.exists():
        return None
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]
