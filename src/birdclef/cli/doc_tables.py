"""Update the figures of README.md and docs/: the text between two marks is generated.

In a document, a line such as `<!-- figures: metrics/kept.json sources -->` requests figures, and
`<!-- end of figures -->` ends them. The name of a part may contain spaces. The figures come from
a file, or from a table that code generates (`_FROM_CODE`).
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from birdclef.cli import param_effects
from birdclef.common.files import write_bytes
from birdclef.common.nested import flatten
from birdclef.common.tables import read_own
from birdclef.index.layouts import COMPETITION, EXTRAS
from birdclef.predict.formats import FORMATS

_BLOCK = re.compile(
    r"(<!-- figures: (\S+)(?: ([^\n]+?))? -->\n).*?(<!-- end of figures -->)", re.DOTALL
)


class FiguresError(ValueError):
    """A document asks for figures that do not exist; the message names both."""


def documents(folder: Path = Path()) -> list[Path]:
    """README.md of a repository, and every document in its docs/."""
    return [folder / "README.md", *sorted((folder / "docs").glob("*.md"))]


def filled(document: Path) -> str:
    """The text of a document with up-to-date figures.

    Raises:
        FiguresError: a file or part of it is missing.
    """

    def fill(block: re.Match[str]) -> str:
        start, source, part, end = block.groups()
        try:
            return f"{start}{_figures(source, part or '')}\n{end}"
        except (FileNotFoundError, KeyError) as error:
            raise FiguresError(f"{document} asks for figures: {source} {part}: {error}") from None

    return _BLOCK.sub(fill, document.read_text(encoding="utf-8"))


def fill_all(folder: Path = Path()) -> list[Path]:
    """Update every document of a repository whose figures have changed; returns these documents."""
    changed = []
    for document in documents(folder):
        text = filled(document)
        if text != document.read_text(encoding="utf-8"):
            write_bytes(text.encode(), document)
            changed.append(document)
    return changed


def _figures(source: str, part: str) -> str:
    if source in _FROM_CODE:
        return _FROM_CODE[source]()
    path = Path(source)
    if path.suffix == ".csv":
        frame = read_own(path)
        return _table(list(frame.columns), frame.to_numpy().tolist())
    values = json.loads(path.read_text(encoding="utf-8"))
    return _json_table(values[part] if part else values)


def _json_table(values: Mapping[str, Any]) -> str:
    rows = list(values.values())
    if rows and all(isinstance(row, dict) for row in rows):
        columns = list(dict.fromkeys(name for row in rows for name in row))
        cells = [[name, *(_text(row.get(c, "")) for c in columns)] for name, row in values.items()]
        return _table(["", *columns], cells)
    return _table(["", ""], [[name, _text(value)] for name, value in flatten(values, " / ")])


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(inner)}" for name, inner in flatten(value, " / "))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _formats() -> str:
    rows = [
        [f"`{name}`", form.what, f"`{form.suffix}`" if form.suffix else ""]
        for name, form in FORMATS.items()
    ]
    return _table(["`--format`", "output", "suffix of `--out` that selects it"], rows)


def _sources() -> str:
    rows = [
        [", ".join(f"`{name}`" for name in (x.source, *x.aliases)), f"`{x.table}`", f"`{x.audio}`"]
        for x in (COMPETITION, *EXTRAS)
    ]
    return _table(
        [
            "folder, or its short name",
            "table in it",
            "folder in it that contains `<label>/<recording>`",
        ],
        rows,
    )


_FROM_CODE: dict[str, Callable[[], str]] = {
    "formats": _formats,
    "invalidation": param_effects.table,
    "sources": _sources,
}
