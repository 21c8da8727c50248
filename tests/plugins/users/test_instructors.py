"""Instructors: everybody may read about them, and about nobody else."""

from __future__ import annotations

import pytest

from kernel import new_id
from kernel.contracts.auth import RolesChanged, UserDisabled, UserEnabled
from kernel.testing.deploying import Deploy
from tests.plugins.users.people import ME, USERS, AccountsPlugin, registered, tell


async def test_instructor_is_public(deploy: Deploy) -> None:
    """With name and biography, without address."""
    deployment = await deploy("users", plugins=[AccountsPlugin])
    event = registered("Ada", "student", "instructor")
    await tell(deployment, event)
    await deployment.client(role="instructor", user=event.user_id).call("PATCH", ME, {"biography": "Counts."})

    found = await deployment.client().call("GET", f"{USERS}/{event.user_id}")

    assert found == {
        "id": str(event.user_id),
        "display_name": "Ada",
        "headline": "",
        "biography": "Counts.",
        "website": "",
    }


async def test_others_are_as_absent(deploy: Deploy) -> None:
    """A student, a disabled instructor and nobody at all are answered alike."""
    deployment = await deploy("users", plugins=[AccountsPlugin])
    student, gone = registered("Bob"), registered("Eve", "instructor")
    await tell(deployment, student, gone, UserDisabled(user_id=gone.user_id))

    found = []
    for person in (student.user_id, gone.user_id, new_id()):
        document = await deployment.client().call("GET", f"{USERS}/{person}", expect=404)
        found.append({name: document[name] for name in ("type", "title", "status")})

    assert found[0] == found[1] == found[2]


async def test_roles_follow_the_events(deploy: Deploy) -> None:
    """Given and taken, closed and opened again."""
    deployment = await deploy("users", plugins=[AccountsPlugin])
    event = registered("Ada")
    person, path = event.user_id, f"{USERS}/{event.user_id}"
    steps = [
        (event, 404),
        (RolesChanged(user_id=person, roles=("instructor",)), 200),
        (UserDisabled(user_id=person), 404),
        (UserEnabled(user_id=person), 200),
        (RolesChanged(user_id=person, roles=("student",)), 404),
    ]

    for told, expected in steps:
        await tell(deployment, told)
        await deployment.client().call("GET", path, expect=expected)


async def test_later_news_stand_whatever_comes_after(deploy: Deploy) -> None:
    """An event that was held up does not undo what happened after it."""
    deployment = await deploy("users", plugins=[AccountsPlugin])
    event = registered("Ada")
    await tell(deployment, RolesChanged(user_id=event.user_id, roles=("instructor",)))
    deployment.clock.advance(-60)

    await tell(deployment, event, UserEnabled(user_id=event.user_id))

    found = await deployment.client().call("GET", f"{USERS}/{event.user_id}")
    assert found["display_name"] == "Ada"


async def test_the_later_version_of_an_account_stands(deploy: Deploy) -> None:
    """Whatever the clocks of those who tell it say, and in whichever order it comes."""
    deployment = await deploy("users", plugins=[AccountsPlugin])
    event = registered("Ada")
    person, path = event.user_id, f"{USERS}/{event.user_id}"
    await tell(deployment, event, RolesChanged(user_id=person, roles=("instructor",), version=2))
    await tell(deployment, UserDisabled(user_id=person, version=3))
    deployment.clock.advance(-60)

    await tell(deployment, UserEnabled(user_id=person, version=4))
    await deployment.client().call("GET", path)
    await tell(deployment, RolesChanged(user_id=person, roles=("student",), version=6))
    deployment.clock.advance(120)
    await tell(deployment, RolesChanged(user_id=person, roles=("instructor",), version=5))

    await deployment.client().call("GET", path, expect=404)


@pytest.mark.sqlite_only
async def test_page_shows_an_instructor(deploy: Deploy) -> None:
    """What was told is text, and a student has no page."""
    deployment = await deploy("users", plugins=[AccountsPlugin])
    ada, bob = registered("<i>Ada</i>", "instructor"), registered("Bob")
    await tell(deployment, ada, bob)
    change = {"biography": "<script>alert(1)</script>\nSecond", "website": 'https://ada.example/"><script>'}
    await deployment.client(role="instructor", user=ada.user_id).call("PATCH", ME, change)

    async with deployment.client().get(f"/instructors/{ada.user_id}") as answer:
        assert answer.status == 200
        text = await answer.text()

    assert "<h1>&lt;i&gt;Ada&lt;/i&gt;</h1>" in text
    assert "<script>" not in text
    for absent in (bob.user_id, new_id(), "nonsense"):
        async with deployment.client().get(f"/instructors/{absent}") as answer:
            assert answer.status == 404
