"""The facts for a bug report: versions, processor, threads, DVC's cache and remotes, free space."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from birdclef.common.portable import SETTINGS
from birdclef.params import Params
from birdclef.predict.detector import cores

_PACKAGES = (
    *("dvc", "torch", "torchaudio", "torchvision", "timm", "numpy", "pandas"),
    *("onnx", "onnxruntime", "openvino", "soundfile", "soxr"),
)
_CPU_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "avx512_vnni", "asimd", "bf16")


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"{package} absent"


def _processor(cpuinfo: Path) -> str:
    """Name and relevant instruction sets, from Linux; on other systems, only Python's name."""
    if not cpuinfo.exists():
        return platform.processor() or platform.machine()
    fields: dict[str, str] = {}
    for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    flags = set((fields.get("flags") or fields.get("Features") or "").split())
    known = " ".join(flag for flag in _CPU_FLAGS if flag in flags)
    return f"{fields.get('model name', platform.machine())}; {known}"


def _run(*command: str) -> str:
    """The output of a command, or why it failed; raises nothing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    return lines[-1] if lines and done.returncode else "; ".join(lines)


def _git() -> str:
    changed = _run("git", "status", "--porcelain")
    count = changed.count("; ") + 1 if changed else 0
    return f"{_run('git', 'rev-parse', '--short', 'HEAD')}, {count} changed files"


def _remotes() -> str:
    """Names and kinds of the remotes; no addresses, because an address may contain a secret."""
    listed = _run("dvc", "remote", "list").split("; ")
    names = []
    for name, _, address in (line.strip().partition(" ") for line in listed if line):
        location = address.removesuffix("(default)").strip()
        default = " (default)" if address.endswith("(default)") else ""
        names.append(f"{name}: {_kind(location)}{default}")
    return ", ".join(names) or "none"


def _kind(location: str) -> str:
    if "://" in location:
        return location.split("://")[0]
    return "folder" if Path(location).is_dir() else "folder that is not there"


def _portable(wanted: bool) -> str:
    if not wanted:
        return "runtime.portable is off: training gives the bytes of this kind of processor"
    return f"stages run with {' '.join(f'{name}={value!r}' for name, value in SETTINGS.items())}"


def _cuda() -> str:
    if not torch.cuda.is_available():
        return "none"
    properties = torch.cuda.get_device_properties(0)
    count = torch.cuda.device_count()
    memory = f"{properties.total_memory / 1e9:.0f} GB"
    return f"{count} x {properties.name}, {memory}, CUDA {torch.version.cuda}"


def _space() -> str:
    usage = shutil.disk_usage(".")
    return f"{usage.free / 1e9:.1f} of {usage.total / 1e9:.1f} GB free"


def doctor(params: Params, cpuinfo: Path = Path("/proc/cpuinfo")) -> Iterator[tuple[str, str]]:
    """Yield each topic, and what was found on this machine."""
    yield "system", f"{platform.platform()}, Python {platform.python_version()}"
    yield "python", sys.executable.replace(str(Path.home()), "~")
    yield "packages", ", ".join(map(_version, _PACKAGES))
    yield "processor", f"{cores()} of {os.cpu_count()} cores, {_processor(cpuinfo)}"
    yield "portable", _portable(params.runtime.portable)
    yield "threads", f"runtime.threads {params.runtime.threads}, jobs {params.runtime.jobs}"
    yield "CUDA", _cuda()
    yield "git", _git()
    types = _run("dvc", "config", "cache.type") or "default"
    folder = _run("dvc", "cache", "dir").replace(str(Path.cwd()), ".")
    yield "cache", f"{folder}, type {types}"
    yield "remotes", _remotes()
    yield "space", _space()
