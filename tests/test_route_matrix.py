"""Every route of every bundled plugin, called by everyone, against `route_matrix.toml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from kernel import front, new_id, web
from kernel.discovery import Catalogue
from kernel.lifecycle import Platform
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from kernel.web.parts import declared

_FILE: Final = tomllib.loads(Path(__file__).with_name("route_matrix.toml").read_text(encoding="utf-8"))
ROLES: Final[tuple[str, ...]] = tuple(_FILE["roles"])
MATRIX: Final[Mapping[str, list[str]]] = _FILE["routes"]
#: These end the caller's own sessions, so they are called last.
LAST: Final = ("DELETE /api/v1/auth/sessions", "POST /api/v1/auth/sign-out")
_PLACEHOLDER: Final = re.compile(r"{[^}]*}")


async def test_every_route_answers_each_role_as_the_matrix_says(deploy: Deploy) -> None:
    """A route without a row fails, and so does a row without a route."""
    deployment = await deploy(*Catalogue.read().bundled(), sections={"http": {"unsafe_rate": "100000/minute"}})
    routes = sorted(set(routes_of(deployment.platform)), key=lambda route: (route in LAST, route))
    clients = await one_of_each(deployment)

    answers = {route: [await call(client, route) for client in clients] for route in routes}

    assert sorted(answers.keys() - MATRIX.keys()) == [], "these routes have no row in route_matrix.toml"
    assert sorted(MATRIX.keys() - answers.keys()) == [], "these rows of route_matrix.toml have no route"
    assert {route: told for route, told in answers.items() if told != MATRIX[route]} == {}


def routes_of(platform: Platform) -> Iterator[str]:
    """Yield method and path of every route and every page."""
    for plugin in front.mounted(platform):
        yield from (f"{route.method} /api/v1/{plugin.mount}{route.path}" for route in plugin.routes)
        yield from (f"GET /api/v1/{plugin.mount}{socket.path}" for socket in plugin.sockets)
    yield from (f"GET {page.path}" for _, page in declared(front.parts(platform), web.Page))


async def one_of_each(deployment: Deployment) -> list[Client]:
    """Return a client for each of `ROLES`."""
    people = [await deployment.sign_in(f"{role}@school.test", roles=(role,)) for role in ROLES[1:]]
    return [deployment.client(), *people]


async def call(client: Client, route: str) -> str:
    """Return what came of calling *route* with ids that nothing has and a body that says nothing."""
    method, _, path = route.partition(" ")
    headers = {"Idempotency-Key": str(uuid4())}
    options: dict[str, Any] = {} if method == "GET" else {"json": {}}
    async with client.request(
        method, _PLACEHOLDER.sub(str(new_id()), path), headers=headers, allow_redirects=False, **options
    ) as answer:
        assert answer.status < 500, f"{route} answered {answer.status}: {await answer.text()}"
        return str(answer.status) if answer.status in (401, 403) else "allowed"
