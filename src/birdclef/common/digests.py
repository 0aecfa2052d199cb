"""SHA-256 keys: equal inputs have equal keys."""

import hashlib
from pathlib import Path


def digest(*parts: object) -> str:
    """Hash of values, in order.

    Args:
        parts: a Path stands for the content of its file; any other value for its repr, which
            must say all of it: plain values, or mappings and lists of plain values.

    Returns:
        64 hexadecimal digits.
    """
    whole = hashlib.sha256()
    for part in parts:
        data = (
            _file_digest(part)
            if isinstance(part, Path)
            else repr(part).encode("utf-8", "surrogateescape")
        )
        whole.update(hashlib.sha256(data).digest())  # of equal length, so that no two lists agree
    return whole.hexdigest()


def _file_digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
