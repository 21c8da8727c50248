"""The mail that tells a person what came of the erasure, when it does not leave."""

from __future__ import annotations

import asyncio
from typing import Any, Final
from uuid import UUID

import pytest
import sqlalchemy as sa

from kernel.database import Command, Query
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from plugins.mail.tables import mails
from plugins.privacy import erasures, tables
from plugins.privacy.erasing import ADDRESS_LIMIT, MAIL_LIMIT, MAIL_PAUSE, Erasing, Overtaken
from plugins.privacy.receipts import ADDRESS_FORGOTTEN
from plugins.privacy.settings import PrivacySettings
from tests.plugins.privacy.diaries import DiaryPlugin, diary_of
from tests.plugins.privacy.story import EMAIL, ask_erasure, carried_on, seen

FEW: Final = ("auth", "mail", "privacy", "users")
LOSE_MAILS: Final = Command(sa.delete(mails))
ADDRESSES: Final = Query(
    sa.select(sa.func.count().label("count")).where(tables.erasures.c.sealed_email.is_not(None)), int
)


async def asked_and_lost(deployment: Deployment) -> str:
    """Have a person erased whose receipt is lost before it leaves; return the erasure."""
    person = await deployment.sign_in(EMAIL)
    deployment.mailbox.refuse = "451 later"
    asked = await ask_erasure(person)
    await carried_on(deployment, asked["id"], "mailing")
    await lose(deployment)
    deployment.mailbox.refuse = None
    return str(asked["id"])


async def lose(deployment: Deployment) -> None:
    await deployment.settle()
    await deployment.platform.context("mail").db.run(LOSE_MAILS)


async def run(deployment: Deployment) -> None:
    await deployment.platform.context("privacy").own(Erasing).run()
    await deployment.settle()


async def addresses(deployment: Deployment) -> int:
    """Return how many erasures know an address."""
    return await deployment.platform.context("privacy").db.one(ADDRESSES)


def receipts(deployment: Deployment) -> list[Any]:
    return [mail for mail in deployment.mailbox.messages if "erased" in mail.subject]


async def test_receipt_that_was_lost_is_asked_for_again(deploy: Deploy) -> None:
    """After some days, and not before: it comes, once, and the erasure goes on."""
    deployment = await deploy(*FEW)
    erasure = await asked_and_lost(deployment)

    deployment.clock.advance((MAIL_LIMIT - MAIL_PAUSE).total_seconds() - 120)
    await run(deployment)
    early = await seen(deployment, erasure)
    deployment.clock.advance(240)
    done = await carried_on(deployment, erasure, "done")

    assert early["state"] == "mailing"
    assert [mail.to for mail in receipts(deployment)] == [EMAIL]
    assert done["receipt_unsent_at"] is None


async def test_receipt_that_is_lost_again_is_given_up(deploy: Deploy) -> None:
    """The erasure comes to its end without it and says so, and the address is forgotten."""
    deployment = await deploy(*FEW)
    erasure = await asked_and_lost(deployment)
    deployment.mailbox.refuse = "451 later"
    deployment.clock.advance(MAIL_LIMIT.total_seconds())
    await run(deployment)
    await lose(deployment)
    again = await seen(deployment, erasure)

    deployment.clock.advance(MAIL_LIMIT.total_seconds())
    done = await carried_on(deployment, erasure, "done")

    assert (again["state"], again["receipt_unsent_at"]) == ("mailing", None)
    assert done["receipt_unsent_at"] is not None
    assert receipts(deployment) == []
    assert await addresses(deployment) == 0


@pytest.mark.parametrize("address_days", [0, PrivacySettings().address_days])
async def test_address_is_forgotten_though_a_plugin_fails_for_ever(deploy: Deploy, address_days: int) -> None:
    """Then no mail can tell what came of it, which is noted; the plugin is asked by number until it answers."""
    deployment = await deploy(*FEW, plugins=[DiaryPlugin], settings={"privacy": {"address_days": address_days}})
    person = await deployment.sign_in(EMAIL)
    diary_of(deployment).broken = True
    asked = await ask_erasure(person)
    await run(deployment)
    deployment.clock.advance(86400)
    await run(deployment)
    kept = await addresses(deployment)

    deployment.clock.advance(max(address_days, ADDRESS_LIMIT.days) * 86400)
    await run(deployment)
    forgotten = await addresses(deployment)
    diary_of(deployment).broken = False
    deployment.clock.advance(900)
    done = await carried_on(deployment, asked["id"], "done")

    assert (kept, forgotten) == (1, 0)
    assert done["receipt_unsent_at"] is not None
    diary = {step["plugin"]: step for step in done["steps"]}["diary"]
    assert ADDRESS_FORGOTTEN.why in [left["why"] for left in diary["kept"]]


@pytest.mark.postgresql_only
async def test_processes_that_ask_again_at_once_send_one_receipt(deploy: Deploy) -> None:
    """Both find that the first one was lost; one of them asks for the second."""
    deployment = await deploy(*FEW)
    twin = await deployment.twin()
    erasure = await asked_and_lost(deployment)
    processes = [one.platform.context("privacy") for one in (deployment, twin)]
    deployment.clock.advance(MAIL_LIMIT.total_seconds())
    found = [await ctx.db.one(erasures.ONE, erasure=UUID(erasure)) for ctx in processes]

    tries = (ctx.own(Erasing)._await_mail(one) for ctx, one in zip(processes, found, strict=True))
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    await carried_on(deployment, erasure, "done")

    assert any(isinstance(outcome, Overtaken) for outcome in outcomes)
    assert len(receipts(deployment)) == 1
