"""What a stage's script really uses, read from its source: modules and parameters."""

import ast
from functools import cache
from pathlib import Path

SOURCE = Path("src/birdclef")


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
