"""What can go wrong while a deployment boots, and what to do about each.

    LyceumError
    ├── BootError                  one readable reason why the deployment does not start
    │   ├── UnknownPlugin
    │   ├── DuplicatePlugin
    │   ├── PluginImportFailed
    │   ├── InvalidPlugin
    │   ├── IncompatiblePlugin
    │   ├── UnknownHook
    │   ├── MissingCapability
    │   ├── AmbiguousProvider
    │   ├── UnknownProvider
    │   ├── CapabilityCycle
    │   ├── InvalidSettings
    │   ├── InvalidDeclaration
    │   ├── MigrationFailed
    │   ├── DatabaseBehind
    │   └── StartFailed
    ├── CapabilityUnavailable      a service was asked for and nobody provides it now
    └── DatabaseError
        ├── RowMissing
        ├── UniqueViolation
        ├── ConstraintViolation
        ├── InvalidValue           the database can not hold a value
        └── DatabaseUnavailable
            └── TransactionConflict

What a caller of the HTTP API did wrong is a `kernel.http.problems.Problem`, also a `LyceumError`.
"""

from __future__ import annotations


class LyceumError(Exception):
    """The root of every error that Lyceum raises on purpose."""


class BootError(LyceumError):
    """The deployment can not start; the message names the plugin, the offender and the remedy."""

    def __init__(self, message: str, *, plugin: str | None = None) -> None:
        self.plugin = plugin
        self.message = message
        super().__init__(f"{plugin}: {message}" if plugin else message)


class UnknownPlugin(BootError):
    """Install the distribution that ships the plugin, or mend the name in the configuration."""


class DuplicatePlugin(BootError):
    """Uninstall one of the two distributions; a plugin name belongs to one of them only."""


class PluginImportFailed(BootError):
    """Mend the import error in the plugin, or disable the plugin."""


class InvalidPlugin(BootError):
    """The entry point must name a subclass of `kernel.Plugin` whose manifest bears the entry point's name."""


class IncompatiblePlugin(BootError):
    """Install a version of the plugin that is made for this kernel."""


class UnknownHook(BootError):
    """Mend the name of the hook; the kernel calls only the hooks that `kernel.Plugin` has."""


class MissingCapability(BootError):
    """Enable a plugin that provides the capability."""


class AmbiguousProvider(BootError):
    """Choose one provider under `[providers]`."""


class UnknownProvider(BootError):
    """Name an enabled plugin that provides the capability under `[providers]`."""


class CapabilityCycle(BootError):
    """Turn one of the requirements of the cycle into a `wants` or an event."""


class InvalidSettings(BootError):
    """Mend every setting that the message lists."""


class InvalidDeclaration(BootError):
    """Mend what the plugin returned from the hook that the message names."""


class MigrationFailed(BootError):
    """Mend the revision that failed; nothing of it has been applied."""


class DatabaseBehind(BootError):
    """Run `lyceum migrate`, which brings every database up to date."""


class StartFailed(BootError):
    """Mend what the plugin's service or lifespan raised."""


class CapabilityUnavailable(LyceumError):
    """The capability has no running provider; look at `lyceum plugins list`."""

    def __init__(self, capability: str, reason: str) -> None:
        self.capability = capability
        self.reason = reason
        super().__init__(f"{capability} is not available: {reason}")


class DatabaseError(LyceumError):
    """The database refused a statement."""


class RowMissing(DatabaseError):
    """A query that must find a row found none."""


class UniqueViolation(DatabaseError):
    """The row exists already; *constraint* names the constraint (PostgreSQL) or the columns (SQLite)."""

    def __init__(self, constraint: str) -> None:
        self.constraint = constraint
        super().__init__(f"unique constraint {constraint} violated")


class ConstraintViolation(DatabaseError):
    """A check, a foreign key or a not-null constraint refused the row."""


class DatabaseUnavailable(DatabaseError):
    """The connection was lost or could not be made; during a commit its outcome is unknown."""


class InvalidValue(DatabaseError):
    """A value is too large for its column, or text holds what text can not hold, such as a zero byte."""


class TransactionConflict(DatabaseUnavailable):
    """Another transaction was in the way and nothing was changed; run the whole transaction again."""
