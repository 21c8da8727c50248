"""The rules of the house that every plugin keeps, ours or a stranger's: what `lyceum plugins check` looks at."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from packaging.version import InvalidVersion, Version

from kernel import errors
from kernel.cli.console import Console
from kernel.cli.editing import Lists
from kernel.discovery import Catalogue, Installed, load
from kernel.http.signatures import read_signature
from kernel.members import Member
from kernel.plugin import Manifest
from kernel.resolution import capabilities


class Verdict(msgspec.Struct, frozen=True):
    """What came of one rule: `kept`, `broken` or `not checked`."""

    rule: str
    verdict: str
    remedy: str = ""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A plugin under examination, booted with the deployment as if it were on."""

    member: Member
    manifest: Manifest
    others: tuple[str, ...]  #: packages of the other installed plugins

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Return what the names of its events and permissions begin with."""
        names = {self.member.name, *(one.name for one in self.manifest.provides)}
        return tuple(f"{name}." for name in sorted(names))


def check_plugin(console: Console, name: str) -> list[Verdict]:
    """Return the verdict on each rule; a plugin that does not boot can not be checked any further."""
    catalogue = Catalogue.read()
    installed = catalogue.get(name, where="the command line")
    try:
        subject = _subject(console, catalogue, installed)
    except errors.BootError as error:
        return [Verdict("boot", "broken", str(error)), *(Verdict(rule, "not checked") for rule in RULES)]
    return [Verdict("boot", "kept"), *(verdict for rule in RULES for verdict in _judge(rule, subject))]


def _subject(console: Console, catalogue: Catalogue, installed: Installed) -> Subject:
    manifest = load(installed).manifest
    lists = console.load().plugins
    switched = Lists(enabled=lists.enabled, disabled=lists.disabled).switched(
        on=[installed.name], off=[], bundled=catalogue.bundled()
    )
    chosen = {str(capability): installed.name for capability in capabilities(manifest)}
    plugins = {"enabled": switched.enabled, "disabled": switched.disabled}
    member = console.boot({"plugins": plugins, "providers": chosen}).assembly.members[installed.name]
    if not member.alive:
        raise errors.StartFailed(str(member.reason), plugin=member.name)
    others = [catalogue.any(name) for name in catalogue.names() if name != installed.name]
    return Subject(member=member, manifest=manifest, others=tuple(_package(one) for one in others))


def _judge(rule: str, subject: Subject) -> Iterator[Verdict]:
    remedies = list(RULES[rule](subject))
    yield from (Verdict(rule, "broken", remedy) for remedy in remedies)
    if not remedies:
        yield Verdict(rule, "kept")


def _manifest(subject: Subject) -> Iterator[str]:
    manifest = subject.manifest
    if not manifest.summary:
        yield "set `summary` in the manifest: one sentence for those who choose plugins"
    if "<" not in manifest.kernel_api:
        yield f"kernel_api '{manifest.kernel_api}' admits kernels to come; add an upper bound such as '<2'"
    try:
        Version(manifest.version)
    except InvalidVersion:
        yield f"version '{manifest.version}' is not one of PEP 440; write it as '1.2.0'"


def _events(subject: Subject) -> Iterator[str]:
    for event in subject.manifest.publishes:
        for name in (event.name,) if not event.__module__.startswith("kernel.contracts") else ():
            if not name.startswith(subject.prefixes):
                yield f"the event '{name}' bears a name that belongs to others; begin it with '{subject.prefixes[0]}'"


def _permissions(subject: Subject) -> Iterator[str]:
    for permission in subject.member.permissions:
        if not permission.name.startswith(subject.prefixes):
            yield f"the permission '{permission.name}' must begin with one of: {', '.join(subject.prefixes)}"
        if not permission.summary:
            yield f"say in the `summary` of '{permission.name}' what it allows"


def _routes(subject: Subject) -> Iterator[str]:
    for route in subject.member.running.declarations.routes if subject.member.running else ():
        if not route.summary:
            yield f"give the handler of {route.method} {route.path or '/'} a docstring: it is the route's documentation"
        try:
            read_signature(subject.member.name, route)
        except errors.InvalidDeclaration as error:
            yield error.message


def _migrations(subject: Subject) -> Iterator[str]:
    migrations, prefix = subject.member.migrations, subject.member.name.replace("-", "_")
    for folder in migrations.revisions.__path__ if migrations else ():
        files = set(Path(folder).glob("versions/*.py")) - {Path(folder, "versions", "__init__.py")}
        for file in sorted(files):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            if not {"upgrade", "downgrade"} <= functions:
                yield f"{file.name} needs both `upgrade` and `downgrade`"
            if not file.stem.startswith(prefix):
                yield f"begin the name of {file.name} with '{prefix}'"


def _isolation(subject: Subject) -> Iterator[str]:
    own = _package(subject.member.installed)
    folder = Path(str(__import__(own, fromlist=["_"]).__file__)).parent
    for file in sorted(folder.rglob("*.py")):
        for module in _imports(ast.parse(file.read_text(encoding="utf-8"))):
            if any(module == other or module.startswith(f"{other}.") for other in subject.others):
                name = file.relative_to(folder)
                yield f"{name} imports {module}, another plugin; use its capability, a contribution or an event"


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _package(installed: Installed) -> str:
    return installed.source.partition(":")[0]


#: Each yields a remedy for every breach.
RULES: Final[Mapping[str, Callable[[Subject], Iterator[str]]]] = {
    "manifest": _manifest,
    "events": _events,
    "permissions": _permissions,
    "routes": _routes,
    "migrations": _migrations,
    "isolation": _isolation,
}
