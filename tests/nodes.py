"""Names of tests, as pytest writes them: whether there are such tests, without running any."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]


def exists(node: str) -> bool:
    """Return whether *node*, `file::test` or `file::Class::test` or a whole file, is there."""
    file, *names = node.partition("[")[0].split("::")
    if not (ROOT / file).is_file():
        return False
    return not names or names[-1] in _functions(file) or _inherits(file, names)


def _inherits(file: str, names: list[str]) -> bool:
    """Return whether the test may come from one of the kits that the class in *file* is made of."""
    kits = (str(kit.relative_to(ROOT)) for kit in (ROOT / "kernel" / "testing" / "contracts").rglob("*.py"))
    return len(names) == 2 and names[0] in _functions(file) and any(names[1] in _functions(kit) for kit in kits)


@cache
def _functions(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds))
