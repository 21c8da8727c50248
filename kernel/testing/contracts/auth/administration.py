"""HTTP: administrators look after accounts."""

from __future__ import annotations

import msgspec

from kernel import new_id
from kernel.contracts.audit import ActRecorded
from kernel.contracts.auth import RolesChanged, UserDisabled, UserEnabled
from kernel.contracts.auth_http import AccountSeen
from kernel.testing.clients import Client
from kernel.testing.contracts.auth.deployed import ACCOUNTS, DeployedAuth, user_of

FORBIDDEN = (
    ("GET", ""),
    ("GET", "/{id}"),
    ("PUT", "/{id}/roles"),
    ("POST", "/{id}/disable"),
    ("POST", "/{id}/enable"),
)


class AdministrationContract:
    """What every provider answers those who look after accounts."""

    async def test_accounts_are_found_by_address_role_and_state(self, harness: DeployedAuth) -> None:
        """Filters combine; nothing in them is a wildcard."""
        root = await harness.administrator()
        for email, role in (("ada@example.org", "instructor"), ("adam@example.org", "student")):
            await harness.auth.grant(email, [role])
        adam = await harness.auth.grant("adam@example.org", [])
        await harness.auth.close(adam.id)
        wanted = {
            "": ["ada@example.org", "adam@example.org", "root@example.org"],
            "email=ADA": ["ada@example.org", "adam@example.org"],
            "email=%25": [],
            "role=instructor": ["ada@example.org"],
            "active=false": ["adam@example.org"],
            "email=ada&active=true": ["ada@example.org"],
        }

        assert {query: [one.email for one in await listed(root, query)] for query in wanted} == wanted

    async def test_accounts_in_pages_are_each_shown_once(self, harness: DeployedAuth) -> None:
        """By address."""
        root = await harness.administrator()
        for number in range(4):
            await harness.auth.grant(f"ada{number}@example.org", [])

        first = await root.call("GET", f"{ACCOUNTS}?limit=3")
        rest = await root.call("GET", f"{ACCOUNTS}?limit=3&cursor={first['next']}")

        found = [one["email"] for one in (*first["items"], *rest["items"])]
        assert found == [*(f"ada{number}@example.org" for number in range(4)), "root@example.org"]

    async def test_account_is_what_the_service_says(self, harness: DeployedAuth) -> None:
        """And a 404 where there is none."""
        root = await harness.administrator()
        ada = await harness.auth.grant("ada@example.org", ["instructor"])

        shown = msgspec.convert(await root.call("GET", f"{ACCOUNTS}/{ada.id}"), AccountSeen)

        assert shown == AccountSeen(id=ada.id, email=ada.email, roles=ada.roles, active=ada.active)
        for method, path in (("GET", ""), ("POST", "/disable"), ("POST", "/enable")):
            await root.call(method, f"{ACCOUNTS}/{new_id()}{path}", expect=404)
        await root.call("PUT", f"{ACCOUNTS}/{new_id()}/roles", {"roles": ["student"]}, expect=404)

    async def test_roles_are_set_told_and_recorded(self, harness: DeployedAuth) -> None:
        """Exactly those; they count at once, for sessions that are open too. The same once more is nothing new."""
        root, ada = await harness.administrator(), await harness.sign_in("ada@example.org")
        path = f"{ACCOUNTS}/{ada.user}/roles"

        for _ in range(2):
            shown = await root.call("PUT", path, {"roles": ["instructor", "admin"]}, expect=200)
            assert sorted(shown["roles"]) == ["admin", "instructor"]

        assert await harness.may_rule(ada, True)
        told = [event for event in await harness.told(RolesChanged) if event.user_id == ada.user]
        assert [(tuple(sorted(event.roles)), event.changed_by) for event in told] == [
            (("admin", "instructor"), root.user)
        ]
        await recorded(harness, root, "auth.set_roles", ada)
        await root.call("PUT", path, {"roles": []}, expect=200)
        assert await harness.may_rule(ada, False)

    async def test_role_that_nobody_knows_is_refused(self, harness: DeployedAuth) -> None:
        """A role without a meaning is a mistake."""
        root = await harness.administrator()
        ada = await harness.auth.grant("ada@example.org", [])

        for roles in (["student", "emperor"], "admin", [1]):
            await root.call("PUT", f"{ACCOUNTS}/{ada.id}/roles", {"roles": roles}, expect=422)

        assert await harness.auth.account(ada.id) == ada

    async def test_last_administrator_stays(self, harness: DeployedAuth) -> None:
        """Neither closed nor without the role, by whomever."""
        root = await harness.administrator()
        account = f"{ACCOUNTS}/{root.user}"

        for method, path, body in (("POST", "/disable", None), ("PUT", "/roles", {"roles": ["student"]})):
            problem = await root.call(method, f"{account}{path}", body, expect=409)
            assert problem["type"] == "/problems/last-administrator"

        assert await harness.may_rule(root, True)
        assert await harness.told(ActRecorded) == []

    async def test_account_is_closed_and_opened_again(self, harness: DeployedAuth) -> None:
        """Sessions that ended stay ended; whoever signs in anew is let in. The same once more is nothing new."""
        root, ada = await harness.administrator(), await harness.sign_in("ada@example.org")
        account = f"{ACCOUNTS}/{ada.user}"

        for _ in range(2):
            assert not (await root.call("POST", f"{account}/disable", expect=200))["active"]
        assert await harness.is_refused(ada)
        await recorded(harness, root, "auth.disable", ada)

        for _ in range(2):
            assert (await root.call("POST", f"{account}/enable", expect=200))["active"]
        await recorded(harness, root, "auth.enable", ada)
        assert await harness.is_refused(ada)
        assert (await harness.who(await harness.sign_in("ada@example.org"))).id == ada.user
        closed, opened = await harness.told_once(UserDisabled), await harness.told_once(UserEnabled)
        assert closed.user_id == opened.user_id == ada.user
        assert closed.version < opened.version

    async def test_accounts_are_for_those_who_may_see_them(self, harness: DeployedAuth) -> None:
        """Neither strangers nor learners, not even their own."""
        ada = await harness.sign_in("ada@example.org")
        body = {"roles": ["admin"]}

        for method, path in FORBIDDEN:
            url = ACCOUNTS + path.format(id=ada.user)
            await harness.deployment.client().call(method, url, body if method == "PUT" else None, expect=401)
            await ada.call(method, url, body if method == "PUT" else None, expect=403)

        assert await harness.may_rule(ada, False)


async def listed(root: Client, query: str) -> list[AccountSeen]:
    """Return the accounts that an administrator sees."""
    return msgspec.convert((await root.call("GET", f"{ACCOUNTS}?{query}"))["items"], list[AccountSeen])


async def recorded(harness: DeployedAuth, root: Client, action: str, person: Client) -> None:
    """Fail unless *action* was recorded, once, as an act of *root* on the account of *person*."""
    acts = [event for event in await harness.told(ActRecorded) if event.action == action]
    assert [(event.subject, event.actor) for event in acts] == [(f"account:{user_of(person)}", root.user)]
