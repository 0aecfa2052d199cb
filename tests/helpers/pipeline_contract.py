"""Find the modules and parameters that a stage's script really uses, by reading its source."""

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

SOURCE = Path("src/birdclef")

# Modules that no stage depends on, with the reason. They shape no result, so that an edit of one
# re-runs nothing.
LEFT_OUT = {
    SOURCE / "param_types.py": "only which values are allowed, as params.py",
    SOURCE / "params.py": "only which values are allowed; DVC tracks the values in params.yaml",
    SOURCE / "stages/__main__.py": "how a stage is started; what it sets is in common/portable.py",
    SOURCE / "errors.py": "only how a program ends after an error",
    SOURCE / "progress.py": "only what the screen shows",
}


def _module_file(module: str) -> Path:
    return Path("src") / (module.replace(".", "/") + ".py")


@cache
def _imports(path: Path) -> frozenset[Path]:
    """Files of this package that a file imports directly."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module)
            modules |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(f for f in map(_module_file, modules) if f.exists() and SOURCE in f.parents)


def import_closure(path: Path) -> set[Path]:
    """A file and all files that it imports from this package, directly or indirectly."""
    found, to_visit = set(), [path]
    while to_visit:
        file = to_visit.pop()
        if file not in found:
            found.add(file)
            to_visit += _imports(file)
    return found


def expand(deps: Iterable[str]) -> set[Path]:
    """The modules of code deps, which are files or folders, except `__init__.py` files."""
    paths = [Path(dep) for dep in deps if dep.startswith("src/")]
    files = {file for path in paths for file in (path.rglob("*.py") if path.is_dir() else [path])}
    return {file for file in files if file.name != "__init__.py"}


def code_deps(script: Path) -> list[str]:
    """The code deps that a stage needs: packages, single files, and last its script."""
    used = import_closure(script) - {script} - set(LEFT_OUT)
    deps = {file.parent if file.parent != SOURCE else file for file in used}
    return [str(path) for path in [*sorted(deps), script]]


def params_read(path: Path) -> set[str]:
    """The chains `params.section[.key]` that a script reads, without the leading `params.`.

    A key is left out if the script also reads its whole section.
    """
    chains = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and id(node) not in inner:
            parts: list[str] = []
            value: ast.expr = node
            while isinstance(value, ast.Attribute):
                parts.insert(0, value.attr)
                value = value.value
            if isinstance(value, ast.Name) and value.id == "params":
                chains.add(".".join(parts))
    return {c for c in chains if not any(c.startswith(f"{shorter}.") for shorter in chains)}


def block(key: str, values: Iterable[str]) -> str:
    """A key of a stage and its values in the syntax of dvc.yaml, ready to paste there."""
    return "\n".join([f"    {key}:", *(f"      - {value}" for value in values)])
