"""Erasures: who may ask, what happens in which order, and what stands in the way."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
import pytest
import sqlalchemy as sa

from kernel import new_id
from kernel.contracts.audit import ActRecorded
from kernel.database import Query
from kernel.database.tables import outbox
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from plugins.privacy.erasing import LEASE, Erasing
from tests.plugins.privacy.diaries import DiaryPlugin, diary_of
from tests.plugins.privacy.story import API, EMAIL, ask_erasure, carried_on, seen

FEW: Final = ("auth", "mail", "privacy", "users")
ACTS: Final = Query(sa.select(outbox.c.data).where(outbox.c.type == ActRecorded.name), bytes)
TYPES: Final = Query(sa.select(outbox.c.type).order_by(outbox.c.seq), str)


async def admin_and_person(deployment: Deployment) -> tuple[Client, Client]:
    return await deployment.people.administrator(), await deployment.sign_in(EMAIL)


async def test_erasure_tells_the_person_before_the_address_is_forgotten(deploy: Deploy) -> None:
    """The receipt says what each plugin erased and kept; it is read by an administrator too."""
    deployment = await deploy(*FEW, plugins=[DiaryPlugin])
    person = await deployment.sign_in(EMAIL)

    asked = await ask_erasure(person)
    done = await carried_on(deployment, asked["id"], "done")

    receipt = await deployment.mailbox.next(to=EMAIL)
    assert "diary: erased your diary" in receipt.text
    assert "diary: kept the cover, because it is pretty" in receipt.text
    assert [step["state"] for step in done["steps"]] == ["confirmed"] * 5
    assert [subject.email for subject in diary_of(deployment).asked] == [EMAIL, EMAIL]


async def test_account_is_closed_at_once(deploy: Deploy) -> None:
    """Its tokens are worth nothing any more, and nobody signs in to it; the address is free for somebody new."""
    deployment = await deploy(*FEW)
    admin, person = await admin_and_person(deployment)

    asked = await ask_erasure(person)

    await person.call("GET", f"{API}/users/me", expect=401)
    account = f"{API}/auth/accounts/{person.user}"
    assert (await admin.call("GET", account))["active"] is False
    await carried_on(deployment, asked["id"], "done")
    assert (await admin.call("GET", account))["email"] == f"{person.user}@erased.invalid"
    deployment.clock.advance(61)
    await deployment.mailbox.next(to=EMAIL)
    assert (await deployment.sign_in(EMAIL)).user != person.user


async def test_nobody_is_erased_by_mistake(deploy: Deploy) -> None:
    """Another address than one's own is refused, and nothing has happened."""
    deployment = await deploy(*FEW)
    _, person = await admin_and_person(deployment)

    refused = await person.call("POST", f"{API}/privacy/erasures", {"confirm": "other@faraway.test"}, expect=422)

    assert refused["errors"][0]["field"] == "body.confirm"
    assert EMAIL not in str(refused)
    await person.call("GET", f"{API}/users/me")


async def test_last_administrator_is_not_erased(deploy: Deploy) -> None:
    """The answer says why, and the administrator goes on; with a second one it is done."""
    deployment = await deploy(*FEW)
    admin = await deployment.people.administrator()
    reason = {"reason": "Wishes to go."}
    erase = f"{API}/privacy/accounts/{admin.user}/erasure"

    refused = await admin.call("POST", erase, reason, expect=409)

    assert refused["type"] == "/problems/last-administrator"
    await deployment.platform.context("privacy").own(Erasing).run()
    await admin.call("GET", f"{API}/users/me")
    second = await deployment.sign_in("second@school.test", roles=["admin"])
    asked = await second.call("POST", erase, reason, expect=202)
    assert (await carried_on(deployment, asked["id"], "done"))["user_id"] == str(admin.user)


async def test_erasure_by_an_administrator_is_recorded_with_its_reason(deploy: Deploy) -> None:
    """Once, however often it is asked for; the reason outlives the erasure."""
    deployment = await deploy(*FEW)
    admin, person = await admin_and_person(deployment)
    erase = f"{API}/privacy/accounts/{person.user}/erasure"

    first = await admin.call("POST", erase, {"reason": "By letter."}, expect=202)
    again = await admin.call("POST", erase, {"reason": "By letter."}, expect=202)

    assert again["id"] == first["id"]
    await admin.call("POST", f"{API}/privacy/accounts/{new_id()}/erasure", {"reason": "Who?"}, expect=404)
    types = await deployment.platform.context("privacy").db.all(TYPES)
    assert types.count("audit.act_recorded.v1") == 1
    await carried_on(deployment, first["id"], "done")
    (told,) = await deployment.platform.context("privacy").db.all(ACTS)
    act = msgspec.json.decode(told, type=ActRecorded)
    assert (act.action, act.subject, act.actor) == ("privacy.erase", f"account:{person.user}", admin.user)
    assert act.reason == "By letter."


async def test_others_do_not_see_an_erasure(deploy: Deploy) -> None:
    """It answers them like one that is not there."""
    deployment = await deploy(*FEW)
    admin, person = await admin_and_person(deployment)
    other = await deployment.sign_in("other@faraway.test")

    asked = await ask_erasure(person)

    await other.call("GET", f"{API}/privacy/erasures/{asked['id']}", expect=404)
    await admin.call("GET", f"{API}/privacy/erasures/{asked['id']}")


async def test_plugin_that_fails_is_asked_until_it_has_answered(deploy: Deploy) -> None:
    """The others do not wait for it, but the receipt does; what the failure says is shown nowhere."""
    deployment = await deploy(*FEW, plugins=[DiaryPlugin])
    person = await deployment.sign_in(EMAIL)
    diary_of(deployment).broken = True

    asked = await ask_erasure(person)
    privacy = deployment.platform.context("privacy").own(Erasing)
    for _ in range(5):
        await privacy.run()
        await asyncio.sleep(0.1)
        deployment.clock.advance(LEASE.total_seconds())
    found = await seen(deployment, asked["id"])

    assert found["state"] == "erasing"
    states = {step["plugin"]: (step["state"], step["failures"] > 1) for step in found["steps"]}
    assert states["users"] == ("answered", False)
    assert states["diary"] == ("unanswered", True)
    assert EMAIL not in str(found)
    diary_of(deployment).broken = False
    deployment.clock.advance(900)
    await carried_on(deployment, asked["id"], "done")


async def test_plugin_that_is_off_is_asked_when_it_is_on_again(deploy: Deploy) -> None:
    """Until then the erasure says for whom it waits; after that all are asked once more."""
    deployment = await deploy(*FEW, plugins=[DiaryPlugin])
    person = await deployment.sign_in(EMAIL)
    await deployment.platform.context("privacy").own(Erasing).run()
    await deployment.restart(*FEW)

    asked = await ask_erasure(person)
    waiting = await carried_on(deployment, asked["id"], "waiting")

    assert {step["plugin"]: step["state"] for step in waiting["steps"]}["diary"] == "off"
    assert "diary: is switched off" in (await deployment.mailbox.next(to=EMAIL)).text
    await deployment.restart(*FEW, plugins=[DiaryPlugin])
    done = await carried_on(deployment, asked["id"], "done")
    assert {step["state"] for step in done["steps"]} == {"confirmed"}
    assert [subject.email for subject in diary_of(deployment).asked] == [EMAIL, EMAIL]


async def test_nobody_waits_for_a_plugin_that_is_gone_for_good(deploy: Deploy) -> None:
    """Once the operator says so; a plugin that is on, or was never there, is refused."""
    deployment = await deploy(*FEW, plugins=[DiaryPlugin])
    person = await deployment.sign_in(EMAIL)
    await deployment.platform.context("privacy").own(Erasing).run()
    await deployment.restart(*FEW)
    asked = await ask_erasure(person)
    await carried_on(deployment, asked["id"], "waiting")

    wrong = await deployment.command("privacy", "forget", "users")
    right = await deployment.command("privacy", "forget", "diary")

    assert wrong.exit_code == 1
    assert "diary" in wrong.output
    assert right.exit_code == 0
    assert "diary" not in {step["plugin"] for step in (await carried_on(deployment, asked["id"], "done"))["steps"]}


async def test_what_a_plugin_answered_before_it_was_gone_for_good_stands(deploy: Deploy) -> None:
    """It can not be asked once more, and nobody waits for that; the operator's word is an act."""
    deployment = await deploy(*FEW, plugins=[DiaryPlugin])
    person = await deployment.sign_in(EMAIL)
    asked = await ask_erasure(person)
    await carried_on(deployment, asked["id"], "confirming")
    await deployment.restart(*FEW)
    await carried_on(deployment, asked["id"], "waiting")

    await deployment.command("privacy", "forget", "diary")
    done = await carried_on(deployment, asked["id"], "done")

    assert {step["plugin"]: step["state"] for step in done["steps"]}["diary"] == "confirmed"
    acts = [msgspec.json.decode(data) for data in await deployment.platform.context("privacy").db.all(ACTS)]
    assert [(act["action"], act["subject"]) for act in acts] == [("privacy.forget_plugin", "plugin:diary")]


async def test_address_is_forgotten_though_a_plugin_stays_off(deploy: Deploy) -> None:
    """After some days the plugin will be asked by the number alone."""
    deployment = await deploy(*FEW, plugins=[DiaryPlugin])
    person = await deployment.sign_in(EMAIL)
    await deployment.platform.context("privacy").own(Erasing).run()
    await deployment.restart(*FEW)
    asked = await ask_erasure(person)
    await carried_on(deployment, asked["id"], "waiting")

    deployment.clock.advance(31 * 86400)
    await deployment.platform.context("privacy").own(Erasing).run()
    await deployment.restart(*FEW, plugins=[DiaryPlugin])
    await carried_on(deployment, asked["id"], "done")

    assert {(subject.user_id, subject.email) for subject in diary_of(deployment).asked} == {(person.user, "")}


async def test_address_is_kept_until_the_receipt_has_left(deploy: Deploy) -> None:
    """While the mail server takes nothing the erasure waits for it; then the receipt comes, once."""
    deployment = await deploy(*FEW)
    person = await deployment.sign_in(EMAIL)
    deployment.mailbox.refuse = "451 later"

    asked = await ask_erasure(person)
    await carried_on(deployment, asked["id"], "mailing")
    deployment.clock.advance(120)
    await deployment.platform.context("privacy").own(Erasing).run()
    held = await seen(deployment, asked["id"])
    deployment.mailbox.refuse = None
    deployment.clock.advance(120)
    await carried_on(deployment, asked["id"], "done")

    assert held["state"] == "mailing"
    receipts = [mail for mail in deployment.mailbox.messages if "erased" in mail.subject]
    assert [mail.to for mail in receipts] == [EMAIL]


@pytest.mark.parametrize("steps", [1, 5, 20, 60, 150, 300])
async def test_erasure_survives_the_death_of_its_process(deploy: Deploy, steps: int) -> None:
    """Cut off after so many turns of the loop, again and again, it comes to its end, and tells the person once."""
    deployment = await deploy(*FEW, plugins=[DiaryPlugin])
    person = await deployment.sign_in(EMAIL)
    asked = await ask_erasure(person)
    erasing = deployment.platform.context("privacy").own(Erasing)

    for further in range(5):
        work = asyncio.ensure_future(erasing.run())
        for _ in range(steps * (further + 1)):
            await asyncio.sleep(0)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        deployment.clock.advance(LEASE.total_seconds())
    await carried_on(deployment, asked["id"], "done")

    receipts = [mail for mail in deployment.mailbox.messages if "erased" in mail.subject]
    assert len(receipts) == 1


async def test_process_that_was_overtaken_asks_nobody_any_more(deploy: Deploy) -> None:
    """One plugin keeps it for longer than its claim; the receipt that waits to leave meanwhile is not erased."""
    deployment = await deploy(*FEW, plugins=[DiaryPlugin])
    person = await deployment.sign_in(EMAIL)
    diary, erasing = diary_of(deployment), deployment.platform.context("privacy").own(Erasing)
    diary.open.clear()
    deployment.mailbox.refuse = "451 later"

    asked = await ask_erasure(person)
    late = asyncio.ensure_future(erasing.run())
    async with asyncio.timeout(30):
        await diary.reached.wait()
    waiting, diary.open = diary.open, asyncio.Event()
    diary.open.set()
    deployment.clock.advance(2 * LEASE.total_seconds())
    await carried_on(deployment, asked["id"], "mailing")
    waiting.set()
    await late
    deployment.mailbox.refuse = None
    deployment.clock.advance(LEASE.total_seconds())
    await carried_on(deployment, asked["id"], "done")

    receipts = [mail for mail in deployment.mailbox.messages if "erased" in mail.subject]
    assert [mail.to for mail in receipts] == [EMAIL]


@pytest.mark.postgresql_only
async def test_processes_that_erase_at_once_tell_the_person_once(deploy: Deploy) -> None:
    """Each may ask the plugins; the mail commits with the step that it tells of."""
    deployment = await deploy(*FEW, plugins=[DiaryPlugin])
    person = await deployment.sign_in(EMAIL)
    twin = await deployment.twin()
    asked = await ask_erasure(person)

    for _ in range(4):
        deployment.clock.advance(LEASE.total_seconds())
        both = (one.platform.context("privacy").own(Erasing).run() for one in (deployment, twin))
        await asyncio.gather(*both)
    await carried_on(deployment, asked["id"], "done")

    receipts = [mail for mail in deployment.mailbox.messages if "erased" in mail.subject]
    assert len(receipts) == 1


async def test_nobody_does_it_in_the_name_of_somebody_else(deploy: Deploy) -> None:
    """An administrator who stands in for a person can neither fetch their data nor erase them."""
    deployment = await deploy(*FEW)
    admin, person = await admin_and_person(deployment)
    mine = (await person.call("POST", f"{API}/privacy/exports", expect=202))["id"]
    acting = await admin.call("POST", f"{API}/auth/accounts/{person.user}/act-as", {"reason": "To help."}, expect=201)
    stand_in = deployment.client(token=acting["access_token"])

    for path in ("", f"/{mine}", f"/{mine}/archive"):
        await stand_in.call("GET", f"{API}/privacy/exports{path}", expect=403)
    await stand_in.call("POST", f"{API}/privacy/exports", expect=403)
    await stand_in.call("POST", f"{API}/privacy/erasures", {"confirm": EMAIL}, expect=403)

    await person.call("GET", f"{API}/users/me")


async def test_kept_mails_are_erased_too(deploy: Deploy) -> None:
    """Where mails are kept instead of sent, the mailbox holds none to the person afterwards, the receipt included."""
    deployment = await deploy(*FEW)
    person = await deployment.sign_in(EMAIL)
    await deployment.restart(*FEW, settings={"mail": {"delivery": "mailbox"}})
    deployment.clock.advance(61)
    await deployment.client().call("POST", f"{API}/auth/codes", {"email": EMAIL}, expect=202)
    await deployment.settle()
    before = (await deployment.command("mail", "list")).output

    asked = await ask_erasure(person)
    await carried_on(deployment, asked["id"], "done")

    assert EMAIL in before
    assert EMAIL not in (await deployment.command("mail", "list")).output
