"""Push from one machine to a real server and pull on another: the data stages, without training."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import servers
from repository import Repository, working_copy

pytestmark = pytest.mark.slow

SMALL: dict[str, dict[str, Any]] = {
    "demo": {
        "species": 4,
        "min_recordings": 3,
        "max_recordings": 4,
        "unlabeled_soundscapes": 1,
        "labeled_soundscapes": 1,
        "soundscape_s": 10,
    },
    "preprocess": {"max_quarantined": 0.2},
    "runtime": {"jobs": 1},
}
LAST = "preprocess"  # the last stage that needs no training


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A simulated machine on which the data stages have run."""
    folder, home = (tmp_path_factory.mktemp(name) for name in ("first", "home"))
    first = working_copy(folder, home)
    first.run_and_commit(SMALL, LAST)
    return first


@pytest.fixture(scope="module", params=["webdav", "s3"])
def store(
    request: pytest.FixtureRequest, first: Repository, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[servers.Store]:
    """A server to which the first machine has pushed."""
    folder = tmp_path_factory.mktemp(request.param) / "store"
    with getattr(servers, request.param)(folder) as store:
        name_remote(first, store)
        first.run("dvc", "push", "--run-cache")
        yield store


def name_remote(repository: Repository, store: servers.Store) -> None:
    """Configure the remote as README describes under Share."""
    repository.run("dvc", "remote", "add", "--local", "-f", "-d", "store", store.url)
    for key, value in {"verify": "true", **store.options}.items():
        repository.run("dvc", "remote", "modify", "--local", "store", key, value)


@pytest.fixture
def other(first: Repository, store: servers.Store, tmp_path: Path) -> Repository:
    """A fresh clone with its own home, cache and site cache, and with the store as its remote."""
    other = first.clone(tmp_path / "clone", tmp_path / "home")
    name_remote(other, store)
    return other


def _ran(shown: str) -> list[str]:
    return re.findall(r"Running stage '(\w+)'", shown)


def test_another_machine_pulls_and_runs_nothing(first: Repository, other: Repository) -> None:
    other.run("dvc", "pull", LAST, "--with-deps")
    assert "up to date" in other.run("dvc", "status", LAST, "--with-deps")
    assert _ran(other.run("dvc", "repro", LAST)) == []
    assert other.hashes() == first.hashes()
    assert "in sync" in other.run("dvc", "status", "--cloud", LAST, "--with-deps")


def test_the_run_cache_is_shared(first: Repository, other: Repository) -> None:
    """The run cache records which inputs gave which outputs, so that nobody runs them again."""
    other.run("dvc", "fetch", "--run-cache", "data/index/species.csv")
    runs = [{p.name for p in (r.folder / ".dvc/cache/runs").rglob("*/*/*")} for r in (first, other)]
    assert runs[0]
    assert runs[1] == runs[0]


def test_a_changed_param_pulls_only_inputs_and_runs_only_one_stage(other: Repository) -> None:
    other.change("preprocess", max_quarantined=0.3)
    assert _ran(other.run("dvc", "repro", "--pull", "--allow-missing", LAST)) == [LAST]
    needed = {"data/demo", "data/index/kept.csv", "data/index/kept_soundscapes.csv"}
    made = {"data/clips", "data/soundscapes"}
    present = {path for path in other.hashes() if (other.folder / path).exists()}
    assert {path for path in present if path.startswith("data/")} == needed | made


def _half(repository: Repository) -> int:
    """Half of all bytes that a push or pull has to move."""
    return sum(p.stat().st_size for p in (repository.folder / "data").rglob("*.*")) // 2


def test_an_interrupted_pull_resumes(
    first: Repository, other: Repository, store: servers.Store
) -> None:
    with servers.stopping(store, after=_half(first)) as stopping:
        name_remote(other, stopping)
        other.run("dvc", "pull", LAST, "--with-deps", fails=True)
    name_remote(other, store)
    other.run("dvc", "pull", LAST, "--with-deps")
    assert "up to date" in other.run("dvc", "status", LAST, "--with-deps")


def test_an_interrupted_push_resumes(
    first: Repository, store: servers.Store, tmp_path: Path
) -> None:
    if store.url.startswith("webdav"):
        pytest.skip("a WebDAV server may keep half of an object: see docs/troubleshooting.md")
    empty = store._replace(url=f"{store.url}-empty")
    with servers.stopping(empty, after=_half(first)) as stopping:
        name_remote(first, stopping)
        first.run("dvc", "push", LAST, "--with-deps", fails=True)
    name_remote(first, empty)
    first.run("dvc", "push", LAST, "--with-deps")
    name_remote(first, store)
    other = first.clone(tmp_path / "clone", tmp_path / "home")
    name_remote(other, empty)
    other.run("dvc", "pull", LAST, "--with-deps")
    assert other.run("dvc", "status", LAST, "--with-deps").count("up to date") == 1
