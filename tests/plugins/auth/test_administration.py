"""Administrators: they find accounts, give roles, close and open; one of them is always left."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from kernel.contracts.auth import AUTH, RolesChanged, UserDisabled, UserEnabled, UserRegistered
from kernel.testing import witness
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from tests.plugins.auth.signing_in import (
    SESSIONS,
    administrator,
    ask,
    grant,
    problem,
    published,
    sign_in,
    signed_in,
    status,
)

ACCOUNTS = "/api/v1/auth/accounts"


async def put_roles(client: Client, account: object, *roles: str) -> int:
    return await status(client, "PUT", f"{ACCOUNTS}/{account}/roles", {"roles": roles})


async def admins(deployment: Deployment, count: int) -> list[tuple[Client, str]]:
    """Return so many administrators, signed in, and their ids."""
    found = []
    for number in range(count):
        email = f"root{number}@example.org"
        account = await grant(deployment, email, "admin")
        found.append((await signed_in(deployment, email), str(account.id)))
    return found


async def test_accounts_are_found_by_address_role_and_state(deploy: Deploy) -> None:
    """In pages, by address; filters combine."""
    deployment = await deploy("auth", "mail")
    admin = await administrator(deployment)
    for name in ("ada", "adam", "bob", "a%b", "zoe"):
        await grant(deployment, f"{name}@example.org", "instructor" if name in ("adam", "zoe") else "student")
    zoe = await grant(deployment, "zoe@example.org")
    await admin.call("POST", f"{ACCOUNTS}/{zoe.id}/disable")

    async def emails(query: str) -> list[str]:
        return [item["email"].partition("@")[0] for item in (await admin.call("GET", f"{ACCOUNTS}?{query}"))["items"]]

    assert await emails("") == ["a%b", "ada", "adam", "bob", "root", "zoe"]
    assert await emails("email=AD") == ["ada", "adam"]
    assert await emails("email=a%25") == ["a%b"]
    assert await emails("role=instructor") == ["adam", "zoe"]
    assert await emails("role=instructor&active=true") == ["adam"]
    assert await emails("active=false&email=z") == ["zoe"]
    first = await admin.call("GET", f"{ACCOUNTS}?limit=4")
    assert await emails(f"limit=4&cursor={first['next']}") == ["root", "zoe"]


async def test_account_is_read_by_id(deploy: Deploy) -> None:
    """An absent one is 404."""
    deployment = await deploy("auth", "mail")
    admin = await administrator(deployment)
    ada = await grant(deployment, "ada@example.org")

    found = await admin.call("GET", f"{ACCOUNTS}/{ada.id}")

    assert (found["email"], found["roles"], found["active"]) == ("ada@example.org", ["student"], True)
    assert found["signed_in_at"] is None
    assert await status(admin, "GET", f"{ACCOUNTS}/00000000-0000-7000-8000-000000000000") == 404


async def test_only_administrators_manage_accounts(deploy: Deploy) -> None:
    """A student is refused and changes nothing; a stranger has to sign in first."""
    deployment = await deploy("auth", "mail")
    account = (await sign_in(deployment, "ada@example.org"))["user"]["id"]
    student = await signed_in(deployment, "eve@example.org")
    calls: list[tuple[str, str, object]] = [
        ("GET", ACCOUNTS, None),
        ("GET", f"{ACCOUNTS}/{account}", None),
        ("PUT", f"{ACCOUNTS}/{account}/roles", {"roles": ["admin"]}),
        ("POST", f"{ACCOUNTS}/{account}/disable", None),
        ("POST", f"{ACCOUNTS}/{account}/enable", None),
    ]

    assert [await status(student, *call) for call in calls] == [403] * 5
    assert [await status(deployment.client(), *call) for call in calls] == [401] * 5
    found = await deployment.platform.services.get(AUTH).account(UUID(account))
    assert found is not None
    assert (found.roles, found.active) == (("student",), True)


async def test_roles_are_replaced_and_count_at_once(deploy: Deploy) -> None:
    """A token from before has the new roles; the event tells all of them."""
    deployment = await deploy("auth", "mail")
    admin = await administrator(deployment)
    ada = await sign_in(deployment, "ada@example.org")
    client = deployment.client(token=ada["access_token"])
    assert await status(client, "GET", ACCOUNTS) == 403

    assert await put_roles(admin, ada["user"]["id"], "admin", "student", "admin") == 200
    assert await status(client, "GET", ACCOUNTS) == 200
    assert await put_roles(admin, ada["user"]["id"], "student") == 200
    assert await status(client, "GET", ACCOUNTS) == 403
    assert await put_roles(admin, ada["user"]["id"], "student") == 200
    assert (await published(deployment)).count("auth.roles_changed.v1") == 1 + 2


async def test_other_plugins_grant_roles_for_the_deployment(deploy: Deploy) -> None:
    """The account is made if there is none, and keeps the roles that it has; what is no address is refused."""
    deployment = await deploy("auth", "mail")
    auth = deployment.platform.services.get(AUTH)
    first = await auth.grant("Ada@example.org", ["instructor"])
    second = await auth.grant("ada@example.org", ["admin"])

    assert (first.email, first.roles) == ("ada@example.org", ("instructor", "student"))
    assert (second.id, second.roles) == (first.id, ("admin", "instructor", "student"))
    with pytest.raises(ValueError, match="'ada' is not a mail address"):
        await auth.grant("ada", ["admin"])


async def test_refreshed_token_has_the_new_roles(deploy: Deploy) -> None:
    """They are in the token itself, for others who verify it."""
    deployment = await deploy("auth", "mail")
    ada = await sign_in(deployment, "ada@example.org")
    await grant(deployment, "ada@example.org", "instructor")

    body = {"refresh_token": ada["refresh_token"]}
    answer = await deployment.client().call("POST", "/api/v1/auth/tokens", body)

    assert answer["user"]["roles"] == ["instructor", "student"]


@pytest.mark.sqlite_only
async def test_unknown_roles_are_refused(deploy: Deploy) -> None:
    """The answer names the field, and nothing changes."""
    deployment = await deploy("auth", "mail")
    admin = await administrator(deployment)
    ada = await grant(deployment, "ada@example.org")
    wrong: tuple[object, ...] = (["wizard"], ["Admin"], ["admin", ""], "admin", [1], None)

    for roles in wrong:
        found, document = await problem(admin, "PUT", f"{ACCOUNTS}/{ada.id}/roles", {"roles": roles})
        assert (roles, found) == (roles, 422)
        assert document["errors"][0]["field"].startswith("body.roles")

    assert await deployment.platform.services.get(AUTH).account(ada.id) == ada


async def test_last_administrator_stays(deploy: Deploy) -> None:
    """Neither demoted nor disabled; a disabled administrator does not count."""
    deployment = await deploy("auth", "mail")
    (first, first_id), (_, second_id) = await admins(deployment, 2)
    await first.call("POST", f"{ACCOUNTS}/{second_id}/disable")

    for method, path, body in (
        ("PUT", f"{ACCOUNTS}/{first_id}/roles", {"roles": ["student"]}),
        ("POST", f"{ACCOUNTS}/{first_id}/disable", None),
    ):
        found, document = await problem(first, method, path, body)
        assert (found, document["type"]) == (409, "/problems/last-administrator")
        assert document["detail"] == "Make another account an administrator first."

    assert await status(first, "GET", ACCOUNTS) == 200


@pytest.mark.postgresql_only
@pytest.mark.parametrize("attempt", range(5))
async def test_administrators_who_demote_each_other_leave_one(deploy: Deploy, attempt: int) -> None:
    """Whatever they do at the same moment."""
    deployment = await deploy("auth", "mail")
    found = await admins(deployment, 4)

    await asyncio.gather(
        *(put_roles(client, other, "student") for client, own in found for _, other in found if own != other)
    )

    states = [await status(client, "GET", ACCOUNTS) for client, _ in found]
    assert sorted(states) == [200, 403, 403, 403]


async def test_disabled_account_is_out_at_once(deploy: Deploy) -> None:
    """Its tokens are refused, its sessions do not go on, and its refresh token is dead."""
    deployment = await deploy("auth", "mail")
    admin = await administrator(deployment)
    ada = await sign_in(deployment, "ada@example.org")
    client = deployment.client(token=ada["access_token"])
    assert await status(client, "GET", SESSIONS) == 200

    answer = await admin.call("POST", f"{ACCOUNTS}/{ada['user']['id']}/disable")

    assert answer["active"] is False
    assert await status(client, "GET", SESSIONS) == 401
    assert await status(client, "POST", "/api/v1/auth/tokens", {"refresh_token": ada["refresh_token"]}) == 401
    told = (await published(deployment))[-3:]
    assert told == ["auth.user_disabled.v1", "auth.session_revoked.v1", "audit.act_recorded.v1"]


async def test_changes_of_an_account_are_counted(deploy: Deploy) -> None:
    """Whatever is changed: of two events the later one has the greater version."""
    facts = (UserRegistered, RolesChanged, UserDisabled, UserEnabled)
    deployment = await deploy("auth", "mail", plugins=[witness.witness_of(*facts)])
    admin = await administrator(deployment)
    ada = await grant(deployment, "ada@example.org", "instructor")

    for action in ("disable", "enable"):
        assert await status(admin, "POST", f"{ACCOUNTS}/{ada.id}/{action}") == 200
    assert await put_roles(admin, ada.id, "student") == 200

    await deployment.settle()
    events = deployment.platform.context(witness.NAME).own(witness.Witnessed).events
    told = [event for event in events if isinstance(event, facts) and event.user_id == ada.id]
    assert [type(event) for event in sorted(told, key=lambda event: event.version)] == [
        UserRegistered,
        RolesChanged,
        UserDisabled,
        UserEnabled,
        RolesChanged,
    ]
    assert sorted(event.version for event in told) == [1, 2, 3, 4, 5]


async def test_disabling_twice_is_disabling_once(deploy: Deploy) -> None:
    """One event, and the same for enabling; an enabled person can sign in again."""
    deployment = await deploy("auth", "mail")
    admin = await administrator(deployment)
    ada = await grant(deployment, "ada@example.org")

    for action in ("disable", "disable", "enable", "enable"):
        assert await status(admin, "POST", f"{ACCOUNTS}/{ada.id}/{action}") == 200

    told = await published(deployment)
    assert told.count("auth.user_disabled.v1") == told.count("auth.user_enabled.v1") == 1
    asked = await ask(deployment, "ada@example.org")
    assert await status(deployment.client(), "POST", SESSIONS, asked.body()) == 201


@pytest.mark.parametrize("action", ["disable", "enable", "roles"])
async def test_absent_account_is_not_changed(deploy: Deploy, action: str) -> None:
    """404, and no event."""
    deployment = await deploy("auth", "mail")
    admin = await administrator(deployment)
    before = await published(deployment)
    path = f"{ACCOUNTS}/00000000-0000-7000-8000-000000000000/{action}"

    found = await status(
        admin, "PUT" if action == "roles" else "POST", path, {"roles": []} if action == "roles" else None
    )

    assert found == 404
    assert await published(deployment) == before
