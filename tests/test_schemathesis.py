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
from tests.plugins.courses.school import School

ALWAYS: Final = (
    *("--checks", "all"),
    # Its statuses are fixed, and a cursor or a key may well be refused for what no schema can say.
    *("--exclude-checks", "positive_data_acceptance"),
    *("--seed", "1", "--generation-deterministic", "--no-shrink", "--no-color", "--warnings", "off"),
)
#: Every boundary of every field, once.
COVERAGE: Final = (*ALWAYS, "--phases", "coverage")
#: And further input, made at random.
FUZZING: Final = (*ALWAYS, "--phases", "coverage,fuzzing", "--max-examples", "3")
#: These may end the session of whoever calls them: they have a run of their own, after the others.
ENDING: Final = (
    "/api/v1/auth/accounts/{account_id}/disable",
    "/api/v1/auth/accounts/{account_id}/roles",
    "/api/v1/auth/sessions",
    "/api/v1/auth/sessions/{session_id}",
    "/api/v1/auth/sign-out",
)


@pytest.mark.sqlite_only
@pytest.mark.parametrize("role", ["anonymous", "student"])
async def test_learners_are_answered_as_described(deploy: Deploy, role: str, tmp_path: Path) -> None:
    """Strangers and students, on SQLite."""
    deployment, clients = await open_platform(deploy)

    await explore(deployment, clients[role], COVERAGE, tmp_path)


@pytest.mark.postgresql_only
@pytest.mark.parametrize("role", ["instructor", "admin"])
async def test_teachers_and_administrators_are_answered_as_described(deploy: Deploy, role: str, tmp_path: Path) -> None:
    """Those who write most, on PostgreSQL, which is strict about what it stores."""
    deployment, clients = await open_platform(deploy)

    await explore(deployment, clients[role], FUZZING, tmp_path)


async def open_platform(deploy: Deploy) -> tuple[Deployment, dict[str, Client]]:
    """Return the whole platform with a published course and a draft, and somebody of each role."""
    deployment = await deploy(*Catalogue.read().bundled(), sections={"http": {"unsafe_rate": "1000000/minute"}})
    clients = {
        role: await deployment.sign_in(f"{role}@school.test", roles=(role,))
        for role in ("student", "instructor", "admin")
    }
    school = School(deployment, clients["instructor"], clients["admin"])
    await school.published()
    await school.draft()
    return deployment, {"anonymous": deployment.client(), **clients}


async def explore(deployment: Deployment, client: Client, options: Sequence[str], folder: Path) -> None:
    """Call every route as *client*; fail with what schemathesis found."""
    if client.token is None:
        await run(deployment, options, folder)
        return
    identified = (*options, "--header", f"Authorization: Bearer {client.token}")
    for choice in ("--exclude-path", "--include-path"):
        await run(deployment, (*identified, *(part for path in ENDING for part in (choice, path))), folder)


async def run(deployment: Deployment, options: Sequence[str], folder: Path) -> None:
    """Run schemathesis in *folder* to its end."""
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("schemathesis"),
        *("run", f"{deployment.url}/api/v1/openapi.json", *options),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
