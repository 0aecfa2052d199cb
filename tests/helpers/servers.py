"""Run real storage servers on loopback; the extra `remotes-test` installs them."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

USER, PASSWORD = "someone", "a-password"
_PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


class Store(NamedTuple):
    """A running server: its URL, its port, and the options to set with `dvc remote modify`."""

    url: str
    options: dict[str, str]
    port: int


def _binary(name: str, module: str) -> str:
    found = shutil.which(name, path=_PATH)
    if not found or not find_spec(module):
        pytest.skip(f"{name} and {module} come with the extra remotes-test: make test-remotes")
    return found


def _free_ports(count: int) -> list[int]:
    """Ports that are free now, and whose port + 10000 is free too: SeaweedFS uses it for gRPC."""
    ports: list[int] = []
    while len(ports) < count:
        with socket.socket() as low, socket.socket() as high:
            low.bind(("127.0.0.1", 0))
            port = low.getsockname()[1]
            try:
                high.bind(("127.0.0.1", port + 10000))
            except (OSError, OverflowError):
                continue
            ports.append(port)
    return ports


@contextmanager
def _running(command: list[str], log: Path, ready: Callable[[], object]) -> Iterator[None]:
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            _wait(process, log, ready)
            yield
        finally:
            process.kill()


def _wait(process: "subprocess.Popen[bytes]", log: Path, ready: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            ready()
            return
        except Exception as error:
            if process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"the server did not start:\n{log.read_text()}") from error
            time.sleep(0.1)


@contextmanager
def webdav(folder: Path) -> Iterator[Store]:
    """Serve a folder over WebDAV."""
    rclone = _binary("rclone", "dvc_webdav")
    (port,) = _free_ports(1)
    (folder / "birdclef").mkdir(parents=True, exist_ok=True)
    address = f"127.0.0.1:{port}"
    command = [rclone, "serve", "webdav", str(folder), "--addr", address]
    command += ["--user", USER, "--pass", PASSWORD, "--config", os.devnull]
    with _running(
        command,
        folder.with_suffix(".log"),
        lambda: socket.create_connection(("127.0.0.1", port)).close(),
    ):
        yield Store(f"webdav://{address}/birdclef", {"user": USER, "password": PASSWORD}, port)


@contextmanager
def s3(folder: Path) -> Iterator[Store]:
    """Serve a folder as an S3 store with one bucket."""
    weed = _binary("weed", "dvc_s3")
    folder.mkdir(parents=True)
    ports = dict(zip(("master", "volume", "filer", "s3"), _free_ports(4), strict=True))
    credentials = [{"accessKey": USER, "secretKey": PASSWORD}]
    identity = {"name": USER, "credentials": credentials, "actions": ["Admin", "Read", "Write"]}
    (config := folder.with_suffix(".json")).write_text(json.dumps({"identities": [identity]}))
    command = [weed, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3"]
    command += [f"-s3.config={config}", "-master.volumeSizeLimitMB=64"]
    command += [f"-{name}.port={port}" for name, port in ports.items()]
    endpoint = f"http://127.0.0.1:{ports['s3']}"

    def make_bucket() -> None:
        from s3fs import S3FileSystem

        client = {"endpoint_url": endpoint}
        S3FileSystem(key=USER, secret=PASSWORD, client_kwargs=client).mkdir("bucket")

    with _running(command, folder.with_suffix(".log"), make_bucket):
        keys = {"access_key_id": USER, "secret_access_key": PASSWORD}
        yield Store("s3://bucket/birdclef", {"endpointurl": endpoint} | keys, ports["s3"])


@contextmanager
def stopping(store: Store, after: int) -> Iterator[Store]:
    """The same store behind a proxy that breaks permanently after `after` bytes."""
    left, broken = [after], threading.Event()

    def pass_on(source: socket.socket, target: socket.socket) -> None:
        with source, target, suppress(OSError):
            while (data := source.recv(4096)) and not broken.is_set():
                left[0] -= len(data)
                if left[0] < 0:
                    broken.set()
                    proxy.close()
                    return
                target.sendall(data)

    def accept() -> None:
        with suppress(OSError):
            while True:
                near, _ = proxy.accept()
                far = socket.create_connection(("127.0.0.1", store.port))
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=pass_on, args=pair, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as proxy:
        threading.Thread(target=accept, daemon=True).start()
        here, there = f":{proxy.getsockname()[1]}", f":{store.port}"
        options = {name: value.replace(there, here) for name, value in store.options.items()}
        yield store._replace(url=store.url.replace(there, here), options=options)
        assert broken.is_set(), f"the transfer ended before the proxy broke at {after} bytes"
