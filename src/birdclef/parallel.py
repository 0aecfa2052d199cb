"""Run stages that do not wait for each other at once: several folds, seeds or backbones.

DVC itself runs one stage after the other. Here each runs in a `dvc repro` of its own, which locks
what it writes, as soon as all that it depends on is done.
"""

import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter
from queue import SimpleQueue

from dvc.repo import Repo

_print_lock = threading.Lock()


def stage_graph(targets: Sequence[str] = ()) -> dict[str, list[str]]:
    """Every stage and those that it depends on, or only `targets` and what they need.

    Raises:
        ValueError: a target is no stage.
    """
    with Repo() as repo:
        graph = repo.index.graph
        stages = {stage.addressing: stage for stage in graph}
        needs = {
            name: sorted(other.addressing for other in graph.successors(stage))
            for name, stage in stages.items()
        }
    if not targets:
        return needs
    names = {*needs, *(name.split("@")[0] for name in needs)}
    if unknown := [target for target in targets if target not in names]:
        there_are = ", ".join(dict.fromkeys(name.split("@")[0] for name in needs))
        raise ValueError(f"no stage is named {unknown[0]!r}; there are {there_are}")
    wanted, open_names = set(), [n for n in needs if {n, n.split("@")[0]} & set(targets)]
    while open_names:
        name = open_names.pop()
        if name not in wanted:
            wanted.add(name)
            open_names += needs[name]
    return {name: others for name, others in needs.items() if name in wanted}


def _visible_devices(slots: int) -> list[dict[str, str]]:
    """Environment of each slot: with several GPUs each has its own, in turn."""
    import torch  # here, since it takes seconds to load

    count = torch.cuda.device_count()
    if count < 2:
        return [{}] * slots
    listed = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(count)))).split(",")
    return [{"CUDA_VISIBLE_DEVICES": listed[i % len(listed)]} for i in range(slots)]


def _reproduce(name: str, environment: Mapping[str, str]) -> bool:
    """Run one stage, its name before every line that it prints; True if it went well."""
    command = ["dvc", "--wait-for-lock", "repro", "--single-item", name]
    process = subprocess.Popen(
        command,
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


def reproduce(jobs: int, targets: Sequence[str] = ()) -> list[str]:
    """Bring every stage up to date, at most `jobs` at once.

    What does not depend on a failed stage is finished all the same.

    Args:
        jobs: stages at once; a training uses runtime.threads each.
        targets: stages to bring up to date with all that they need; none: every stage.

    Returns:
        The stages that failed.
    """
    sorter = TopologicalSorter(stage_graph(targets))
    sorter.prepare()
    slots: SimpleQueue[dict[str, str]] = SimpleQueue()
    for environment in _visible_devices(jobs):
        slots.put(environment)

    def run(name: str) -> bool:
        environment = slots.get()
        try:
            return _reproduce(name, environment)
        finally:
            slots.put(environment)

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
