"""The rules for the borders between plugins: whose code is imported, whose tables are referred to, what is shipped."""

from __future__ import annotations

import ast
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import importlib_metadata

from kernel.discovery import BUNDLE, Installed
from kernel.testing.conformance.subject import Booted, Subject
from kernel.testing.conformance.verdicts import Finding, broken, not_checked

#: Top-level packages that are the platform's.
OURS: Final = frozenset({"kernel", "plugins"})


def isolation(subject: Subject) -> Iterator[Finding]:
    """It imports no other plugin."""
    own = subject.installed.source.partition(":")[0]
    others = {_package(one, own) for one in subject.others} - {own}
    folder, files = subject.files()
    for file in files:
        package = _package_of(file, folder, subject.module.__package__ or "")
        for module in sorted(set(_imports(ast.parse(file.read_text(encoding="utf-8")), package))):
            if any(module == other or module.startswith(f"{other}.") for other in others):
                name = file.relative_to(folder)
                yield broken(f"{name} imports {module}, another plugin; use its capability, a contribution or an event")


def foreign_keys(booted: Booted) -> Iterator[Finding]:
    """No foreign key leaves the plugin's own tables."""
    metadata = booted.migrations.metadata if booted.migrations else None
    for table in metadata.tables.values() if metadata is not None else ():
        if table.schema:
            yield broken(f"{table.fullname} names a schema; leave it out, the platform gives the plugin its own")
        for key in table.foreign_keys:
            target = key.target_fullname.rpartition(".")[0]
            if metadata is not None and target not in metadata.tables:
                column = f"{table.name}.{key.parent.name}"
                yield broken(f"{column} refers to {target}, which is no table of its own; keep the bare id, and events")


def distribution(subject: Subject) -> Iterator[Finding]:
    """What is installed with it brings no package that is the platform's."""
    name = subject.installed.distribution
    if name == BUNDLE:
        return
    try:
        shipped = _top_level(importlib_metadata.Distribution.from_name(name))
    except importlib_metadata.PackageNotFoundError:
        yield not_checked("no distribution brings the plugin; install it, in development with `pip install -e .`")
        return
    if not shipped:
        yield not_checked(f"{name} does not say which files it has installed; install it with pip")
    for package in sorted(shipped & OURS):
        yield broken(
            f"{name} ships a top-level package {package!r}, which is the platform's; give it a name of its own"
        )


def _package(installed: Installed, own: str) -> str:
    """Return the package that belongs to another plugin: its distribution's, as far as that is not *own* as well."""
    module = installed.source.partition(":")[0]
    top = module.partition(".")[0]
    return module if top == own.partition(".")[0] else top


def _package_of(file: Path, folder: Path, package: str) -> str:
    return ".".join([package, *file.relative_to(folder).parent.parts]) if package else ""


def _imports(tree: ast.Module, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = _resolved("." * node.level + (node.module or ""), package)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and (name := _imported_by(node)):
            yield _resolved(name, package)


def _imported_by(call: ast.Call) -> str:
    """Return the module that a call such as `import_module("plugins.mail")` names; "" for any other call."""
    function = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    named = function in ("import_module", "__import__") and call.args and isinstance(call.args[0], ast.Constant)
    return str(call.args[0].value) if named and isinstance(call.args[0], ast.Constant) else ""


def _resolved(module: str, package: str) -> str:
    try:
        return importlib.util.resolve_name(module, package)
    except ImportError:  # it leads out of every package, and would not run
        return module


def _top_level(found: importlib_metadata.Distribution) -> set[str]:
    """Return the names of the packages and modules that can be imported because of it."""
    files = [Path(str(file)) for file in found.files or ()]
    if not _is_editable(found):
        return {_module(file) for file in files if file.suffix == ".py" and ".." not in file.parts}
    paths = [Path(str(found.locate_file(file))) for file in files if file.suffix == ".pth"]
    folders = [Path(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
    named = (found.read_text("top_level.txt") or "").split()
    return {*named, *(_module(file.relative_to(folder)) for folder in folders for file in _modules(folder))}


def _is_editable(found: importlib_metadata.Distribution) -> bool:
    told = json.loads(found.read_text("direct_url.json") or "{}")
    return bool(told.get("dir_info", {}).get("editable"))


def _modules(folder: Path) -> Iterator[Path]:
    """Yield what a folder on the path lets import; a line of a `.pth` file that is code names no folder."""
    if folder.is_dir():
        yield from folder.glob("*.py")
        yield from folder.glob("*/__init__.py")


def _module(file: Path) -> str:
    return file.parts[0].removesuffix(".py")
