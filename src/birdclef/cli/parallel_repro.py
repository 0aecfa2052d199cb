"""Run independent stages in parallel: several folds, seeds or backbones.

DVC itself runs one stage after the other. Here each stage runs in its own `dvc repro`, which locks
its outputs, as soon as all stages that it depends on are done. The resulting dvc.lock is the same.
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
    """A target that is not a stage in dvc.yaml; the message lists the stages."""


def stage_graph(targets: Sequence[str] = ()) -> dict[str, list[str]]:
    """Each stage with the stages that it depends on.

    Stages are in the order in which DVC itself runs them.

    Args:
        targets: limits the graph to these stages and all that they need; empty: every stage.

    Raises:
        StageError: a target is not a stage.
    """
    with Repo() as repo:
        graph = repo.index.graph
        stages = {stage.addressing: stage for stage in plan_repro(graph)}
        needs = {
            name: sorted(needed.addressing for needed in graph.successors(stage))
            for name, stage in stages.items()
        }
    if not targets:
        return needs
    names = {*needs, *(name.split("@")[0] for name in needs)}
    if unknown := [target for target in targets if target not in names]:
        known = ", ".join(dict.fromkeys(name.split("@")[0] for name in needs))
        raise StageError(f"no stage is named {unknown[0]!r}; the stages are {known}")
    wanted, pending = set(), [n for n in needs if {n, n.split("@")[0]} & set(targets)]
    while pending:
        name = pending.pop()
        if name not in wanted:
            wanted.add(name)
            pending += needs[name]
    return {name: needed for name, needed in needs.items() if name in wanted}


def _locked_stages() -> list[str]:
    path = Path(LOCK_FILE)
    if not path.exists():
        return []
    return list(parse_yaml(path.read_text(encoding="utf-8"), path).get("stages", {}))


def _order_lock(names: Iterable[str]) -> None:
    """Put the stages of dvc.lock in this order, because each was added when it finished."""
    with Repo(_wait_for_lock=True) as repo, repo.lock:
        locked = _locked_stages()
        ordered = [name for name in dict.fromkeys([*names, *locked]) if name in locked]
        if ordered != locked:
            with modify_yaml(LOCK_FILE) as lock:
                lock["stages"] = {name: lock["stages"][name] for name in ordered}


def _visible_devices() -> list[str]:
    """The GPUs, named as in CUDA_VISIBLE_DEVICES; CUDA ignores names after an invalid one."""
    import torch  # here, because it takes seconds to load

    count = torch.cuda.device_count()
    listed = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(count))))
    return listed.split(",")[:count]


class _Devices:
    """Lends each stage the GPU with the fewest stages; sets nothing if there is one GPU or none."""

    def __init__(self, names: Sequence[str]) -> None:
        self._stages = dict.fromkeys(names, 0) if len(names) > 1 else {}
        self._lock = threading.Lock()

    @contextmanager
    def lend(self) -> Generator[dict[str, str], None, None]:
        """Lend a GPU to a stage: the variables to add to the stage's environment."""
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
    """Bring one stage up to date; returns whether it succeeded.

    Args:
        name: name of the stage.
        environment: variables to add to this process's environment.
        needs: stages whose outputs to fetch if the stage must run; None: all data is here.
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
    """Run a DVC command and prefix its output with the stage's name; returns whether it worked."""
    process = subprocess.Popen(
        ["dvc", "--wait-for-lock", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )
    assert process.stdout is not None
    advice = False  # after each stage, DVC explains how to add dvc.lock to git: not printed
    for line in process.stdout:
        advice = advice or line.startswith("To track the changes")
        if line.strip() and not advice:
            with _print_lock:
                print(f"{name}: {line.rstrip()}", flush=True)
    return process.wait() == 0


def reproduce(jobs: int, targets: Sequence[str] = (), pull: bool = False) -> list[str]:
    """Bring every stage up to date, with at most `jobs` stages at once.

    Stages that do not depend on a failed stage are finished all the same.

    Args:
        jobs: maximum number of stages at once; each training uses runtime.threads threads.
        targets: stages to bring up to date, with all that they need; empty: every stage.
        pull: in a clone without data, fetch only the inputs of stages that must run.
            `dvc repro --pull` fetches parts of outputs, which DVC then considers changed, and it
            cannot fetch the models of several stages in one folder.

    Returns:
        The stages that failed.
    """
    before, graph = _locked_stages(), stage_graph(targets)
    try:
        return _run_all(jobs, graph, pull)
    finally:
        _order_lock([*before, *graph])  # as `dvc repro` does: new stages come last


def _run_all(jobs: int, graph: Mapping[str, Sequence[str]], pull: bool) -> list[str]:
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    devices = _Devices(_visible_devices())

    def run(name: str) -> bool:
        with devices.lend() as environment:
            return _reproduce(name, environment, graph[name] if pull else None)

    failed: list[str] = []
    running: dict[Future[bool], str] = {}
    with ThreadPoolExecutor(jobs) as pool:
        try:
            while sorter.is_active():
                running |= {pool.submit(run, name): name for name in sorter.get_ready()}
                if not running:
                    break  # all remaining stages depend on a failed stage
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    name = running.pop(future)
                    if future.result():
                        sorter.done(name)
                    else:
                        failed.append(name)
        except BaseException:  # Ctrl-C reaches running stages; queued stages must not start
            pool.shutdown(cancel_futures=True)
            raise
    return sorted(failed)
