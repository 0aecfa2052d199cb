"""Which output was made from what, so that a killed or repeated run makes only what is missing.

A note on each output lies outside DVC's outputs, since it holds times of files: these differ from
machine to machine, and outputs must not. An output counts as finished when it was made from the
same key and nobody, `dvc checkout` included, has touched it since.
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
    """One output and the way to it."""

    output: Path
    key: str  # of all that shapes it
    make: Callable[[], Any]  # puts it in place whole, or not at all; returns JSON values


class DisturbedError(RuntimeError):
    """Somebody else writes to the same outputs."""


def key_of(*parts: object, code: Sequence[ModuleType]) -> str:
    """Hash of plain values, of the modules that make something of them, and of their libraries."""
    return digest(*parts, _LIBRARIES, *(Path(str(module.__file__)) for module in code))


def keep_only(folder: Path, names: Collection[str]) -> None:
    """Make a folder, and remove what is not among `names`: the past's files and half files."""
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
        tasks: Each with an output of another name.
        notes: A folder for the notes on these outputs alone; others in it are removed.
        jobs: Number of processes.
        what: The plural of an output, for the screen.

    Returns:
        What each task returned when it was run, now or earlier, in the order of `tasks`.

    Raises:
        DisturbedError: somebody else keeps changing an output.
    """
    keep_only(notes, {_note(notes, task).name for task in tasks})
    for _ in range(2):  # processes of a run that was killed live on for one output or two
        calls = (delayed(_make_if_missing)(task, _note(notes, task)) for task in tasks)
        results = Parallel(jobs, return_as="generator")(calls)
        made = list(track(results, what, len(tasks)))
        disturbed = [t.output for t in tasks if _recall(t, _note(notes, t)) is None]
        if not disturbed:
            return made
    raise DisturbedError(
        f"{disturbed[0]} was changed while it was in use; stop what writes to it, and run again"
    )


def _note(notes: Path, task: Task) -> Path:
    return notes / f"{task.output.name}.json"


def _make_if_missing(task: Task, note: Path) -> Any:
    if (found := _recall(task, note)) is not None:
        return found
    keep_freed_memory()
    result = task.make()
    write_json({"key": task.key, "made": _stamp(task.output), "result": result}, note)
    return result


def _recall(task: Task, note: Path) -> Any | None:
    """The result noted; None unless the output is finished."""
    try:
        noted = json.loads(note.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    found = noted["key"] == task.key and noted["made"] == _stamp(task.output)
    return noted["result"] if found else None


def _stamp(path: Path) -> list[int] | None:
    """Size and time of a file; None where a task had nothing to put there."""
    if not path.exists():
        return None
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]
