"""What `lyceum up` prints once it serves: where to go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kernel import front
from kernel.http.routes import PUBLIC
from kernel.sections import authority
from kernel.web.parts import navigation

if TYPE_CHECKING:
    from kernel.lifecycle import Platform


def welcome(platform: Platform, port: int) -> Iterator[str]:
    """Return a line for the deployment, which serves on *port*, and one for each place that is open to everybody."""
    server = platform.config.server
    host = "127.0.0.1" if server.host in ("0.0.0.0", "::") else server.host  # noqa: S104 - compared
    url = f"http://{authority(host, port)}"
    yield f"\n{server.name} is at {url}"
    for entry in navigation(front.parts(platform)):
        if entry.permission == PUBLIC:
            yield f"  {entry.label:<8} {url}{entry.path}"
    yield "Stop with Ctrl-C."
