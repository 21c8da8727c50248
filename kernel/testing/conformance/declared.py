"""The rules for what a plugin declares: manifest, hooks, events, permissions, routes, revisions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from packaging.version import InvalidVersion, Version

from kernel import errors
from kernel.database.migrations import History
from kernel.hooks import Hooks
from kernel.http.signatures import read_signature
from kernel.testing.conformance.subject import Booted, Subject
from kernel.testing.conformance.verdicts import Finding, broken

CONTRACTS: Final = "kernel.contracts"


def manifest(subject: Subject) -> Iterator[Finding]:
    """It is complete and can be understood; that its name is the entry point's was seen when it was loaded."""
    found = subject.manifest
    if not found.summary:
        yield broken("set `summary` in the manifest: one sentence for those who choose plugins")
    if "<" not in found.kernel_api:
        yield broken(f"kernel_api '{found.kernel_api}' admits kernels to come; add an upper bound such as '<2'")
    try:
        Version(found.version)
    except InvalidVersion:
        yield broken(f"version '{found.version}' is not one of PEP 440; write it as '1.2.0'")


def hooks(subject: Subject) -> Iterator[Finding]:
    """Every hook is one that the kernel knows, and takes what it is given."""
    try:
        Hooks().add(subject.name, subject.discovered.plugin)
    except errors.UnknownHook as error:
        yield broken(error.message)


def events(booted: Booted) -> Iterator[Finding]:
    """Events of its own bear its name."""
    subject = booted.subject
    for event in subject.manifest.publishes:
        if not event.__module__.startswith(f"{CONTRACTS}.") and not event.name.startswith(subject.event_prefixes):
            own = subject.event_prefixes[0]
            yield broken(f"the event '{event.name}' bears a name that belongs to others; begin it with '{own}'")


def permissions(booted: Booted) -> Iterator[Finding]:
    """Permissions bear its name and say what they allow; that every route has one was seen at boot."""
    prefixes = booted.subject.prefixes
    for permission in booted.member.permissions:
        if not permission.name.startswith(prefixes):
            yield broken(f"the permission '{permission.name}' must begin with one of: {', '.join(prefixes)}")
        if not permission.summary:
            yield broken(f"say in the `summary` of '{permission.name}' what it allows")


def routes(booted: Booted) -> Iterator[Finding]:
    """Each can be served and says what it is for."""
    for route in booted.member.equipped().declarations.routes:
        if not route.summary:
            yield broken(
                f"give the handler of {route.method} {route.path or '/'} a docstring: it is the route's documentation"
            )
        try:
            read_signature(booted.subject.name, route)
        except errors.InvalidDeclaration as error:
            yield broken(error.message)
    for socket in booted.member.equipped().declarations.sockets:
        if not socket.summary:
            yield broken(f"give the opener of the socket {socket.path} a docstring: it is the socket's documentation")


def revisions(booted: Booted) -> Iterator[Finding]:
    """Each goes both ways and bears the plugin's name, and they form one line."""
    migrations, prefix = booted.migrations, booted.subject.name.replace("-", "_")
    if migrations is None:
        return
    history = History("alembic_version", migrations.revisions, migrations.metadata)
    for file in sorted(set(history.folder.glob("*.py")) - {history.folder / "__init__.py"}):
        yield from _revision(file, prefix)
    if len(heads := history.heads()) > 1:
        yield broken(f"the revisions {', '.join(sorted(heads))} are all the last; let each follow the one before")


def _revision(file: Path, prefix: str) -> Iterator[Finding]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    if not {"upgrade", "downgrade"} <= functions:
        yield broken(f"{file.name} needs both `upgrade` and `downgrade`")
    if not file.stem.startswith(prefix):
        yield broken(f"begin the name of {file.name} with '{prefix}'")
