"""What the log knows of a person: handed out in pages, and kept for a reason that is told."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import msgspec

from kernel import new_id
from kernel.contracts.personal_data import PERSONAL_DATA, PersonalData, Subject
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from plugins.audit.log import ADD, Act
from plugins.audit.personal_data import PAGE
from tests.plugins.audit.telling import do, open_garden, somebody


def contribution(deployment: Deployment) -> PersonalData:
    (personal,) = deployment.platform.services.all(PERSONAL_DATA)
    return personal


def subject(user: UUID | None) -> Subject:
    assert user is not None
    return Subject(user_id=user, email="ada@example.org")


async def exported(deployment: Deployment, user: UUID | None) -> list[list[dict[str, Any]]]:
    """Return the acts in each file of the person's copy."""
    found = [document async for document in contribution(deployment).export(subject(user))]
    assert [document.name for document in found] == [f"acts-{number}.json" for number in range(1, len(found) + 1)]
    return [json.loads(document.content) for document in found]


async def test_person_gets_what_was_done_by_and_about_them(deploy: Deploy) -> None:
    """On their account and on what is theirs; nothing about others, and who did it to them is not told."""
    deployment = await open_garden(deploy)
    ada, admin = somebody(deployment), somebody(deployment)
    await do(ada, subject="bed:1")
    await do(admin, subject=f"account:{ada.user}", reason="Spam.")
    await do(admin, subject="grant:7", reason="She asked so kindly.", about=str(ada.user))
    await do(admin, subject="grant:8", reason="He did not.", about=str(new_id()))
    await do(admin, subject="bed:2")
    await deployment.settle()

    (acts,) = await exported(deployment, ada.user)

    assert [(act["subject"], act["by_you"], act["reason"]) for act in acts] == [
        ("bed:1", True, ""),
        (f"account:{ada.user}", False, "Spam."),
        ("grant:7", False, "She asked so kindly."),
    ]
    assert [bool(act["origin"]) for act in acts] == [True, False, False]
    assert str(admin.user) not in str(acts)
    assert await exported(deployment, new_id()) == []


async def test_receipt_says_what_the_log_keeps_and_why(deploy: Deploy) -> None:
    """What one did, what was done to one, both or nothing; an erasure changes none of it."""
    deployment = await open_garden(deploy)
    doer, bearer = somebody(deployment), somebody(deployment)
    await do(doer, subject="grant:7", reason="Kindness.", about=str(bearer.user))
    await deployment.settle()
    erase = contribution(deployment).erase

    did, bore, neither = [await erase(subject(user)) for user in (doer.user, bearer.user, new_id())]

    assert [kept.what[:14] for kept in did.kept] == ["what you did a"]
    assert [kept.what[:14] for kept in bore.kept] == ["what administr"]
    assert all("the log can not be changed" in kept.why for kept in (*did.kept, *bore.kept))
    assert (did.erased, bore.erased, neither.erased, neither.kept) == ((), (), (), ())
    assert await erase(subject(bearer.user)) == bore
    assert "Kindness." in str(await exported(deployment, bearer.user))


async def test_copy_of_many_acts_comes_in_pages(deploy: Deploy) -> None:
    """Each act once and in order, though many happened at one moment and concern the person in several ways."""
    deployment = await open_garden(deploy)
    ada, moment, total = new_id(), deployment.clock.now(), 2 * PAGE + 7
    rows = [
        Act(
            number=number,
            event_id=new_id(),
            happened_at=moment,
            action="garden.water",
            subject=f"account:{ada}" if number % 2 else "bed:1",
            actor=ada if number % 3 else None,
            acting_as=None,
            origin="",
            reason="",
            before=None,
            after=None,
            source="garden",
            correlation_id=new_id(),
            link=b"",
            about=None if number % 6 else ada,
        )
        for number in range(1, total + 1)
    ]
    await deployment.platform.context("audit").db.run_many(ADD, [msgspec.structs.asdict(row) for row in rows])

    pages = await exported(deployment, ada)

    assert [len(page) for page in pages] == [PAGE, PAGE, 7]
    assert [act["number"] for page in pages for act in page] == list(range(1, total + 1))
