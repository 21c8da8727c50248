"""Every route against its own description: schemathesis calls the whole platform over HTTP, as each role.

Input of every kind, good and bad: nothing is answered by 500, nothing by a status, header or body that the OpenAPI
document does not know, bad input is refused, and what asks for a token does not go without.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from kernel.discovery import Catalogue
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from kernel.testing.ends import EndName
from tests.plugins.courses.school import School
from tests.test_route_matrix import MATRIX, ROLES

OPTIONS: Final = (
    *("--checks", "all"),
    # Its statuses are fixed, and a cursor or a key may well be refused for what no schema can say.
    *("--exclude-checks", "positive_data_acceptance"),
    *("--seed", "1", "--generation-deterministic"),
    *("--no-shrink", "--no-color", "--warnings", "off"),
)
#: On PostgreSQL, which is strict about what it stores, every boundary of every field; on SQLite input made at random.
PHASES: Final[dict[EndName, tuple[str, ...]]] = {
    "postgresql": ("--phases", "coverage"),
    "sqlite": ("--phases", "fuzzing", "--max-examples", "3"),
}
OFTEN: Final = "1000000/minute"
#: These may end the session of whoever calls them: they are called last.
ENDING: Final = (
    "DELETE /api/v1/auth/sessions",
    "DELETE /api/v1/auth/sessions/{session_id}",
    "DELETE /api/v1/auth/accounts/{account_id}/sessions",
    "DELETE /api/v1/auth/accounts/{account_id}/sessions/{session_id}",
    "POST /api/v1/auth/accounts/{account_id}/disable",
    "POST /api/v1/auth/sign-out",
    "PUT /api/v1/auth/accounts/{account_id}/roles",
)


@pytest.mark.parametrize("role", ROLES)
async def test_every_route_answers_as_described(deploy: Deploy, end: EndName, role: str, tmp_path: Path) -> None:
    """Each role calls what it may call and the one before it may not."""
    deployment, clients = await open_platform(deploy)
    routes, options = opened_to(role), (*OPTIONS, *PHASES[end])

    for chosen in ([one for one in routes if one not in ENDING], [one for one in routes if one in ENDING]):
        if chosen:
            await explore(deployment, clients[role], (*options, *including(chosen)), tmp_path)


def opened_to(role: str) -> list[str]:
    """Return the routes of the API that *role* is the first to be allowed."""
    place = ROLES.index(role)
    return [
        route
        for route, answers in MATRIX.items()
        if "/api/" in route and answers[place] == "allowed" and "allowed" not in answers[:place]
    ]


async def open_platform(deploy: Deploy) -> tuple[Deployment, dict[str, Client]]:
    """Return the whole platform with a published course and a draft, and somebody of each role."""
    deployment = await deploy(
        *Catalogue.read().bundled(),
        sections={"http": {"unsafe_rate": OFTEN}},
        settings={
            "payments": {"redeem_per_person": [OFTEN], "redeem_per_address": [OFTEN]},
            "enrollments": {"voucher_tries_per_person": [OFTEN], "voucher_tries_per_address": [OFTEN]},
        },
    )
    clients = {
        role: await deployment.sign_in(f"{role}@school.test", roles=(role,))
        for role in ("student", "instructor", "admin")
    }
    school = School(deployment, clients["instructor"], clients["admin"])
    await school.published()
    await school.draft()
    return deployment, {"anonymous": deployment.client(), **clients}


def including(routes: Sequence[str]) -> list[str]:
    """Return the options that choose *routes*."""
    return [part for route in routes for part in ("--include-name", route)]


async def explore(deployment: Deployment, client: Client, options: Sequence[str], folder: Path) -> None:
    """Let schemathesis call routes as *client*, from *folder*; fail with what it found."""
    identified = ("--header", f"Authorization: Bearer {client.token}") if client.token else ()
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("schemathesis"),
        *("run", f"{deployment.url}/api/v1/openapi.json", *options, *identified),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
