"""Re-hash the cache and every output against dvc.lock, and repair what can be repaired.

DVC trusts a cache object that is read-only, and any file whose size and time match its record, so
it does not see bytes that change on the disk. This check reads every byte.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from dvc.exceptions import DvcException
from dvc.output import Output
from dvc.repo import Repo
from dvc_data.hashfile.hash import file_md5
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.tree import Tree
from dvc_objects.fs import generic
from dvc_objects.fs.local import localfs
from joblib import Parallel, delayed

from birdclef.common.files import replacing
from birdclef.progress import track


class VerificationError(RuntimeError):
    """The check could not be completed; the message gives the reason and what to do."""


@dataclass
class Fault:
    """A file that does not match dvc.lock."""

    path: Path
    problem: str  # missing, corrupt, or unknown to dvc.lock
    remedy: str  # what was done, or what to do
    repaired: bool = False


class Verification(NamedTuple):
    """The result of a check."""

    files: int  # number of files that were checked: cache objects and files of outputs
    faults: list[Fault]


class _Member(NamedTuple):
    """One file of an output."""

    path: Path
    oid: str  # md5, the name of its object in the cache
    cached: bool  # otherwise it is kept in git


def verify(folder: str | Path = ".", repair: bool = False) -> Verification:
    """Check the bytes of each cache object and output that dvc.lock or a .dvc file names.

    Args:
        folder: A directory of the repository.
        repair: Restore good copies: objects from good outputs or from the default remote, outputs
            from their objects. A corrupt object is removed even if no good copy is found, because
            DVC would continue to trust it. Outputs are replaced, or left as they are.

    Raises:
        VerificationError: the folder is in no DVC repository, DVC is running in it, or a repair
            met a full disk or a folder that cannot be written to.
    """
    try:
        with Repo(str(folder)) as repo, repo.lock:
            return _Check(repo, repair).run()
    except DvcException as error:
        raise VerificationError(str(error)) from error
    except OSError as error:
        raise VerificationError(
            f"stopped: {error}; correct this and run it again, finished repairs are kept"
        ) from error


class _Check:
    def __init__(self, repo: Repo, repair: bool) -> None:
        self.repo, self.cache, self.repair = repo, repo.cache.local, repair
        self.hashes: dict[Path, str | None] = {}  # md5 of each file that was read; None: missing
        self.faults: list[Fault] = []

    def run(self) -> Verification:
        outputs = [output for output in self.repo.index.outs if self._is_known(output)]
        folders = {o.hash_info.value: o for o in outputs if o.hash_info.isdir}
        self._check_objects(folders, lambda oid: self._rebuild_list(folders[oid]))
        members = [member for output in outputs for member in self._members(output)]
        self._read((member.path for member in members), "files of outputs")
        good = {m.oid: m.path for m in members if self.hashes[m.path] == m.oid}
        oids = dict.fromkeys(member.oid for member in members if member.cached)
        self._check_objects(oids, lambda oid: self._restore_object(oid, good.get(oid)))
        for member in members:
            self._check_output(member)
        return Verification(len(self.hashes), self.faults)

    def _is_known(self, output: Output) -> bool:
        if not output.hash_info:
            remedy = f"not in dvc.lock: dvc repro {output.stage.addressing}"
            self._add_fault(Path(output.fs_path), "unknown", remedy)
        return bool(output.hash_info)

    def _members(self, output: Output) -> Iterator[_Member]:
        """The files that an output must contain; none if the list of its files is lost."""
        root, oid = Path(output.fs_path), output.hash_info.value
        if not output.hash_info.isdir:
            yield _Member(root, oid, output.use_cache)
        elif self._is_good(oid):
            listed = {root.joinpath(*k): i.value for k, _, i in self._list(output)}
            yield from (_Member(path, md5, True) for path, md5 in listed.items())
            for path in sorted(_files(output) - set(listed)):
                self._add_fault(path, "unknown", "not in dvc.lock: move it elsewhere")

    def _list(self, output: Output) -> Tree:
        return Tree.load(self.cache, output.hash_info)

    def _object(self, oid: str) -> Path:
        return Path(self.cache.oid_to_path(oid))

    def _is_good(self, oid: str) -> bool:
        """Whether the bytes of an object match its name; the name of a file list ends in .dir."""
        return self.hashes[self._object(oid)] == oid.removesuffix(".dir")

    def _read(self, paths: Iterable[Path], what: str) -> None:
        paths = list(paths)
        parallel = Parallel(os.cpu_count(), prefer="threads", return_as="generator")
        hashed = parallel(delayed(_md5)(path) for path in paths)
        self.hashes |= zip(paths, track(hashed, what, len(paths)), strict=True)

    def _add_fault(self, path: Path, problem: str, remedy: str) -> Fault:
        fault = Fault(Path(os.path.relpath(path)), problem, remedy)
        self.faults.append(fault)
        return fault

    def _add_bad_file(self, path: Path) -> Fault:
        return self._add_fault(path, "corrupt" if self.hashes[path] else "missing", "try --repair")

    def _check_objects(self, oids: Iterable[str], rebuild: Callable[[str], str | None]) -> None:
        """Find bad objects; repair each by `rebuild`, which returns a source, or by the remote."""
        self._read(map(self._object, oids), "cache objects")
        bad = [oid for oid in oids if not self._is_good(oid)]
        faults = {oid: self._add_bad_file(self._object(oid)) for oid in bad}
        if not self.repair:
            return
        for oid in list(faults):
            self._object(oid).unlink(missing_ok=True)
            if source := rebuild(oid):
                self._mark_repaired(oid, faults.pop(oid), f"rebuilt from {source}")
        self._fetch(faults)

    def _mark_repaired(self, oid: str, fault: Fault, how: str) -> None:
        self.hashes[self._object(oid)] = oid.removesuffix(".dir")
        fault.remedy, fault.repaired = how, True

    def _restore_object(self, oid: str, good: Path | None) -> str | None:
        if good is None:
            return None
        self.cache.add(str(good), localfs, oid, check_exists=False)
        return os.path.relpath(good)

    def _rebuild_list(self, output: Output) -> str | None:
        """Rebuild the list of a folder's files; None if the folder no longer matches the list."""
        files = _files(output)
        self._read(files, f"files of {output}")
        tree = Tree()
        for path in files:
            key = path.relative_to(output.fs_path).parts
            tree.add(key, None, HashInfo("md5", self.hashes[path]))
        tree.digest()
        if tree.oid != output.hash_info.value:
            return None
        self.cache.add(tree.path, tree.fs, tree.oid, check_exists=False)
        return str(output)

    def _fetch(self, faults: dict[str, Fault]) -> None:
        """Fetch objects from the default remote; stop trying once the remote itself fails."""
        failure = ""
        for oid, fault in faults.items():
            failure = failure or self._fetch_one(oid, fault)
            if not fault.repaired:
                fault.remedy = failure or "no good copy on the remote either: dvc repro"

    def _fetch_one(self, oid: str, fault: Fault) -> str:
        """Try to repair one object; returns why the remote failed, or "" if it did not."""
        try:
            remote = self.repo.cloud.get_remote_odb()
            path = remote.oid_to_path(oid)
            self.cache.add(path, remote.fs, oid, check_exists=False, verify=True)
        except FileNotFoundError:
            return ""
        except Exception as error:  # each kind of remote raises its own errors
            return f"not fetched: {' '.join(str(error).split())}"
        if self.cache.exists(oid):  # otherwise it was corrupt on the remote too
            self._mark_repaired(oid, fault, "fetched from the remote")
        return ""

    def _check_output(self, member: _Member) -> None:
        if self.hashes[member.path] == member.oid:
            return
        fault = self._add_bad_file(member.path)
        if not member.cached:
            fault.remedy = f"kept in git: git checkout -- {fault.path}"
        elif self.repair and not self._is_good(member.oid):
            fault.remedy = "the cache has no good copy"
        elif self.repair:
            self._check_out(member)
            fault.remedy, fault.repaired = "restored from the cache", True

    def _check_out(self, member: _Member) -> None:
        """Replace a file in one step, with the kind of link or copy that DVC is configured for."""
        source, links = str(self._object(member.oid)), list(self.cache.cache_types)
        with replacing(member.path) as temporary:
            generic.transfer(localfs, source, localfs, str(temporary), links=links)


def _md5(path: Path) -> str | None:
    try:
        digest: str = file_md5(str(path))
    except FileNotFoundError:
        return None
    except OSError as error:  # for example, a folder in its place, or a disk error
        return f"unreadable: {error.strerror}"
    return digest


def _files(output: Output) -> set[Path]:
    """The files in an output's folder, without those that .dvcignore excludes."""
    return {Path(path) for path in output.dvcignore.find(output.fs, output.fs_path)}
