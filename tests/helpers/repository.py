"""A clone of the project on a simulated machine, and the commands that a user types there."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from paths import ROOT


def _environment(home: Path) -> dict[str, str]:
    """Environment of a simulated machine: its own home and site cache, this interpreter first."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    sites = {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    name = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.org"}
    committer = {"GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example.org"}
    site_cache = {
        "DVC_SITE_CACHE_DIR": str(home / "site"),
        "DVC_GLOBAL_CONFIG_DIR": str(home / "g"),
    }
    return os.environ | {"PATH": path} | sites | name | committer | site_cache


def stages_run(output: str) -> list[str]:
    """The stages that a DVC command has run, or would run, according to its output."""
    return re.findall(r"Running stage '([^']+)'", output)


class Repository:
    """A clone of the project on a simulated machine, and the commands that a user types in it."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder, self.environment = folder, _environment(home)
        self.environment["PYTHONPATH"] = str(folder / "src")

    def run(self, *command: str, fails: bool = False) -> str:
        """Run a command to its end, check that it succeeds (or fails), and return its output."""
        process = self.start(*command, own_group=False)
        output, _ = process.communicate()
        assert (process.returncode != 0) == fails, f"{' '.join(command)}:\n{output}"
        return output

    def start(self, *command: str, own_group: bool = True) -> "subprocess.Popen[str]":
        """Start a command without waiting, in its own process group so that a test can kill it."""
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=own_group,
        )

    def run_and_commit(self, params: Mapping[str, Mapping[str, object]], *targets: str) -> None:
        """Change sections of params.yaml, bring the targets up to date, and commit."""
        for section, values in params.items():
            self.change(section, **values)
        self.run("dvc", "repro", *targets)
        self.commit()

    def change(self, section: str, **values: object) -> None:
        """Change values in one section of params.yaml."""
        path = self.folder / "params.yaml"
        params = yaml.safe_load(path.read_text())
        params[section].update(values)
        path.write_text(yaml.safe_dump(params, sort_keys=False))

    def metrics(self, name: str) -> dict[str, Any]:
        values: dict[str, Any] = json.loads((self.folder / f"metrics/{name}.json").read_text())
        return values

    def commit(self) -> None:
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", "run")

    def hashes(self) -> dict[str, str]:
        """The MD5 hash of each output in dvc.lock, by path."""
        lock = yaml.safe_load((self.folder / "dvc.lock").read_text())["stages"]
        return {o["path"]: o["md5"] for stage in lock.values() for o in stage.get("outs", [])}

    def clone(self, folder: Path, home: Path) -> "Repository":
        """Clone the last commit to another simulated machine, without data or cache."""
        subprocess.run(["git", "clone", "-q", self.folder, folder], check=True)
        return Repository(folder, home)


def working_copy(folder: Path, home: Path) -> Repository:
    """Copy the working tree's tracked and new files, without any results of a run."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("metrics/", "dvc.lock")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    repository = Repository(folder, home)
    repository.run("git", "init", "-q", "-b", "main")
    return repository
