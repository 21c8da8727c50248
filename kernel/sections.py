"""The sections of the configuration: what an administrator may set, but for what belongs to the plugins."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec

from kernel.containment.settings import ContainmentSettings
from kernel.events.settings import EventSettings
from kernel.http.operators import OperationsSettings
from kernel.http.settings import HttpSettings
from kernel.settings import Secret, Settings, Url

#: An ISO 4217 code.
Currency = Annotated[
    str,
    msgspec.Meta(pattern=r"^[A-Z]{3}$(?!\n)", description='a three-letter ISO code in capitals such as "EUR"'),
]


class ServerSettings(Settings, frozen=True):
    """`[server]`: the deployment and the socket it listens on."""

    name: str = "Lyceum"
    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8080
    public_url: str = ""
    workers: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    development: bool = False
    secret: Secret | None = None
    currency: Currency = "EUR"  #: in which everything is priced and paid

    def url(self) -> str:
        """Return where people reach the deployment, without a slash at the end."""
        return self.public_url.rstrip("/") or f"http://{authority(self.host, self.port)}"

    def opening(self) -> str | None:
        """Return the key that lets other machines in, None where only this one is served."""
        if not _is_local(self.host):
            return "host"
        return "public_url" if self.public_url and not _is_local(_hostname(self.public_url)) else None


def authority(host: str, port: int) -> str:
    """Return *host* and *port* as they stand in a URL and name a socket: an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # nobody can reach it, so nobody knows who could
        return ""


class DatabaseSection(Settings, frozen=True):
    """`[database]`, and `[plugins.<name>.database]` where a plugin has its own."""

    url: Url = Url("sqlite:///var")
    pool_size: Annotated[int, msgspec.Meta(ge=1, le=100)] = 4

    def __post_init__(self) -> None:
        if not self.url.startswith(("sqlite:///", "postgresql://")):
            raise ValueError("the url must begin with sqlite:/// or postgresql://")

    def folder(self) -> Path | None:
        """Return the folder of the SQLite files, None with PostgreSQL."""
        scheme, _, rest = self.url.partition(":///")
        return Path(rest) if scheme == "sqlite" else None


class RedisSettings(Settings, frozen=True):
    """`[redis]`: without a url the deployment is one process."""

    url: Url | None = None


class PluginsSettings(Settings, frozen=True):
    """The keys of `[plugins]` itself: which plugins are on, and which of them may fail."""

    enabled: tuple[str, ...] = ("*",)
    disabled: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


class LogSettings(Settings, frozen=True):
    """`[log]`: `auto` is `console` in development and `json` otherwise."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


#: Section → its type; `[providers]` has free keys, and so no type.
SECTIONS: Final[Mapping[str, type[Settings]]] = {
    "server": ServerSettings,
    "database": DatabaseSection,
    "redis": RedisSettings,
    "plugins": PluginsSettings,
    "log": LogSettings,
    "events": EventSettings,
    "http": HttpSettings,
    "containment": ContainmentSettings,
    "operations": OperationsSettings,
}
