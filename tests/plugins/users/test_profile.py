"""One's own profile: there from the first moment, changed by its owner alone."""

from __future__ import annotations

import asyncio

import pytest

from kernel.testing.deploying import Deploy
from tests.plugins.users.people import ME, AccountsPlugin, registered, tell

BLANK = {
    "display_name": "",
    "locale": "en",
    "time_zone": "UTC",
    "headline": "",
    "biography": "",
    "website": "",
}


async def test_profile_is_there_before_anything_was_heard(deploy: Deploy) -> None:
    """A fresh person is not answered 404 because an event is on its way; asking stores nothing."""
    deployment = await deploy("users", plugins=[AccountsPlugin])
    client = deployment.client(role="student")

    assert await client.call("GET", ME) == {"id": str(client.user), **BLANK}
    assert await client.call("GET", "/api/v1/users", expect=403)


async def test_registration_makes_the_profile(deploy: Deploy) -> None:
    """With what the person gave at the sign-in, in its proper form."""
    deployment = await deploy("users", plugins=[AccountsPlugin], settings={"users": {"time_zone": "Europe/Vienna"}})
    event = registered("Ada Lovelace", locale="de-at")
    await tell(deployment, event)

    found = await deployment.client(role="student", user=event.user_id).call("GET", ME)

    assert (found["display_name"], found["locale"], found["time_zone"]) == ("Ada Lovelace", "de-AT", "Europe/Vienna")


async def test_owner_changes_the_profile(deploy: Deploy) -> None:
    """What is left out stays; the change is told."""
    deployment = await deploy("users", plugins=[AccountsPlugin])
    event = registered("Ada")
    await tell(deployment, event)
    client = deployment.client(role="student", user=event.user_id)
    change = {
        "locale": "zh-hant-tw",
        "time_zone": "Asia/Taipei",
        "headline": "Counts",
        "biography": "First line.\r\n\n\tSecond <b>line</b>.",
        "website": "https://ada.example/?a=b#c",
    }

    changed = await client.call("PATCH", ME, change)

    assert changed == {"id": str(event.user_id), "display_name": "Ada", **change, "locale": "zh-Hant-TW"}
    assert await client.call("GET", ME) == changed
    assert await client.call("PATCH", ME, {}) == changed


async def test_what_the_person_told_outlives_a_late_registration(deploy: Deploy) -> None:
    """A profile that was changed before the registration was heard of keeps the change."""
    deployment = await deploy("users", plugins=[AccountsPlugin])
    client, admin = deployment.client(role="student"), deployment.client(role="admin")
    await client.call("PATCH", ME, {"display_name": "Countess", "locale": "fr"})

    await tell(deployment, registered("Ada", user_id=client.user))

    found = await client.call("GET", ME)
    assert (found["display_name"], found["locale"]) == ("Countess", "fr")
    (entry,) = (await admin.call("GET", "/api/v1/users?search=ada@"))["items"]
    assert (entry["display_name"], entry["roles"]) == ("Countess", ["student"])


WRONG: tuple[tuple[str, object], ...] = (
    *(("time_zone", value) for value in ("Mars/Olympus", "../../etc/passwd", "America", "")),
    *(("locale", value) for value in ("english", "de_DE", "de-", "e" * 40)),
    *(("display_name", value) for value in ("", "a\nb", "a" * 81, None, 1)),
    *(("biography", value) for value in ("a" * 5001, "a\x00")),
    *(("website", value) for value in ("javascript:alert(1)", "https://a b")),
    *(("roles", ["admin"]), ("id", "00000000-0000-7000-8000-000000000000"), ("version", 7)),
)


@pytest.mark.sqlite_only
async def test_wrong_change_is_refused(deploy: Deploy) -> None:
    """The answer names the field, and nothing has changed."""
    deployment = await deploy("users", plugins=[AccountsPlugin])
    client = deployment.client(role="student")

    for field, value in WRONG:
        document = await client.call("PATCH", ME, {field: value}, expect=422)
        assert [error["field"] for error in document["errors"]] == [f"body.{field}"]

    assert await client.call("GET", ME) == {"id": str(client.user), **BLANK}


async def test_change_of_an_outdated_profile_is_refused(deploy: Deploy) -> None:
    """With `If-Match` nobody overwrites what they have not seen."""
    deployment = await deploy("users", plugins=[AccountsPlugin])
    client = deployment.client(role="student")
    async with client.get(ME) as answer:
        seen = answer.headers["ETag"]
    async with client.patch(ME, json={"headline": "One"}, headers={"If-Match": seen}) as answer:
        assert answer.status == 200
        current = answer.headers["ETag"]

    await client.call("PATCH", ME, {"headline": "Two"}, expect=412, headers={"If-Match": seen})
    await client.call("PATCH", ME, {"headline": "Three"}, headers={"If-Match": current})

    assert (await client.call("GET", ME))["headline"] == "Three"


@pytest.mark.postgresql_only
async def test_changes_at_the_same_moment_are_not_lost(deploy: Deploy) -> None:
    """Each is kept, or answered with a conflict."""
    deployment = await deploy("users", plugins=[AccountsPlugin])
    client = deployment.client(role="student")

    async def change(field: str, value: str) -> tuple[str, int]:
        async with client.patch(ME, json={field: value}) as answer:
            return field, answer.status

    for number in range(20):
        value = str(number)
        answers = await asyncio.gather(*(change(field, value) for field in ("headline", "biography", "display_name")))
        profile = await client.call("GET", ME)
        assert {status for _, status in answers} <= {200, 409}
        assert [field for field, status in answers if status == 200 and profile[field] != value] == []


async def test_stranger_has_no_profile(deploy: Deploy) -> None:
    """Sign in first."""
    deployment = await deploy("users", plugins=[AccountsPlugin])

    await deployment.client().call("GET", ME, expect=401)
    await deployment.client().call("PATCH", ME, {"headline": "x"}, expect=401)
