"""SHA-256 keys: equal inputs have equal keys."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel


def fingerprint(params: Iterable[BaseModel], files: Iterable[Path], *extra: object) -> str:
    """Hash of parameter sections, file contents and anything else that has a plain repr."""
    digest = hashlib.sha256(repr(extra).encode())
    for section in params:
        digest.update(section.model_dump_json().encode())
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:32]
