"""The directory: administrators find people by the beginning of a name or an address."""

from __future__ import annotations

import pytest

from kernel import new_id
from kernel.contracts.auth import UserDisabled
from kernel.contracts.users import USERS as USERS_CAPABILITY
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from tests.plugins.users.people import USERS, AccountsPlugin, registered, tell

NAMES = ("Ada", "adam", "Émile", "Straße", "Zoe")


async def school(deploy: Deploy) -> tuple[Deployment, Client]:
    """Return a deployment with some people, and an administrator."""
    deployment = await deploy("users", plugins=[AccountsPlugin])
    people = [registered(name, *(("instructor",) if name == "adam" else ())) for name in NAMES]
    await tell(deployment, *people, UserDisabled(user_id=people[-1].user_id))
    return deployment, deployment.client(role="admin")


async def names(client: Client, query: str = "") -> list[str]:
    return [item["display_name"] for item in (await client.call("GET", f"{USERS}?{query}"))["items"]]


FOUND = {
    "": ["Ada", "adam", "Straße", "Zoe", "Émile"],
    "search=AD": ["Ada", "adam"],
    "search=adam@EX": ["adam"],
    "search=STRASSE": ["Straße"],
    "search=e%CC%81m": ["Émile"],
    "search=%25": [],
    "search=_": [],
    "search=%20ada%20": ["Ada", "adam"],
    "role=instructor": ["adam"],
    "role=admin": [],
    "active=false": ["Zoe"],
    "active=true&role=student&search=a": ["Ada"],
    "limit=1&search=a": ["Ada"],
}


async def test_people_are_found(deploy: Deploy) -> None:
    """Whatever the case and composition of the letters; filters combine."""
    _, admin = await school(deploy)

    assert {query: await names(admin, query) for query in FOUND} == FOUND


async def test_pages_hold_everybody_once(deploy: Deploy) -> None:
    """Also people of the same name."""
    deployment, admin = await school(deploy)
    await tell(deployment, *(registered("Ada", email=f"ada{number}@example.org") for number in range(5)))
    found, cursor = [], ""
    while True:
        answer = await admin.call("GET", f"{USERS}?limit=3{cursor}")
        found += [item["id"] for item in answer["items"]]
        if answer["next"] is None:
            break
        cursor = f"&cursor={answer['next']}"

    assert len(found) == len(set(found)) == 10


@pytest.mark.sqlite_only
async def test_wrong_query_is_refused(deploy: Deploy) -> None:
    """With 422, or 400 for a cursor that is none."""
    _, admin = await school(deploy)
    wrong = ("search=" + "a" * 200, "role=A!", "active=perhaps", "limit=0", "name=a")

    for query, expected in {**dict.fromkeys(wrong, 422), "cursor=x": 400}.items():
        await admin.call("GET", f"{USERS}?{query}", expect=expected)


@pytest.mark.sqlite_only
async def test_only_administrators_see_the_directory(deploy: Deploy) -> None:
    """It holds addresses."""
    deployment, _ = await school(deploy)

    for role, expected in ((None, 401), ("student", 403), ("instructor", 403), ("admin", 200)):
        await deployment.client(role=role).call("GET", USERS, expect=expected)


async def test_names_are_read_in_one_query(deploy: Deploy) -> None:
    """Other plugins ask for many people at once; who is not known is left out."""
    deployment = await deploy("users", plugins=[AccountsPlugin])
    ada, bob = registered("Ada"), registered("Bob")
    await tell(deployment, ada, bob)
    users = deployment.platform.services.get(USERS_CAPABILITY)

    found = await users.people([ada.user_id, bob.user_id, ada.user_id, new_id()])

    assert {person: found[person].display_name for person in found} == {ada.user_id: "Ada", bob.user_id: "Bob"}
    assert await users.people([]) == {}
