"""Update the figures of README.md and docs/: the text between two marks is generated.

In a document, a line such as `<!-- figures: metrics/kept.json sources -->` requests figures, and
`<!-- end of figures -->` ends them. The name of a part may contain spaces. The figures come from
a file, or from a table that code generates (`_FROM_CODE`).

A recipe recipes/<name>-ensemble.yaml is generated too: it differs from recipes/<name>.yaml in its
first comment and in its section `models`, which are its own.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from birdclef.cli import param_effects
from birdclef.common.files import write_bytes
from birdclef.common.nested import flatten
from birdclef.common.tables import read_own
from birdclef.index.layouts import COMPETITION, EXTRAS
from birdclef.predict.formats import FORMATS

_BLOCK = re.compile(
    r"(<!-- figures: (\S+)(?: ([^\n]+?))? -->\n).*?(<!-- end of figures -->)", re.DOTALL
)


_ENSEMBLE = "-ensemble"
_OWN = re.compile(r"\A(?:#.*\n)+|^models:.*\n(?:[ #].*\n)*", re.MULTILINE)
# sections of the parameters that belong to the method, as docs/method.md compares them
METHOD = (
    *("index", "folds", "models", "clips", "mel", "train"),
    *("train_l1", "pseudo_label", "train_l2"),
)


class FiguresError(ValueError):
    """A document asks for figures that do not exist; the message names both."""


def documents(folder: Path = Path()) -> list[Path]:
    """README.md of a repository, every document in its docs/, and the generated recipes."""
    recipes = (folder / "recipes").glob(f"*{_ENSEMBLE}.yaml")
    return [folder / "README.md", *sorted((folder / "docs").glob("*.md")), *sorted(recipes)]


def filled(document: Path) -> str:
    """The text of a document with up-to-date figures, or of a recipe with up-to-date values.

    Raises:
        FiguresError: a file or part of it is missing.
    """
    if document.suffix == ".yaml":
        return _ensemble(document)

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


def _ensemble(recipe: Path) -> str:
    """The text of the recipe without `-ensemble`, with the first comment and models of this one."""
    base = recipe.with_name(recipe.name.replace(_ENSEMBLE, ""))
    own = _OWN.findall(recipe.read_text(encoding="utf-8"))
    text = base.read_text(encoding="utf-8")
    if not len(own) == len(_OWN.findall(text)) == 2:
        raise FiguresError(
            f"{recipe} and {base} must each begin with a comment and have one section models,"
            " because these two parts are not copied from one to the other"
        )
    parts = iter(own)
    return _OWN.sub(lambda _: next(parts), text)


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


def _demo() -> str:
    """The method's keys whose value in params.yaml is not that of the recipe."""
    files = ("recipes/birdclef-2024.yaml", "params.yaml")
    texts = [Path(file).read_text(encoding="utf-8") for file in files]
    recipe, demo = (dict(flatten(yaml.safe_load(text))) for text in texts)
    keys = [key for key in recipe if key.split(".")[0] in METHOD and demo[key] != recipe[key]]
    rows = [[f"`{key}`", *(f"`{json.dumps(v[key])}`" for v in (recipe, demo))] for key in keys]
    return _table(["key", "recipe", "demo"], rows)


_FROM_CODE: dict[str, Callable[[], str]] = {
    "demo": _demo,
    "formats": _formats,
    "invalidation": param_effects.table,
    "sources": _sources,
}
