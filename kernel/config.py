"""The configuration of a deployment: typed sections, each plugin's settings, and every mistake in them at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from kernel import errors
from kernel.annotations import quote
from kernel.containment.settings import ContainmentSettings
from kernel.conversion import Mistake, Reader, Reading
from kernel.database.location import DatabaseSettings
from kernel.deployment import Deployment
from kernel.discovery import RESERVED
from kernel.events.settings import EventSettings
from kernel.http.operators import OperationsSettings
from kernel.http.settings import HttpSettings
from kernel.secrets import MINIMUM_LENGTH, Secrets, kept_secret
from kernel.sections import SECTIONS, DatabaseSection, LogSettings, PluginsSettings, RedisSettings, ServerSettings
from kernel.settings import Settings
from kernel.sources import Leaf, Node, Table, gather, origins

S = TypeVar("S", bound=Settings)

SECRET_FILE: Final = "secret"  # in the folder of the SQLite files  # noqa: S105


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that an administrator has set. Sections with a mistake hold their defaults until `check`."""

    server: ServerSettings
    database: DatabaseSection
    redis: RedisSettings
    plugins: PluginsSettings
    providers: Mapping[str, str]
    log: LogSettings
    events: EventSettings
    http: HttpSettings
    containment: ContainmentSettings
    operations: OperationsSettings
    mistakes: tuple[Mistake, ...]
    tree: Table
    environ: Mapping[str, str]

    def where(self, section: str, key: str) -> str:
        """Return the file or variable that set *key*."""
        table = self.tree.get(section)
        node = table.get(key) if isinstance(table, dict) else None
        return origins(node) if node is not None else "the defaults"

    def deployment(self) -> Deployment:
        """Return what every plugin may know."""
        server = self.server
        return Deployment(
            name=server.name, public_url=server.url(), currency=server.currency, development=server.development
        )

    def plugin_settings(self, plugin: str, kind: type[S]) -> Reading[S]:
        """Return `[plugins.<plugin>]` as a *kind*."""
        own = {key: node for key, node in self._plugin_table(plugin).items() if key != "database"}
        return Reader(self.environ).section(kind, own, f"plugins.{plugin}")

    def plugin_database(self, plugin: str) -> Reading[DatabaseSettings]:
        """Return the plugin's own database settings, else those of `[database]`."""
        own = self._plugin_table(plugin).get("database", {})
        table = own if isinstance(own, dict) else {"database": own}
        shared = _section(self.tree, "database")
        reading = Reader(self.environ).section(DatabaseSection, shared | table, f"plugins.{plugin}.database")
        if not table or reading.value is None:
            return Reading(_database(self.database), reading.mistakes if table else ())
        return Reading(_database(reading.value))

    def strangers(self, known: Iterable[str]) -> tuple[Mistake, ...]:
        """Return a mistake for each `[plugins.<name>]` that none of the *known* plugins has."""
        names = set(known)
        return tuple(
            Mistake(
                section=f"plugins.{name}",
                key="",
                complaint="belongs to no installed plugin",
                origin=origins(node),
                remedy="install the plugin, mend the name, or remove the section",
            )
            for name, node in self._plugins().items()
            if isinstance(node, dict) and name not in RESERVED and name not in names
        )

    def _plugins(self) -> Table:
        found = self.tree.get("plugins", {})
        return found if isinstance(found, dict) else {}

    def _plugin_table(self, plugin: str) -> Table:
        found = self._plugins().get(plugin, {})
        return found if isinstance(found, dict) else {}


def load(
    files: Sequence[Path] = (),
    environ: Mapping[str, str] = os.environ,
    overrides: Mapping[str, object] | None = None,
) -> Config:
    """Read the configuration: *files* in order, then *environ*, then *overrides* (nested as in TOML).

    Mistakes are collected in the result, so that they can be reported together with those of the plugins.

    Raises:
        errors.InvalidSettings: a file can not be read.
    """
    tree = gather(files, environ, overrides or {})
    reader = Reader(environ)
    values: dict[str, Any] = {}
    mistakes = [mistake for name, node in tree.items() for mistake in _check_section(name, node)]
    for name, kind in SECTIONS.items():
        reading: Reading[Settings] = reader.section(kind, _section(tree, name), name)
        values[name] = kind() if reading.value is None else reading.value
        mistakes.extend(reading.mistakes)
    providers = reader.mapping(_section(tree, "providers"), "providers")
    config = Config(
        **values,
        providers=providers.value or {},
        mistakes=(*mistakes, *providers.mistakes),
        tree=tree,
        environ=environ,
    )
    return replace(config, mistakes=config.mistakes + tuple(_across_sections(config)))


def check(mistakes: Sequence[Mistake]) -> None:
    """Refuse when there are *mistakes*.

    Raises:
        errors.InvalidSettings: the message lists all of them.
    """
    if mistakes:
        count = "a setting is wrong" if len(mistakes) == 1 else f"{len(mistakes)} settings are wrong"
        raise errors.InvalidSettings("\n- ".join([f"{count}:", *map(str, mistakes)]))


def deployment_secrets(config: Config) -> Secrets:
    """Return the keys of the deployment; with SQLite a secret is made and kept when none is configured.

    Call it after `check`: with PostgreSQL a configuration without a secret is a mistake.
    """
    if config.server.secret is not None:
        return Secrets(config.server.secret.reveal().encode())
    folder = config.database.folder()
    if folder is None:
        raise errors.InvalidSettings(str(_secret_mistake("is not set", None)))
    return Secrets(kept_secret(folder / SECRET_FILE))


def _database(section: DatabaseSection) -> DatabaseSettings:
    return DatabaseSettings(url=str(section.url), pool_size=section.pool_size)


def _section(tree: Table, name: str) -> Table:
    found = tree.get(name, {})
    if isinstance(found, Leaf):
        return {}
    if name == "plugins":  # its tables belong to the plugins
        return {key: node for key, node in found.items() if isinstance(node, Leaf) or key in RESERVED}
    return found


def _check_section(name: str, node: Node) -> Iterator[Mistake]:
    known = (*SECTIONS, "providers")
    complaint, remedy = "is not a section", f"the sections are: {', '.join(known)}"
    if name in known:
        complaint, remedy = "is one value", f"write a table, [{name}]"
    if name not in known or isinstance(node, Leaf):
        yield Mistake(section=name, key="", complaint=complaint, origin=origins(node), remedy=remedy)


def _across_sections(config: Config) -> Iterator[Mistake]:
    secret = config.server.secret
    if secret is not None and len(secret.reveal().encode()) < MINIMUM_LENGTH:
        yield _secret_mistake("is too short", config.where("server", "secret"))
    if secret is None and config.database.folder() is None and not _mentions_secret(config):
        yield _secret_mistake("is not set", None)
    if config.server.workers > 1 and config.redis.url is None:
        yield Mistake(
            section="server",
            key="workers",
            complaint=f"is {config.server.workers}",
            origin=config.where("server", "workers"),
            remedy="more than one process needs Redis; set [redis] url, or 1 worker",
        )
    if config.server.development and (key := config.server.opening()):
        yield _open_development(config, key)


def _open_development(config: Config, key: str) -> Mistake:
    return Mistake(
        section="server",
        key="development",
        complaint=f"is true and {key} is {quote(getattr(config.server, key))}",
        origin=", ".join(dict.fromkeys(config.where("server", one) for one in ("development", key))),
        remedy="whoever comes from another machine would read everybody's sign-in codes in the mailbox; "
        'set development = false, or host = "127.0.0.1" and no public_url',
    )


def _mentions_secret(config: Config) -> bool:
    return "secret" in _section(config.tree, "server")  # wrong, and reported as such already


def _secret_mistake(complaint: str, origin: str | None) -> Mistake:
    return Mistake(
        section="server",
        key="secret",
        complaint=complaint,
        origin=origin,
        remedy=f'refer to at least {MINIMUM_LENGTH} random bytes, such as "env:LYCEUM_SECRET" '
        "(`openssl rand -hex 32` makes some)",
    )
