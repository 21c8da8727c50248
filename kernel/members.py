"""One plugin's life within a deployment: what is known of it, and the state it is in."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kernel import errors
from kernel.context import Context
from kernel.database.location import DatabaseSettings
from kernel.declarations import Declarations
from kernel.discovery import Installed
from kernel.plugin import Manifest, Migrations, Permission, Plugin
from kernel.settings import NoSettings, Settings
from kernel.tasks import PluginTasks
from kernel.traces import Traces

if TYPE_CHECKING:
    from kernel.database.opening import OpenDatabase


class State(enum.StrEnum):
    """How far a plugin has come."""

    DISABLED = "disabled"
    DISCOVERED = "discovered"
    CONFIGURED = "configured"
    MIGRATED = "migrated"
    STARTED = "started"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, kw_only=True)
class Running:
    """What a configured plugin has at hand."""

    context: Context[Any]
    database: OpenDatabase
    tasks: PluginTasks
    declarations: Declarations
    traces: Traces


@dataclass(kw_only=True)
class Member:
    """One installed plugin; `plugin` and `manifest` are None where it was never imported."""

    installed: Installed
    state: State = State.DISABLED
    reason: str | None = None  #: why it is disabled or failed
    optional: bool = False
    plugin: Plugin[Any] | None = None
    manifest: Manifest | None = None
    mount: str = ""  #: its routes are under `/api/v1/<mount>`
    settings: Settings = field(default_factory=NoSettings)
    migrations: Migrations | None = None
    permissions: tuple[Permission, ...] = ()
    database: DatabaseSettings | None = None
    running: Running | None = None
    seconds: float = 0.0  #: how long its start took

    @property
    def name(self) -> str:
        return self.installed.name

    @property
    def alive(self) -> bool:
        """Return whether it is on and has not failed."""
        return self.state not in (State.DISABLED, State.FAILED)

    def equipped(self) -> Running:
        """Return what it has at hand; only a plugin that is on has anything."""
        if self.running is None:
            raise RuntimeError(f"{self.name} is {self.state}")
        return self.running

    @contextmanager
    def trying(self) -> Iterator[None]:
        """Do something that may fail: an optional plugin is marked failed, a required one refuses."""
        try:
            yield
        except errors.BootError as error:
            if not self.optional:
                raise
            self.fail(error.message)

    def fail(self, reason: str) -> None:
        self.state, self.reason = State.FAILED, reason
