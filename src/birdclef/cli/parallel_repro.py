"""Run stages that do not wait for each other at once: several folds, seeds or backbones.

DVC itself runs one stage after the other. Here each runs in a `dvc repro` of its own, which locks
what it writes, as soon as all that it depends on is done. dvc.lock comes out the same.
"""

import os
import subprocess
import threading
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from graphlib import TopologicalSorter
from pathlib import Path

from dvc.dvcfile import LOCK_FILE
from dvc.repo import Repo
from dvc.repo.reproduce import plan_repro
from dvc.utils.serialize import modify_yaml, parse_yaml

_print_lock = threading.Lock()


class StageError(ValueError):
    """A stage that dvc.yaml does not have; the message names those that it has."""


def stage_graph(targets: Sequence[str] = ()) -> dict[str, list[str]]:
    """Every stage and those that it depends on, or only `targets` and what they need.

    They are in the order in which DVC itself runs them.

    Raises:
        StageError: a target is no stage.
    """
    with Repo() as repo:
        graph = repo.index.graph
        stages = {stage.addressing: stage for stage in plan_repro(graph)}
        needs = {
            name: sorted(other.addressing for other in graph.successors(stage))
            for name, stage in stages.items()
        }
    if not targets:
        return needs
    names = {*needs, *(name.split("@")[0] for name in needs)}
    if unknown := [target for target in targets if target not in names]:
        there_are = ", ".join(dict.fromkeys(name.split("@")[0] for name in needs))
        raise StageError(f"no stage is named {unknown[0]!r}; there are {there_are}")
    wanted, open_names = set(), [n for n in needs if {n, n.split("@")[0]} & set(targets)]
    while open_names:
        name = open_names.pop()
        if name not in wanted:
            wanted.add(name)
            open_names += needs[name]
    return {name: others for name, others in needs.items() if name in wanted}


def _locked_stages() -> list[str]:
    path = Path(LOCK_FILE)
    if not path.exists():
        return []
    return list(parse_yaml(path.read_text(encoding="utf-8"), path).get("stages", {}))


def _order_lock(names: Iterable[str]) -> None:
    """Put the stages of dvc.lock in this order, since each was added when it came to its end."""
    with Repo(_wait_for_lock=True) as repo, repo.lock:
        locked = _locked_stages()
        ordered = [name for name in dict.fromkeys([*names, *locked]) if name in locked]
        if ordered != locked:
            with modify_yaml(LOCK_FILE) as lock:
                lock["stages"] = {name: lock["stages"][name] for name in ordered}


def _visible_devices() -> list[str]:
    """Each GPU as CUDA_VISIBLE_DEVICES names it; what stands behind an invalid one is not seen."""
    import torch  # here, since it takes seconds to load

    count = torch.cuda.device_count()
    listed = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(count))))
    return listed.split(",")[:count]


class _Devices:
    """Lends each stage the GPU that has the fewest; with one or none, nothing is said."""

    def __init__(self, names: Sequence[str]) -> None:
        self._stages = dict.fromkeys(names, 0) if len(names) > 1 else {}
        self._lock = threading.Lock()

    @contextmanager
    def one(self) -> Generator[dict[str, str], None, None]:
        """What to add to a stage's environment."""
        if not self._stages:
            yield {}
            return
        with self._lock:
            name = min(self._stages, key=self._stages.__getitem__)
            self._stages[name] += 1
        try:
            yield {"CUDA_VISIBLE_DEVICES": name}
        finally:
            with self._lock:
                self._stages[name] -= 1


def _reproduce(name: str, environment: Mapping[str, str], needs: Sequence[str] | None) -> bool:
    """Bring one stage up to date; True if it went well.

    Args:
        name: of the stage.
        environment: added to this process's.
        needs: stages whose outputs to fetch before it runs, if it must; None: all data is here.
    """
    repro = ["repro", "--single-item", name]
    if needs is not None:
        repro += ["--allow-missing"]
        dry = subprocess.run(["dvc", *repro, "--dry"], capture_output=True, text=True, check=False)
        if dry.returncode == 0 and "Running stage" not in dry.stdout:
            return True
        if needs and not _dvc(name, environment, ["pull", *needs]):
            return False
    return _dvc(name, environment, repro)


def _dvc(name: str, environment: Mapping[str, str], command: Sequence[str]) -> bool:
    """Run a command of DVC, the stage's name before every line; True if it went well."""
    process = subprocess.Popen(
        ["dvc", "--wait-for-lock", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )
    assert process.stdout is not None
    advice = False  # how to add dvc.lock to git, after each stage
    for line in process.stdout:
        advice = advice or line.startswith("To track the changes")
        if line.strip() and not advice:
            with _print_lock:
                print(f"{name}: {line.rstrip()}", flush=True)
    return process.wait() == 0


def reproduce(jobs: int, targets: Sequence[str] = (), pull: bool = False) -> list[str]:
    """Bring every stage up to date, at most `jobs` at once.

    What does not depend on a failed stage is finished all the same.

    Args:
        jobs: stages at once; a training uses runtime.threads each.
        targets: stages to bring up to date with all that they need; none: every stage.
        pull: in a clone without data, fetch the inputs of what must run, and nothing else.
            `dvc repro --pull` fetches parts of outputs, which DVC then takes for changed, and
            knows no way to the models of several stages in one folder.

    Returns:
        The stages that failed.
    """
    before, graph = _locked_stages(), stage_graph(targets)
    try:
        return _run_all(jobs, graph, pull)
    finally:
        _order_lock([*before, *graph])  # as `dvc repro` does: what is new comes last


def _run_all(jobs: int, graph: Mapping[str, Sequence[str]], pull: bool) -> list[str]:
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    devices = _Devices(_visible_devices())

    def run(name: str) -> bool:
        with devices.one() as environment:
            return _reproduce(name, environment, graph[name] if pull else None)

    failed: list[str] = []
    running: dict[Future[bool], str] = {}
    with ThreadPoolExecutor(jobs) as pool:
        try:
            while sorter.is_active():
                running |= {pool.submit(run, name): name for name in sorter.get_ready()}
                if not running:
                    break  # all that is left waits for a failed stage
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    name = running.pop(future)
                    if future.result():
                        sorter.done(name)
                    else:
                        failed.append(name)
        except BaseException:  # Ctrl-C reaches the stages that run; those that wait must not start
            pool.shutdown(cancel_futures=True)
            raise
    return sorted(failed)
