"""Re-hash the cache and every output against dvc.lock, and repair what can be repaired.

DVC trusts a cache object that is read-only, and any file whose size and time are as it noted:
bytes that rot under them stay unseen. Here every byte is read.
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
    """The check could not be carried through; the message says why, and what to do."""


@dataclass
class Fault:
    """A file that is not what dvc.lock names."""

    path: Path
    problem: str  # missing, corrupt, or unknown to dvc.lock
    remedy: str  # what was done, or what to do
    repaired: bool = False


class Verification(NamedTuple):
    """What a check has found."""

    files: int  # that it was about: cache objects and files of outputs
    faults: list[Fault]


class _Member(NamedTuple):
    """One file of an output."""

    path: Path
    oid: str  # md5, by which the cache names its object
    cached: bool  # else it lives in git


def verify(folder: str | Path = ".", repair: bool = False) -> Verification:
    """Check by its bytes each cache object and output that dvc.lock or a .dvc file names.

    Args:
        folder: A directory of the repository.
        repair: Put good copies in place: of an object from an output that is good or from the
            default remote, of an output from its object. A corrupt object is removed even where
            no good copy is found, since DVC would go on trusting it. Outputs are replaced, or
            left as they are.

    Raises:
        VerificationError: no DVC repository; DVC is at work in it; or a repair met a full disk
            or a folder that it may not write to.
    """
    try:
        with Repo(str(folder)) as repo, repo.lock:
            return _Check(repo, repair).run()
    except DvcException as error:
        raise VerificationError(str(error)) from error
    except OSError as error:
        raise VerificationError(
            f"stopped: {error}; mend that and run it again, what was repaired stays"
        ) from error


class _Check:
    def __init__(self, repo: Repo, repair: bool) -> None:
        self.repo, self.cache, self.repair = repo, repo.cache.local, repair
        self.hashes: dict[Path, str | None] = {}  # of what was read; None: missing
        self.faults: list[Fault] = []

    def run(self) -> Verification:
        outputs = [output for output in self.repo.index.outs if self._is_known(output)]
        folders = {o.hash_info.value: o for o in outputs if o.hash_info.isdir}
        self._check_objects(folders, lambda oid: self._list_anew(folders[oid]))
        members = [member for output in outputs for member in self._members(output)]
        self._read((member.path for member in members), "files of outputs")
        good = {m.oid: m.path for m in members if self.hashes[m.path] == m.oid}
        oids = dict.fromkeys(member.oid for member in members if member.cached)
        self._check_objects(oids, lambda oid: self._copy_back(oid, good.get(oid)))
        for member in members:
            self._check_output(member)
        return Verification(len(self.hashes), self.faults)

    def _is_known(self, output: Output) -> bool:
        if not output.hash_info:
            remedy = f"dvc.lock does not name it: dvc repro {output.stage.addressing}"
            self._fault(Path(output.fs_path), "unknown", remedy)
        return bool(output.hash_info)

    def _members(self, output: Output) -> Iterator[_Member]:
        """Files that an output must hold; none where the list of them is lost."""
        root, oid = Path(output.fs_path), output.hash_info.value
        if not output.hash_info.isdir:
            yield _Member(root, oid, output.use_cache)
        elif self._is_good(oid):
            listed = {root.joinpath(*k): i.value for k, _, i in self._list(output)}
            yield from (_Member(path, md5, True) for path, md5 in listed.items())
            for path in sorted(_files(output) - set(listed)):
                self._fault(path, "unknown", "dvc.lock does not name it: move it elsewhere")

    def _list(self, output: Output) -> Tree:
        return Tree.load(self.cache, output.hash_info)

    def _object(self, oid: str) -> Path:
        return Path(self.cache.oid_to_path(oid))

    def _is_good(self, oid: str) -> bool:
        """Whether the cache holds an object as its name says; a list of files is named .dir."""
        return self.hashes[self._object(oid)] == oid.removesuffix(".dir")

    def _read(self, paths: Iterable[Path], what: str) -> None:
        paths = list(paths)
        parallel = Parallel(os.cpu_count(), prefer="threads", return_as="generator")
        hashed = parallel(delayed(_md5)(path) for path in paths)
        self.hashes |= zip(paths, track(hashed, what, len(paths)), strict=True)

    def _fault(self, path: Path, problem: str, remedy: str) -> Fault:
        fault = Fault(Path(os.path.relpath(path)), problem, remedy)
        self.faults.append(fault)
        return fault

    def _bad(self, path: Path) -> Fault:
        return self._fault(path, "corrupt" if self.hashes[path] else "missing", "try --repair")

    def _check_objects(self, oids: Iterable[str], rebuild: Callable[[str], str | None]) -> None:
        """Find bad objects; repair each by `rebuild`, which says from what, or from the remote."""
        self._read(map(self._object, oids), "cache objects")
        faults = {oid: self._bad(self._object(oid)) for oid in oids if not self._is_good(oid)}
        if not self.repair:
            return
        for oid in list(faults):
            self._object(oid).unlink(missing_ok=True)
            if source := rebuild(oid):
                self._mended(oid, faults.pop(oid), f"rebuilt from {source}")
        self._fetch(faults)

    def _mended(self, oid: str, fault: Fault, how: str) -> None:
        self.hashes[self._object(oid)] = oid.removesuffix(".dir")
        fault.remedy, fault.repaired = how, True

    def _copy_back(self, oid: str, good: Path | None) -> str | None:
        if good is None:
            return None
        self.cache.add(str(good), localfs, oid, check_exists=False)
        return os.path.relpath(good)

    def _list_anew(self, output: Output) -> str | None:
        """The list of a folder's files, if the folder is what the list said."""
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
        """Get objects from the default remote; after trouble with it itself, no more is tried."""
        trouble = ""
        for oid, fault in faults.items():
            trouble = trouble or self._fetch_one(oid, fault)
            if not fault.repaired:
                fault.remedy = trouble or "no good copy on the remote either: dvc repro"

    def _fetch_one(self, oid: str, fault: Fault) -> str:
        """What is wrong with the remote, if anything; `fault` is repaired or is not."""
        try:
            remote = self.repo.cloud.get_remote_odb()
            path = remote.oid_to_path(oid)
            self.cache.add(path, remote.fs, oid, check_exists=False, verify=True)
        except FileNotFoundError:
            return ""
        except Exception as error:  # each kind of remote has its own
            return f"not fetched: {' '.join(str(error).split())}"
        if self.cache.exists(oid):  # else it was corrupt there too
            self._mended(oid, fault, "fetched from the remote")
        return ""

    def _check_output(self, member: _Member) -> None:
        if self.hashes[member.path] == member.oid:
            return
        fault = self._bad(member.path)
        if not member.cached:
            fault.remedy = f"it lives in git: git checkout -- {fault.path}"
        elif self.repair and not self._is_good(member.oid):
            fault.remedy = "the cache has no good copy"
        elif self.repair:
            self._check_out(member)
            fault.remedy, fault.repaired = "put back from the cache", True

    def _check_out(self, member: _Member) -> None:
        """Replace a file in one step, by the kind of link or copy that DVC is set to."""
        source, links = str(self._object(member.oid)), list(self.cache.cache_types)
        with replacing(member.path) as temporary:
            generic.transfer(localfs, source, localfs, str(temporary), links=links)


def _md5(path: Path) -> str | None:
    try:
        digest: str = file_md5(str(path))
    except FileNotFoundError:
        return None
    except OSError as error:  # a folder in its place, a disk that cannot read it
        return f"unreadable: {error.strerror}"
    return digest


def _files(output: Output) -> set[Path]:
    """What lies in an output's folder, without what .dvcignore names."""
    return {Path(path) for path in output.dvcignore.find(output.fs, output.fs_path)}
