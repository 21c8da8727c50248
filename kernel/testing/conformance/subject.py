"""The plugin under examination, and how it is booted: alone but for what it requires, on databases of its own."""

from __future__ import annotations

import importlib
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from kernel import errors
from kernel.capabilities import Capability
from kernel.clock import Clock, SystemClock
from kernel.discovery import Catalogue, Discovered, Installed, load
from kernel.events.event import Event
from kernel.lifecycle import Platform
from kernel.members import Member
from kernel.plugin import Manifest, Migrations
from kernel.resolution import capabilities
from kernel.sources import PREFIX, SEPARATOR
from kernel.testing.choices import Choice
from kernel.testing.ends import End, Place
from kernel.testing.fakes import Finder, PluginClass, fake_of, stand_ins


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One plugin and what is known of it before anything runs."""

    discovered: Discovered
    others: tuple[Installed, ...]  #: the other installed plugins
    stand_ins: tuple[PluginClass, ...]  #: who provides what it requires
    end: End
    settings: Mapping[str, object] = field(default_factory=dict)  #: of `[plugins.<name>]`
    samples: Sequence[Event] = ()  #: events to try its handlers with, in place of made-up ones

    @property
    def name(self) -> str:
        return self.discovered.manifest.name

    @property
    def manifest(self) -> Manifest:
        return self.discovered.manifest

    @property
    def installed(self) -> Installed:
        return self.discovered.installed

    @property
    def module(self) -> ModuleType:
        """The module that the entry point names."""
        return importlib.import_module(self.installed.source.partition(":")[0])

    def files(self) -> tuple[Path, list[Path]]:
        """Return the folder of its code and the Python files there; of a plugin that is one module, that one."""
        module = self.module
        file = Path(str(module.__file__))
        if not module.__package__:
            return file.parent, [file]
        return file.parent, sorted(file.parent.rglob("*.py"))

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Return what the names of its permissions begin with: its own, or a capability's that it provides."""
        names = (self.name, *sorted(one.name for one in capabilities(self.manifest)))
        return tuple(f"{name}." for name in dict.fromkeys(names))

    @property
    def event_prefixes(self) -> tuple[str, ...]:
        """Return what the wire names of its events begin with, in which there are no hyphens."""
        return tuple(prefix.replace("-", "_") for prefix in self.prefixes)

    async def place(self) -> Place:
        """Return where a new, empty database is."""
        place = self.end.reserve()
        await self.end.fill(place, ())
        return place

    def boot(self, place: Place, *, clock: Clock | None = None) -> Platform:
        """Boot the plugin with nobody but who provides what it requires.

        Raises:
            errors.BootError: why it does not boot so.
        """
        kinds = (type(self.discovered.plugin), *self.stand_ins)
        chosen = {str(one): self.name for one in capabilities(self.manifest)}
        choice = Choice(
            names=(),
            plugins=kinds,
            settings={self.name: self.settings},
            sections={"providers": chosen},
            environ=_secrets_only(os.environ),
        )
        config = choice.config(place, public_url="http://127.0.0.1:8080", smtp_port=0)
        return Platform.boot(config, entry_points=(), plugins=kinds, clock=clock or SystemClock())

    @asynccontextmanager
    async def running(
        self, place: Place, *, background: bool, clock: Clock | None = None
    ) -> AsyncIterator[tuple[Platform, Member]]:
        """Run what `boot` boots while the block runs.

        Raises:
            errors.BootError: why it does not start.
        """
        platform = self.boot(place, clock=clock)
        await platform.migrate()
        async with platform.running(background=background):
            yield platform, alive(platform, self.name)


@dataclass(frozen=True, kw_only=True)
class Booted:
    """The subject after its boot, with what it declared."""

    subject: Subject
    member: Member

    @property
    def migrations(self) -> Migrations | None:
        return self.member.migrations


def alive(platform: Platform, name: str) -> Member:
    """Return the plugin called *name*, which an optional one's failure does not keep from being looked at.

    Raises:
        errors.StartFailed: it is optional and failed.
    """
    member = platform.assembly.members[name]
    if not member.alive:
        raise errors.StartFailed(str(member.reason), plugin=name)
    return member


def find_subject(
    catalogue: Catalogue,
    installed: Installed,
    end: End,
    *,
    settings: Mapping[str, object] | None = None,
    samples: Sequence[Event] = (),
) -> Subject:
    """Return the plugin *installed*, to be examined on *end*.

    Raises:
        errors.BootError: it can not be imported, or is no plugin.
    """
    discovered = load(installed)
    return Subject(
        discovered=discovered,
        others=tuple(catalogue.any(name) for name in catalogue.names() if name != installed.name),
        stand_ins=stand_ins([discovered.manifest], _finder(catalogue, installed.name)),
        end=end,
        settings=settings or {},
        samples=samples,
    )


def _finder(catalogue: Catalogue, subject: str) -> Finder:
    """Return what finds a provider: the fake, else an installed plugin, a bundled one first."""

    def find(capability: Capability[Any]) -> PluginClass | None:
        return fake_of(capability) or next(filter(None, (_provider(name, capability) for name in names)), None)

    def _provider(name: str, capability: Capability[Any]) -> PluginClass | None:
        try:
            found = load(catalogue.any(name))
        except errors.BootError:  # it could not provide anything
            return None
        return type(found.plugin) if capability in found.manifest.provides else None

    names = [name for name in dict.fromkeys((*catalogue.bundled(), *catalogue.names())) if name != subject]
    return find


def _secrets_only(environ: Mapping[str, str]) -> dict[str, str]:
    """Return *environ* without the deployment's own settings; what settings refer to stays."""
    return {name: value for name, value in environ.items() if not (name.startswith(PREFIX) and SEPARATOR in name)}
