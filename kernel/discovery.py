"""Discovery: from entry points to the plugin objects of one deployment.

Only what the configuration enables is imported, so that a broken plugin that nobody uses breaks nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import importlib_metadata
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from kernel import errors
from kernel.database.location import PLUGIN_NAME, REHEARSAL
from kernel.plugin import API_VERSION, Manifest, Plugin

GROUP: Final = "lyceum.plugins"
BUNDLE: Final = "lyceum-platform"  # the distribution whose plugins `enabled = ["*"]` means
ALL: Final = "*"
#: Keys of the table `[plugins]`, which no plugin can have as its name.
RESERVED: Final = frozenset({"enabled", "disabled", "optional"})
#: Names that are ours: nothing closes what is counted for the kernel, and the platform has a distribution.
OURS: Final = frozenset({"kernel", "platform"})


@dataclass(frozen=True, kw_only=True)
class Installed:
    """A plugin that could be enabled; nothing of it is imported yet."""

    name: str
    source: str  #: where the class is, such as `plugins.auth:AuthPlugin`
    distribution: str
    version: str
    load: Callable[[], object]

    @property
    def bundled(self) -> bool:
        return self.distribution == BUNDLE


@dataclass(frozen=True, kw_only=True)
class Discovered:
    """An enabled plugin, imported and found to be one."""

    installed: Installed
    plugin: Plugin[Any]
    manifest: Manifest


class Catalogue:
    """Every plugin that is installed, by name."""

    def __init__(self, installed: Iterable[Installed]) -> None:
        self._by_name: dict[str, list[Installed]] = {}
        for one in installed:
            self._by_name.setdefault(one.name, []).append(one)

    @classmethod
    def read(
        cls,
        entry_points: Iterable[importlib_metadata.EntryPoint] | None = None,
        classes: Sequence[type[Plugin[Any]]] = (),
    ) -> Catalogue:
        """Return what the installed distributions offer (or just *entry_points*).

        *classes* given directly take the place of installed plugins of the same name.
        """
        if entry_points is None:
            entry_points = importlib_metadata.entry_points(group=GROUP)
        given = {kind.manifest.name: _from_class(kind) for kind in classes}
        versions = _Versions()
        return cls([*(versions.of(point) for point in entry_points if point.name not in given), *given.values()])

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._by_name))

    def bundled(self) -> tuple[str, ...]:
        return tuple(name for name in self.names() if any(one.bundled for one in self._by_name[name]))

    def get(self, name: str, *, where: str) -> Installed:
        """Return the one plugin called *name*, which *where* in the configuration asks for."""
        found = self._by_name.get(name, [])
        if not found:
            raise errors.UnknownPlugin(f"no installed plugin has this name ({where}); {self._hint(name)}", plugin=name)
        if len(found) > 1:
            first, second = found[:2]
            raise errors.DuplicatePlugin(
                f"the distributions {first.distribution} and {second.distribution} both have a plugin of this name; "
                "uninstall one of them",
                plugin=name,
            )
        return found[0]

    def any(self, name: str) -> Installed:
        """Return one plugin called *name*, which is installed."""
        return self._by_name[name][0]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def _hint(self, name: str) -> str:
        close = difflib.get_close_matches(name, self.names(), n=1)
        if close:
            return f"did you mean '{close[0]}'?"
        return f"install the distribution that has it, or choose among: {', '.join(self.names()) or 'none installed'}"


def choose(
    catalogue: Catalogue, lists: Mapping[str, Sequence[str]], where: Mapping[str, str], *, safe: bool
) -> tuple[str, ...]:
    """Return the names of the plugins that are on, sorted, by the *lists* of `[plugins]`.

    *where* says which file or variable set each list; *safe* leaves out what is not bundled.

    Raises:
        errors.UnknownPlugin: a name in one of the lists is not installed.
    """
    for key, names in lists.items():
        for name in sorted(set(names) - {ALL}):
            catalogue.get(name, where=f"[plugins] {key} in {where[key]}")
    enabled, bundled = set(lists["enabled"]), set(catalogue.bundled())
    if ALL in enabled:
        enabled = enabled - {ALL} | bundled
    if safe:
        enabled &= bundled
    return tuple(sorted(enabled - set(lists["disabled"])))


def load(installed: Installed) -> Discovered:
    """Import the plugin and make its one object.

    Raises:
        errors.PluginImportFailed: its module or its class raised.
        errors.InvalidPlugin: it is not a plugin, or its manifest is wrong.
        errors.IncompatiblePlugin: it was made for another kernel.
    """
    kind = _import(installed)
    if not (isinstance(kind, type) and issubclass(kind, Plugin)):
        raise errors.InvalidPlugin(
            f"{installed.source} is {kind!r}; the entry point must name a subclass of kernel.Plugin",
            plugin=installed.name,
        )
    manifest = getattr(kind, "manifest", None)
    if not isinstance(manifest, Manifest):
        raise errors.InvalidPlugin(
            f"{installed.source} has no manifest; set `manifest = Manifest(name=…)`", plugin=installed.name
        )
    _check_name(installed, manifest)
    _check_api(installed.name, manifest)
    try:
        plugin = kind()
    except Exception as error:
        raise _import_failed(installed, error) from error
    return Discovered(installed=installed, plugin=plugin, manifest=manifest)


def _import(installed: Installed) -> object:
    try:
        return installed.load()
    except (Exception, SystemExit) as error:
        raise _import_failed(installed, error) from error


def _import_failed(installed: Installed, error: BaseException) -> errors.PluginImportFailed:
    return errors.PluginImportFailed(
        f"{installed.source} of {installed.distribution} can not be imported: {type(error).__name__}: {error}; "
        "mend it, or name the plugin under [plugins] disabled",
        plugin=installed.name,
    )


def _check_name(installed: Installed, manifest: Manifest) -> None:
    if manifest.name != installed.name:
        raise errors.InvalidPlugin(
            f"the entry point is called '{installed.name}' but the manifest of {installed.source} says "
            f"'{manifest.name}'; give both the same name",
            plugin=installed.name,
        )
    if (refusal := name_refusal(manifest.name)) is not None:
        raise errors.InvalidPlugin(refusal, plugin=installed.name)


def name_refusal(name: str) -> str | None:
    """Return why no plugin can be called *name*, and what to do; None where one can."""
    if PLUGIN_NAME.fullmatch(name) and name not in RESERVED | OURS and not name.endswith(REHEARSAL):
        return None
    return (
        f"'{name}' can not be the name of a plugin; use lower-case letters, digits and hyphens, such as early-bird, "
        f"no {REHEARSAL} at the end, and none of: {', '.join(sorted(RESERVED | OURS))}"
    )


def _check_api(name: str, manifest: Manifest) -> None:
    try:
        fits = SpecifierSet(manifest.kernel_api).contains(API_VERSION)
    except InvalidSpecifier as error:
        raise errors.InvalidPlugin(
            f"its kernel_api is '{manifest.kernel_api}'; write a range such as '>=1,<2'", plugin=name
        ) from error
    if not fits:
        raise errors.IncompatiblePlugin(
            f"version {manifest.version} is made for kernel API {manifest.kernel_api}, this is {API_VERSION}; "
            "install a version of the plugin that fits",
            plugin=name,
        )


class _Versions:
    """Reads each distribution's name and version once, however many plugins it ships: it is a parse of its metadata."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[str, str]] = {}

    def of(self, point: importlib_metadata.EntryPoint) -> Installed:
        distribution, version = self._facts(point)
        return Installed(
            name=point.name, source=point.value, distribution=distribution, version=version, load=point.load
        )

    def _facts(self, point: importlib_metadata.EntryPoint) -> tuple[str, str]:
        distribution = point.dist
        if distribution is None:
            return "an unknown distribution", ""
        if id(distribution) not in self._known:
            self._known[id(distribution)] = (distribution.name, distribution.version)
        return self._known[id(distribution)]


def _from_class(kind: type[Plugin[Any]]) -> Installed:
    return Installed(
        name=kind.manifest.name,
        source=f"{kind.__module__}:{kind.__qualname__}",
        distribution="none (given directly)",
        version=kind.manifest.version,
        load=lambda: kind,
    )
