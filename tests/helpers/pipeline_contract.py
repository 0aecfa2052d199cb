"""What a stage's script really uses, read from its source: modules and parameters."""

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

SOURCE = Path("src/birdclef")

# What no stage depends on, because it shapes no result. An edit of these re-runs nothing.
LEFT_OUT = {
    SOURCE / "params.py": "which values are allowed; what they are, DVC tracks in params.yaml",
    SOURCE / "errors.py": "how a program ends when something is wrong",
    SOURCE / "progress.py": "what the screen shows",
}


def _module_file(module: str) -> Path:
    return Path("src") / (module.replace(".", "/") + ".py")


@cache
def _imports(path: Path) -> frozenset[Path]:
    """Files of this package that a file imports itself."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module)
            modules |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(f for f in map(_module_file, modules) if f.exists() and SOURCE in f.parents)


def import_closure(path: Path) -> set[Path]:
    """A file and all that it imports from this package, directly or not."""
    found, open_files = set(), [path]
    while open_files:
        file = open_files.pop()
        if file not in found:
            found.add(file)
            open_files += _imports(file)
    return found


def expand(deps: Iterable[str]) -> set[Path]:
    """The modules of code deps, files and folders; package files hold no code."""
    paths = [Path(dep) for dep in deps if dep.startswith("src/")]
    files = {file for path in paths for file in (path.rglob("*.py") if path.is_dir() else [path])}
    return {file for file in files if file.name != "__init__.py"}


def code_deps(script: Path) -> list[str]:
    """The code deps that a stage needs: rooms, single files, and its script last."""
    used = import_closure(script) - {script} - set(LEFT_OUT)
    rooms = {file.parent if file.parent != SOURCE else file for file in used}
    return [str(path) for path in [*sorted(rooms), script]]


def params_read(path: Path) -> set[str]:
    """Longest chains `params.section[.key]` in a script, each without those inside it."""
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
    return {c for c in chains if not any(c.startswith(f"{other}.") for other in chains)}


def block(key: str, values: Iterable[str]) -> str:
    """Part of a stage as dvc.yaml has it, to be pasted there."""
    return "\n".join([f"    {key}:", *(f"      - {value}" for value in values)])
