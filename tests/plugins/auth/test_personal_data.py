"""Erasing an account: it is closed as administrators close one, whatever it became in the meantime."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

import msgspec
import pytest

from kernel.contracts.auth import AUTH, LastAdministrator, RolesChanged, UserDisabled, UserEnabled, UserRegistered
from kernel.contracts.personal_data import PERSONAL_DATA, PersonalData, Subject
from kernel.database import Command
from kernel.testing import witness
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from plugins.auth import administration
from tests.plugins.auth.signing_in import (
    SESSIONS,
    TOKENS,
    administrator,
    grant,
    published,
    sign_in,
    status,
)
from tests.plugins.auth.test_revocation import LIMIT, becomes

ACCOUNTS = "/api/v1/auth/accounts"
EMAIL = "ada@example.org"
#: Closes an account and does nothing beside, as if a session had been starting while it was closed.
CLOSE_ALONE = Command(administration.SET_ACTIVE.statement)


def contribution(deployment: Deployment) -> PersonalData:
    return dict(deployment.platform.services.named(PERSONAL_DATA))["auth"]


def subject(signed_in: dict[str, Any]) -> Subject:
    return Subject(user_id=UUID(signed_in["user"]["id"]), email=EMAIL)


async def test_account_that_was_opened_again_is_closed_by_its_erasure(deploy: Deploy) -> None:
    """With all that belongs to it: sessions begun meanwhile end, the version counts it, events tell it; once."""
    facts = (UserRegistered, RolesChanged, UserDisabled, UserEnabled)
    deployment = await deploy("auth", "mail", plugins=[witness.witness_of(*facts)])
    admin = await administrator(deployment)
    first = await sign_in(deployment, EMAIL)
    person = subject(first)
    await deployment.platform.services.get(AUTH).close(person.user_id)
    await admin.call("POST", f"{ACCOUNTS}/{person.user_id}/enable")
    deployment.clock.advance(61)
    meanwhile = await sign_in(deployment, EMAIL)
    client = deployment.client(token=meanwhile["access_token"])
    assert await status(client, "GET", SESSIONS) == 200

    receipt = await contribution(deployment).erase(person)
    told = await published(deployment)

    assert await contribution(deployment).erase(person) == receipt
    assert await published(deployment) == told
    assert await status(client, "GET", SESSIONS) == 401
    assert await status(client, "POST", TOKENS, {"refresh_token": meanwhile["refresh_token"]}) == 401
    counted = Counter(told)
    assert (counted[UserDisabled.name], counted["auth.session_revoked.v1"]) == (2, 2)
    await deployment.settle()
    events = deployment.platform.context(witness.NAME).own(witness.Witnessed).events
    own = [event for event in events if isinstance(event, facts) and event.user_id == person.user_id]
    versions = {type(event): event.version for event in sorted(own, key=lambda event: event.version)}
    assert versions == {UserRegistered: 1, UserEnabled: 3, UserDisabled: 4, RolesChanged: 5}


async def test_session_that_was_starting_while_the_account_was_closed_ends_with_the_erasure(deploy: Deploy) -> None:
    """The account is closed already; what it has left of sessions is ended all the same."""
    deployment = await deploy("auth", "mail")
    person = subject(await sign_in(deployment, EMAIL))
    now = deployment.clock.now()
    auth = deployment.platform.context("auth")
    await auth.db.run(CLOSE_ALONE, account=person.user_id, active=False, now=now)

    await contribution(deployment).erase(person)

    assert Counter(await published(deployment))["auth.session_revoked.v1"] == 1


@pytest.mark.postgresql_only
async def test_erasure_of_an_open_account_reaches_other_processes(deploy: Deploy) -> None:
    """A token that another process had verified is refused there within five seconds."""
    here = await deploy("auth", "mail")
    there = await here.twin()
    ada = await sign_in(here, EMAIL)
    assert await becomes(200, there, ada["access_token"]) < LIMIT

    await contribution(here).erase(subject(ada))

    assert await becomes(401, there, ada["access_token"]) < LIMIT


async def test_administrator_who_became_the_last_one_is_not_erased(deploy: Deploy) -> None:
    """The erasure fails, and is tried again: nobody could administer; with another one it is done."""
    deployment = await deploy("auth", "mail")
    await grant(deployment, EMAIL, "admin")
    person = subject(await sign_in(deployment, EMAIL))

    with pytest.raises(LastAdministrator):
        await contribution(deployment).erase(person)

    auth = deployment.platform.services.get(AUTH)
    found = await auth.account(person.user_id)
    assert found is not None
    assert (found.active, found.email) == (True, EMAIL)
    await administrator(deployment)
    await contribution(deployment).erase(person)
    erased = await auth.account(person.user_id)
    assert erased is not None
    assert (erased.active, erased.roles) == (False, ())


async def test_known_devices_are_in_the_copy_and_go_with_the_account(deploy: Deploy) -> None:
    """The copy says when each was seen, since there is no more to say; others' stay."""
    deployment = await deploy("auth", "mail")
    ada, bob = subject(await sign_in(deployment, EMAIL)), subject(await sign_in(deployment, "bob@example.org"))

    async def known(person: Subject) -> list[dict[str, object]]:
        found = {one.name: one.content async for one in contribution(deployment).export(person)}
        return list(msgspec.json.decode(found.get("devices.json", b"[]")))

    assert [list(device) for device in await known(ada)] == [["seen_at"]]
    await contribution(deployment).erase(ada)

    assert (len(await known(ada)), len(await known(bob))) == (0, 1)


async def test_erasure_of_nobody_is_no_failure(deploy: Deploy) -> None:
    """There may be an address that was asked a code for, and no account."""
    deployment = await deploy("auth", "mail")
    stranger = Subject(user_id=UUID(int=1), email=EMAIL)

    assert await contribution(deployment).erase(stranger) == await contribution(deployment).erase(stranger)
