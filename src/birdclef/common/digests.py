"""SHA-256 keys: equal inputs give equal keys, different inputs give different keys."""

import hashlib
from pathlib import Path


def digest(*parts: object) -> str:
    """Hash values in the order given.

    Args:
        parts: The content of the file is hashed for a Path, the repr for any other value. The repr
            must contain the whole value: pass plain values, or mappings and lists of plain values.

    Returns:
        The key, as 64 hexadecimal digits.
    """
    key = hashlib.sha256()
    for part in parts:
        data = (
            _file_digest(part)
            if isinstance(part, Path)
            else repr(part).encode("utf-8", "surrogateescape")
        )
        # Digests have equal length, so different lists of parts never join to the same bytes.
        key.update(hashlib.sha256(data).digest())
    return key.hexdigest()


def _file_digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
