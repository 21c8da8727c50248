"""`lyceum auth …`, against a deployment that runs."""

from __future__ import annotations

import json

import pytest

from kernel.testing.deploying import Deploy
from tests.plugins.auth.signing_in import CODES, SESSIONS, ask, grant, published, signed_in, status

ACCOUNTS = "/api/v1/auth/accounts"


async def test_create_admin_makes_the_first_administrator(deploy: Deploy) -> None:
    """Who then signs in by code as everybody does."""
    deployment = await deploy("auth", "mail")

    result = await deployment.command("auth", "create-admin", "Root@Example.org")

    assert result.exit_code == 0, result.output
    assert "ask for a code for root@example.org" in result.output
    admin = await signed_in(deployment, "root@example.org")
    (account,) = (await admin.call("GET", ACCOUNTS))["items"]
    assert (account["email"], account["roles"]) == ("root@example.org", ["admin", "student"])


async def test_create_admin_makes_an_administrator_of_somebody(deploy: Deploy) -> None:
    """Who is signed in already; doing it again changes nothing."""
    deployment = await deploy("auth", "mail")
    client = await signed_in(deployment, "ada@example.org")
    assert await status(client, "GET", ACCOUNTS) == 403

    for _ in range(2):
        assert (await deployment.command("auth", "create-admin", "ada@example.org")).exit_code == 0

    told = await published(deployment)
    assert (told.count("auth.user_registered.v1"), told.count("auth.roles_changed.v1")) == (1, 1)


@pytest.mark.sqlite_only
async def test_create_admin_wants_an_address(deploy: Deploy) -> None:
    """And says how one looks."""
    deployment = await deploy("auth", "mail")

    result = await deployment.command("auth", "create-admin", "root")

    assert result.exit_code == 2
    assert "'root' is not a mail address; write it as name@example.org" in result.output


async def test_accounts_are_listed(deploy: Deploy) -> None:
    """For people and for programs."""
    deployment = await deploy("auth", "mail")
    for name in ("ada", "adam", "bob"):
        await grant(deployment, f"{name}@example.org", "instructor" if name == "bob" else "student")

    everybody = await deployment.command("auth", "accounts")
    found = json.loads((await deployment.command("auth", "accounts", "--email", "AD", json=True)).stdout)
    teachers = json.loads((await deployment.command("auth", "accounts", "--role", "instructor", json=True)).stdout)

    assert "adam@example.org" in everybody.output
    assert [account["email"] for account in found] == ["ada@example.org", "adam@example.org"]
    assert [account["roles"] for account in teachers] == [["instructor", "student"]]


async def test_rotate_key_makes_the_next_key(deploy: Deploy) -> None:
    """Both are published from then on."""
    deployment = await deploy("auth", "mail")
    client = await signed_in(deployment, "ada@example.org")

    result = await deployment.command("auth", "rotate-key", json=True)

    (made,) = json.loads(result.stdout)
    keys = await client.call("GET", "/api/v1/auth/jwks.json")
    assert made["kid"] in [key["kid"] for key in keys["keys"]]
    assert len(keys["keys"]) == 2


async def test_unlock_lets_an_address_have_codes_again(deploy: Deploy) -> None:
    """After too many wrong ones; for an address that never asked there is nothing to do."""
    deployment = await deploy("auth", "mail")
    asked = await ask(deployment, "ada@example.org")
    for _ in range(5):
        await status(deployment.client(), "POST", SESSIONS, asked.wrong())
    assert await status(deployment.client(), "POST", CODES, {"email": "ada@example.org"}) == 429

    assert (await deployment.command("auth", "unlock", "ada@example.org")).exit_code == 0

    assert await status(deployment.client(), "POST", CODES, {"email": "ada@example.org"}) == 202
    result = await deployment.command("auth", "unlock", "bob@example.org")
    assert result.exit_code == 1
    assert "nothing to unlock" in result.output
