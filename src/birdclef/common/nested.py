"""Flatten nested mappings such as params.yaml and the metrics files."""

from collections.abc import Iterator, Mapping
from typing import Any


def flatten(
    values: Mapping[str, Any], separator: str = ".", prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    """Yield (joined name, value) per value that is not a mapping, in order; a list is a value."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, separator, f"{prefix}{name}{separator}")
        else:
            yield f"{prefix}{name}", value
