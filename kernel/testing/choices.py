"""What a test's deployment consists of."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from kernel import config, errors
from kernel.config import Config
from kernel.discovery import Catalogue, load
from kernel.plugin import Manifest
from kernel.testing.ends import Place
from kernel.testing.fakes import PluginClass, stand_ins

__all__ = ["Choice", "PluginClass", "Tables"]

Tables = Mapping[str, Mapping[str, object]]

_ENVIRONMENT: Final = {"LYCEUM_TEST_SECRET": "long-enough-and-only-for-tests-of-lyceum"}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Plugins and settings."""

    names: tuple[str, ...]  #: of installed plugins
    plugins: tuple[PluginClass, ...] = ()  #: further ones, given as classes
    settings: Tables | None = None  #: plugin → its settings
    sections: Tables | None = None  #: further sections of the configuration
    environ: Mapping[str, str] = field(default_factory=dict)  #: what settings may refer to

    def classes(self) -> tuple[PluginClass, ...]:
        """Return the classes to add: those given, and the fakes of what is required and nobody provides."""
        return (*self.plugins, *stand_ins((*self._installed(), *(kind.manifest for kind in self.plugins))))

    def config(self, place: Place, *, public_url: str, smtp_port: int) -> Config:
        """Return the configuration of a deployment at *place*."""
        sections: dict[str, dict[str, object]] = {
            "server": {"public_url": public_url, "secret": "env:LYCEUM_TEST_SECRET"},
            "database": {"url": place.database},
            "containment": {"blocked_after": 0},  # a busy machine is no fault of a test's plugins
            "plugins": {"enabled": list(self.names), **self._settings(smtp_port)},
        }
        if place.redis:
            sections["redis"] = {"url": place.redis}
        for name, table in (self.sections or {}).items():
            sections[name] = {**sections.get(name, {}), **table}
        return config.load([], {**self.environ, **_ENVIRONMENT}, sections)

    def _installed(self) -> Iterator[Manifest]:
        catalogue = Catalogue.read()
        for name in self.names:
            if name in catalogue:
                with contextlib.suppress(errors.BootError):  # which the boot reports
                    yield load(catalogue.any(name)).manifest

    def _settings(self, smtp_port: int) -> dict[str, Mapping[str, object]]:
        given = dict(self.settings or {})
        if "mail" in self.names:
            smtp = {"delivery": "smtp", "host": "127.0.0.1", "port": smtp_port, "tls": "none"}
            given["mail"] = {**smtp, **given.get("mail", {})}
        return given
