"""Standing in for somebody: short, written down, and never to get a permission."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any, ClassVar
from uuid import UUID

import pytest

from kernel import (
    SIGNED_IN,
    Context,
    Idempotency,
    Manifest,
    Permission,
    Plugin,
    Request,
    Route,
    get,
    hookimpl,
    new_id,
    post,
)
from kernel.contracts.auth import AUTH
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from tests.plugins.auth.signing_in import SESSIONS, administrator, grant, problem, sign_in, signed_in, status, told_acts

ACCOUNTS = "/api/v1/auth/accounts"
NOTES = "/api/v1/notes"


class NotesPlugin(Plugin):
    """Says who asks; and a permission that administrators have not."""

    manifest: ClassVar[Manifest] = Manifest(name="notes", version="1")

    @hookimpl
    def permissions(self) -> Iterable[Permission]:
        return [Permission(name="notes.seal", summary="Seal notes", roles=("notary",))]

    @hookimpl
    def routes(self, ctx: Context) -> Iterable[Route]:
        async def who(request: Request) -> dict[str, Any]:
            me = request.principal
            return {"id": me.id, "actor": me.actor, "roles": sorted(me.roles)}

        return [
            get("", who, permission=SIGNED_IN),
            post("/{note_id}", _write, permission=SIGNED_IN, idempotency=Idempotency.NONE),
            post("", who, permission="notes.seal", idempotency=Idempotency.NONE),
        ]


async def _write(request: Request, note_id: UUID) -> None:
    return None


async def act_as(admin: Client, person: object, reason: str = "The course does not open.") -> Any:
    """Return the answer to an administrator who stands in for *person*."""
    return await admin.call("POST", f"{ACCOUNTS}/{person}/act-as", {"reason": reason}, expect=201)


async def stand_in(deploy: Deploy) -> tuple[Deployment, Client, dict[str, Any], Client]:
    """Return a deployment, its administrator, a person's sign-in and a client that stands in for the person."""
    deployment = await deploy("auth", "mail", plugins=[NotesPlugin])
    admin = await administrator(deployment)
    ada = await sign_in(deployment, "ada@example.org")
    token = (await act_as(admin, ada["user"]["id"]))["access_token"]
    return deployment, admin, ada, deployment.client(token=token)


async def test_requests_count_as_the_persons(deploy: Deploy) -> None:
    """With the person's roles, and the administrator's name behind them."""
    deployment = await deploy("auth", "mail", plugins=[NotesPlugin])
    root = await grant(deployment, "root@example.org", "admin")
    admin = await signed_in(deployment, "root@example.org")
    ada = (await sign_in(deployment, "ada@example.org"))["user"]

    answer = await act_as(admin, ada["id"])

    assert (answer["expires_in"], answer["user"]["email"]) == (600, "ada@example.org")
    assert "refresh_token" not in answer
    seen = await deployment.client(token=answer["access_token"]).call("GET", NOTES)
    assert seen == {"id": ada["id"], "actor": str(root.id), "roles": ["student"]}
    claims = _claims(answer["access_token"])
    assert (claims["sub"], claims["act"]["sub"]) == (ada["id"], str(root.id))


def _claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


async def test_ordinary_tokens_name_no_actor(deploy: Deploy) -> None:
    """Nobody stands behind a person who signed in."""
    deployment = await deploy("auth", "mail", plugins=[NotesPlugin])
    ada = await sign_in(deployment, "ada@example.org")

    assert "act" not in _claims(ada["access_token"])
    assert (await deployment.client(token=ada["access_token"]).call("GET", NOTES))["actor"] is None


async def test_standing_in_is_recorded_with_its_reason(deploy: Deploy) -> None:
    """Who, for whom, why, from where and for how long."""
    deployment, admin, ada, _ = await stand_in(deploy)

    (told,) = await told_acts(deployment, "auth.act_as")

    assert (told["subject"], told["reason"]) == (f"account:{ada['user']['id']}", "The course does not open.")
    assert (told["actor"], told["acting_as"], told["origin"]) == (await _id_of(admin), None, "127.0.0.1")
    assert told["after"]["seconds"] == 600


async def _id_of(client: Client) -> str:
    return str((await client.call("GET", NOTES))["id"])


@pytest.mark.sqlite_only
@pytest.mark.parametrize("body", [None, {}, {"reason": ""}, {"reason": "  "}, {"reason": "x" * 501}])
async def test_reason_must_be_given(deploy: Deploy, body: object) -> None:
    """Without one nothing happens."""
    deployment = await deploy("auth", "mail")
    admin = await administrator(deployment)
    ada = (await sign_in(deployment, "ada@example.org"))["user"]["id"]

    assert await status(admin, "POST", f"{ACCOUNTS}/{ada}/act-as", body) in (415, 422)

    assert await told_acts(deployment, "auth.act_as") == []


async def test_every_change_is_recorded(deploy: Deploy) -> None:
    """Before it is made, whatever comes of it; what is only read is not, nor what the person does."""
    deployment, admin, ada, acting = await stand_in(deploy)
    note = new_id()

    await acting.call("POST", f"{NOTES}/{note}?loud=1", expect=422)
    await acting.call("GET", NOTES)
    await deployment.client(token=ada["access_token"]).call("POST", f"{NOTES}/{note}", expect=204)

    (told,) = await told_acts(deployment, "auth.acted")
    person = ada["user"]["id"]
    assert (told["actor"], told["acting_as"]) == (await _id_of(admin), person)
    assert (told["subject"], told["origin"]) == (f"account:{person}", "127.0.0.1")
    assert told["after"] == {"route": "POST /api/v1/notes/{note_id}", "path": f"{NOTES}/{note}"}


async def test_nobody_stands_in_for_an_administrator(deploy: Deploy) -> None:
    """Nor for themselves, nor for who may something that they may not; nothing is recorded of the attempt."""
    deployment = await deploy("auth", "mail", plugins=[NotesPlugin])
    admin = await administrator(deployment)
    other = await grant(deployment, "other@example.org", "admin")
    notary = await grant(deployment, "notary@example.org", "notary")
    closed = await grant(deployment, "closed@example.org")
    await admin.call("POST", f"{ACCOUNTS}/{closed.id}/disable")

    for person, expected in (
        (other.id, 403),
        (await _id_of(admin), 403),
        (notary.id, 403),
        (closed.id, 409),
        (new_id(), 404),
    ):
        assert (await problem(admin, "POST", f"{ACCOUNTS}/{person}/act-as", {"reason": "Help."}))[0] == expected
    assert await told_acts(deployment, "auth.act_as") == []


async def test_it_takes_the_permission(deploy: Deploy) -> None:
    """Neither students nor teachers."""
    deployment = await deploy("auth", "mail")
    ada = (await sign_in(deployment, "ada@example.org"))["user"]["id"]
    await grant(deployment, "eve@example.org", "instructor")
    eve = await signed_in(deployment, "eve@example.org")

    assert await status(eve, "POST", f"{ACCOUNTS}/{ada}/act-as", {"reason": "Help."}) == 403


async def test_sessions_are_the_persons_own(deploy: Deploy) -> None:
    """Who stands in sees and ends no session, neither the person's nor their own; nor gets a page's token."""
    deployment, admin, ada, acting = await stand_in(deploy)
    calls = [
        ("GET", SESSIONS),
        ("DELETE", SESSIONS),
        ("DELETE", f"{SESSIONS}/{ada['session_id']}"),
        ("POST", "/api/v1/auth/sign-out"),
        ("GET", "/api/v1/auth/csrf"),
    ]

    assert [await status(acting, *call) for call in calls] == [403] * 5

    assert await status(deployment.client(token=ada["access_token"]), "GET", SESSIONS) == 200
    assert await status(admin, "GET", SESSIONS) == 200


async def test_nobody_stands_in_from_within(deploy: Deploy) -> None:
    """The person's rights are all there is: none to stand in for a third, none over accounts."""
    deployment, _, _, acting = await stand_in(deploy)
    bob = (await sign_in(deployment, "bob@example.org"))["user"]["id"]

    assert await status(acting, "POST", f"{ACCOUNTS}/{bob}/act-as", {"reason": "Help."}) == 403
    assert await status(acting, "GET", ACCOUNTS) == 403


async def test_it_lasts_ten_minutes(deploy: Deploy) -> None:
    """Also where the token is known already."""
    deployment, _, _, acting = await stand_in(deploy)
    deployment.clock.advance(590)
    assert await status(acting, "GET", NOTES) == 200

    deployment.clock.advance(20)

    assert await status(acting, "GET", NOTES) == 401


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    "ending",
    [
        "sign-out",
        "administrator demoted",
        "administrator disabled",
        "person disabled",
        "person promoted",
        "person notary",
    ],
)
async def test_it_ends_with_what_it_rests_on(deploy: Deploy, ending: str, known: bool) -> None:
    """The administrator's session, right and account, and the person's; whether or not the token was seen before."""
    deployment, admin, ada, acting = await stand_in(deploy)
    root, person = await _id_of(admin), ada["user"]["id"]
    await grant(deployment, "other@example.org", "admin")
    other = await signed_in(deployment, "other@example.org")
    if known:
        assert await status(acting, "GET", NOTES) == 200

    endings: dict[str, tuple[Client, str, str, object]] = {
        "sign-out": (admin, "POST", "/api/v1/auth/sign-out", None),
        "administrator demoted": (other, "PUT", f"{ACCOUNTS}/{root}/roles", {"roles": ["student"]}),
        "administrator disabled": (other, "POST", f"{ACCOUNTS}/{root}/disable", None),
        "person disabled": (other, "POST", f"{ACCOUNTS}/{person}/disable", None),
        "person promoted": (other, "PUT", f"{ACCOUNTS}/{person}/roles", {"roles": ["admin"]}),
        "person notary": (other, "PUT", f"{ACCOUNTS}/{person}/roles", {"roles": ["notary"]}),
    }
    client, method, path, body = endings[ending]
    assert await status(client, method, path, body) in (200, 204)

    assert await status(acting, "GET", NOTES) == 401


async def test_person_keeps_what_else_changes(deploy: Deploy) -> None:
    """A new role that the administrator could give as well counts, and ends nothing."""
    deployment, admin, ada, acting = await stand_in(deploy)

    await admin.call("PUT", f"{ACCOUNTS}/{ada['user']['id']}/roles", {"roles": ["student", "instructor"]})

    assert (await acting.call("GET", NOTES))["roles"] == ["instructor", "student"]
    assert deployment.platform.services.find(AUTH) is not None
