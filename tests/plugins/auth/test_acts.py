"""What administrators did with accounts is told, with before and after; what changed nothing is not."""

from __future__ import annotations

import getpass

from kernel.testing.deploying import Deploy
from tests.plugins.auth.signing_in import SESSIONS, administrator, ask, grant, status, told_acts

ACCOUNTS = "/api/v1/auth/accounts"


async def test_change_of_roles_is_told_once(deploy: Deploy) -> None:
    """All roles before and after."""
    deployment = await deploy("auth", "mail")
    admin, ada = await administrator(deployment), await grant(deployment, "ada@example.org")

    for _ in range(2):
        await admin.call("PUT", f"{ACCOUNTS}/{ada.id}/roles", {"roles": ["instructor", "student"]})

    (told,) = await told_acts(deployment, "auth.set_roles")
    assert (told["subject"], told["origin"]) == (f"account:{ada.id}", "127.0.0.1")
    assert told["actor"] == str((await grant(deployment, "root@example.org")).id)
    assert (told["before"], told["after"]) == ({"roles": ["student"]}, {"roles": ["instructor", "student"]})


async def test_closing_and_opening_is_told_once(deploy: Deploy) -> None:
    """Each, however often it is asked for."""
    deployment = await deploy("auth", "mail")
    admin, ada = await administrator(deployment), await grant(deployment, "ada@example.org")

    for action in ("disable", "disable", "enable", "enable"):
        await admin.call("POST", f"{ACCOUNTS}/{ada.id}/{action}")

    told = [(one["action"], one["before"], one["after"]) for one in await told_acts(deployment)]
    assert told == [
        ("auth.disable", {"active": True}, {"active": False}),
        ("auth.enable", {"active": False}, {"active": True}),
    ]


async def test_refused_act_is_not_told(deploy: Deploy) -> None:
    """Nothing happened."""
    deployment = await deploy("auth", "mail")
    admin = await administrator(deployment)
    root = await grant(deployment, "root@example.org")

    await admin.call("POST", f"{ACCOUNTS}/{root.id}/disable", expect=409)

    assert await told_acts(deployment) == []


async def test_command_that_makes_an_administrator_is_told(deploy: Deploy) -> None:
    """By whom on this machine; a new account had no roles, and doing it again is no act."""
    deployment = await deploy("auth", "mail")
    await grant(deployment, "ada@example.org")

    for email in ("ada@example.org", "bob@example.org", "bob@example.org"):
        assert (await deployment.command("auth", "create-admin", email)).exit_code == 0

    ada, bob = await told_acts(deployment, "auth.create_admin")
    assert (ada["actor"], ada["origin"]) == (None, f"command line: {getpass.getuser()}")
    assert ada["subject"] == f"account:{(await grant(deployment, 'ada@example.org')).id}"
    assert (ada["before"], ada["after"]) == ({"roles": ["student"]}, {"roles": ["admin", "student"]})
    assert (bob["before"], bob["after"]) == ({"roles": []}, {"roles": ["admin", "student"]})


async def test_roles_that_another_plugin_gives_are_no_act(deploy: Deploy) -> None:
    """Nobody decided: the deployment did."""
    deployment = await deploy("auth", "mail")

    await grant(deployment, "ada@example.org", "instructor")

    assert await told_acts(deployment) == []


async def test_command_that_rotates_the_key_is_told(deploy: Deploy) -> None:
    """With the name of the new key."""
    deployment = await deploy("auth", "mail")

    result = await deployment.command("auth", "rotate-key", json=True)

    (told,) = await told_acts(deployment, "auth.rotate_key")
    assert told["subject"].removeprefix("signing-key:") in result.stdout
    assert told["actor"] is None


async def test_command_that_unlocks_an_address_is_told_without_it(deploy: Deploy) -> None:
    """The log can not be changed, so no address goes into it."""
    deployment = await deploy("auth", "mail")
    asked = await ask(deployment, "ada@example.org")
    for _ in range(2):
        await status(deployment.client(), "POST", SESSIONS, asked.wrong())

    assert (await deployment.command("auth", "unlock", "ada@example.org")).exit_code == 0
    assert (await deployment.command("auth", "unlock", "bob@example.org")).exit_code == 1

    (told,) = await told_acts(deployment, "auth.unlock")
    assert told["subject"].startswith("address:")
    assert "ada" not in str(told)
    assert (told["before"]["failures"], told["after"]) == (2, {"failures": 0})
