"""Assembly: discover, resolve and configure, without touching a database or the network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import importlib_metadata
import msgspec

from kernel import config as configuration
from kernel import errors
from kernel.config import Config
from kernel.conversion import Mistake
from kernel.declarations import check_events, check_permissions
from kernel.discovery import Catalogue, Discovered, Installed, choose, load
from kernel.events.event import Event
from kernel.hooks import Hooks
from kernel.members import Member, State
from kernel.plugin import Manifest, Migrations, Permission, Plugin
from kernel.resolution import AnyCapability, Resolution, capabilities, resolve
from kernel.settings import NoSettings, Settings


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """The plugins of a deployment, configured and in the order in which they start."""

    config: Config
    hooks: Hooks
    members: Mapping[str, Member]  #: all that are installed, by name
    resolution: Resolution
    roles: Mapping[str, frozenset[str]]

    def check_requirements(self, member: Member) -> None:
        """Refuse *member* when the provider of something that it requires has failed.

        Raises:
            errors.MissingCapability: which one, and why.
        """
        for capability in member.manifest.requires if member.manifest else ():
            provider = self.members[self.resolution.providers[capability]]
            if not provider.alive:
                raise errors.MissingCapability(
                    f"it requires {capability}, whose provider {provider.name} failed: {provider.reason}",
                    plugin=member.name,
                )

    def published(self) -> Mapping[str, type[Event]]:
        """Return the events that the plugins that are on publish, by their wire names."""
        manifests = [member.manifest for member in self.order() if member.alive and member.manifest]
        return {event.name: event for manifest in manifests for event in manifest.publishes}

    def order(self) -> tuple[Member, ...]:
        """Return the plugins that run, dependencies first."""
        return tuple(self.members[name] for name in self.resolution.order)


def assemble(
    config: Config,
    *,
    safe: bool = False,
    entry_points: Iterable[importlib_metadata.EntryPoint] | None = None,
    plugins: Sequence[type[Plugin[Any]]] = (),
) -> Assembly:
    """Find, order and configure the plugins that *config* enables, and *plugins* given directly.

    Raises:
        errors.BootError: the one reason why the deployment can not start.
    """
    configuration.check([mistake for mistake in config.mistakes if mistake.section in ("plugins", "providers")])
    catalogue = Catalogue.read(entry_points, plugins)
    hooks = Hooks()
    members = _discover(config, catalogue, hooks, [kind.manifest.name for kind in plugins], safe=safe)
    resolution = _resolve(config, catalogue, members, safe=safe)
    running = [members[name] for name in resolution.order]
    _configure(config, catalogue, hooks, running)
    roles = _admit(running)
    assembly = Assembly(config=config, hooks=hooks, members=members, resolution=resolution, roles=roles)
    for member in running:
        with member.trying():
            assembly.check_requirements(member)
    return assembly


def _discover(
    config: Config, catalogue: Catalogue, hooks: Hooks, given: Sequence[str], *, safe: bool
) -> dict[str, Member]:
    lists: dict[str, tuple[str, ...]] = msgspec.structs.asdict(config.plugins)
    where = {key: config.where("plugins", key) for key in lists}
    chosen = choose(catalogue, {**lists, "enabled": (*lists["enabled"], *given)}, where, safe=safe)
    members = {}
    for name in catalogue.names():
        if name not in chosen:
            reason = "left out by --safe" if safe and name in lists["enabled"] else "not enabled"
            members[name] = Member(installed=catalogue.any(name), reason=reason)
            continue
        found = catalogue.get(name, where=f"[plugins] enabled in {where['enabled']}")
        member = members[name] = Member(installed=found, optional=name in lists["optional"], state=State.DISCOVERED)
        with member.trying():
            _take(member, load(found), hooks)
    return members


def _take(member: Member, discovered: Discovered, hooks: Hooks) -> None:
    member.manifest = discovered.manifest
    member.optional = member.optional or discovered.manifest.optional
    hooks.add(member.name, discovered.plugin)
    member.plugin = discovered.plugin


def _resolve(config: Config, catalogue: Catalogue, members: Mapping[str, Member], *, safe: bool) -> Resolution:
    manifests = {name: member.manifest for name, member in members.items() if member.alive and member.manifest}
    choices = {
        capability: name
        for capability, name in config.providers.items()
        if not (safe and name in catalogue and not catalogue.any(name).bundled)
    }

    def could_provide(capability: AnyCapability) -> Iterator[str]:
        return (
            name
            for name, member in members.items()
            if member.state is State.DISABLED and capability in _provided(member.installed)
        )

    resolution = resolve(manifests, choices, could_provide=could_provide)
    for name, reason in resolution.set_aside.items():
        members[name].state, members[name].reason = State.DISABLED, reason
    for name, reason in resolution.unmet.items():
        members[name].fail(reason)
    for name in resolution.order:
        members[name].mount = _mount(manifests[name], resolution)
    return resolution


def _provided(installed: Installed) -> tuple[AnyCapability, ...]:
    try:
        return capabilities(load(installed).manifest)
    except errors.BootError:  # it would not start either
        return ()


def _mount(manifest: Manifest, resolution: Resolution) -> str:
    chosen = (one.name for one in capabilities(manifest) if resolution.providers.get(one) == manifest.name)
    return next(chosen, manifest.name)


def _configure(config: Config, catalogue: Catalogue, hooks: Hooks, running: Sequence[Member]) -> None:
    mistakes = [*config.mistakes, *config.strangers(catalogue.names())]
    for member in running:
        with member.trying():
            found = _settings(config, hooks, member)
            if found and member.optional:
                configuration.check(found)
            mistakes.extend(found)
            member.migrations = _migrations(hooks, member.name)
            member.permissions = hooks.many(member.name, "permissions", Permission)
            member.state = State.CONFIGURED
    configuration.check(mistakes)


def _settings(config: Config, hooks: Hooks, member: Member) -> list[Mistake]:
    kind = hooks.one(member.name, "settings") or NoSettings
    if not (isinstance(kind, type) and issubclass(kind, Settings)):
        raise errors.InvalidDeclaration(
            f"its hook 'settings' returned {kind!r}; return a subclass of kernel.Settings", plugin=member.name
        )
    settings = config.plugin_settings(member.name, kind)
    database = config.plugin_database(member.name)
    member.settings = settings.value or member.settings
    member.database = database.value
    return [*settings.mistakes, *database.mistakes]


def _migrations(hooks: Hooks, name: str) -> Migrations | None:
    found = hooks.one(name, "migrations")
    if found is not None and not isinstance(found, Migrations):
        raise errors.InvalidDeclaration(
            f"its hook 'migrations' returned {found!r}; return a kernel.Migrations or None", plugin=name
        )
    return found


def _admit(running: Iterable[Member]) -> Mapping[str, frozenset[str]]:
    """Check the plugins against each other and return the roles; an optional one gives way to a required one."""
    admitted: list[Member] = []
    roles = _check_together(admitted)
    for member in sorted(running, key=lambda one: one.optional):
        if member.alive:
            with member.trying():
                roles = _check_together([*admitted, member])
                admitted.append(member)
    return roles


def _check_together(members: Sequence[Member]) -> Mapping[str, frozenset[str]]:
    _check_mounts(members)
    check_events(member.manifest for member in members if member.manifest)
    return check_permissions({member.name: member.permissions for member in members})


def _check_mounts(running: Iterable[Member]) -> None:
    owners: dict[str, str] = {}
    for member in running:
        owner = owners.setdefault(member.mount, member.name)
        if owner != member.name:
            raise errors.InvalidDeclaration(
                f"its routes and those of {owner} would both be under /api/v1/{member.mount}; disable one of the two",
                plugin=member.name,
            )
