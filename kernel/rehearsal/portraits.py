"""Portraits: what others rely on in the plugins of a deployment, to be compared before and after an upgrade."""

from __future__ import annotations

from typing import Any

import msgspec

from kernel import errors, front
from kernel.discovery import Catalogue, load
from kernel.http.report import routes
from kernel.lifecycle import Platform
from kernel.members import Member
from kernel.testing.schemas import schemas
from kernel.web.declarations import Page


class PluginPortrait(msgspec.Struct, frozen=True, kw_only=True):
    """One plugin that is on, as others see it."""

    version: str
    provides: tuple[str, ...]
    requires: tuple[str, ...]
    wants: tuple[str, ...]
    events: dict[str, dict[str, Any]]  #: wire name → JSON Schema of what it publishes
    listens: tuple[str, ...] = ()  #: wire names of the events that it handles
    routes: dict[str, str] = {}  #: method and path → permission; a WebSocket's method is WS
    pages: tuple[str, ...] = ()
    permissions: dict[str, tuple[str, ...]] = {}  #: name → roles that have it by default
    heads: tuple[str, ...] = ()  #: the newest revisions of its own history; none without tables
    failed: str = ""  #: why it does not run


class Portrait(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment as it would boot, or why it would not."""

    plugins: dict[str, PluginPortrait]
    refused: str = ""  #: why the deployment does not boot
    refused_plugin: str = ""  #: the plugin at fault, if it is one plugin's


def draw(platform: Platform) -> Portrait:
    """Return the portrait of *platform*, which has booted; its application is built once, to see that it can be."""
    plugins = {member.name: _plugin(member) for member in platform.states() if member.manifest}
    try:
        front.build(platform)
    except errors.BootError as error:
        return Portrait(plugins=plugins, refused=error.message, refused_plugin=error.plugin or "")
    return Portrait(plugins=plugins)


def draw_manifests(names: tuple[str, ...], error: errors.BootError) -> Portrait:
    """Return what the manifests of the plugins *names* tell, where *error* keeps the deployment from booting."""
    catalogue, plugins = Catalogue.read(), {}
    for name in names:
        if name not in catalogue:
            continue
        try:
            plugins[name] = _from_manifest(load(catalogue.any(name)).manifest)
        except errors.BootError as own:
            version = catalogue.any(name).version
            plugins[name] = PluginPortrait(
                version=version, provides=(), requires=(), wants=(), events={}, failed=own.message
            )
    return Portrait(plugins=plugins, refused=error.message, refused_plugin=error.plugin or "")


def _from_manifest(manifest: Any) -> PluginPortrait:
    return PluginPortrait(
        version=manifest.version,
        provides=tuple(map(str, manifest.provides)),
        requires=tuple(map(str, manifest.requires)),
        wants=tuple(map(str, manifest.wants)),
        events={name: dict(schema) for name, schema in schemas(manifest.publishes).items()},
    )


def _plugin(member: Member) -> PluginPortrait:
    found = _from_manifest(member.manifest)
    if member.running is None or not member.alive:
        return msgspec.structs.replace(found, failed=member.reason or str(member.state))
    declared = member.running.declarations
    # in the order of `routes`
    permissions = (*(one.permission for one in declared.routes), *(one.permission for one in declared.sockets))
    return msgspec.structs.replace(
        found,
        listens=tuple(sorted({handler.event.name for handler in declared.event_handlers})),
        routes=dict(zip(routes(member), permissions, strict=True)),
        pages=tuple(page.path for page in declared.pages if isinstance(page, Page)),
        permissions={one.name: one.roles for one in member.permissions},
        heads=heads(member),
    )


def heads(member: Member) -> tuple[str, ...]:
    """Return the newest revisions of the plugin's own history; none where it has no tables."""
    from kernel.lifecycle import target

    return tuple(sorted(target(member).histories[-1].heads())) if member.migrations else ()
