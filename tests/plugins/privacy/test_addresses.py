"""The address of an erased person: it is used to find what is theirs only while it is nobody else's."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from kernel import new_id
from kernel.contracts.auth import AUTH, UserRegistered
from kernel.contracts.mail import recipient_of
from kernel.contracts.personal_data import PERSONAL_DATA, Subject
from kernel.database import Query
from kernel.database.tables import outbox
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from plugins.mail.tables import mails
from plugins.privacy.receipts import ADDRESS_FORGOTTEN, ADDRESS_TAKEN
from tests.plugins.auth.signing_in import SESSIONS, ask
from tests.plugins.privacy.diaries import DiaryPlugin, diary_of
from tests.plugins.privacy.story import EMAIL, ask_erasure, carried_on

FEW: Final = ("auth", "mail", "privacy", "users")
REGISTERED: Final = Query(sa.select(outbox.c.data).where(outbox.c.type == UserRegistered.name), bytes)
MAILS_TO: Final = Query(
    sa.select(sa.func.count().label("count")).where(mails.c.recipient == sa.bindparam("of_recipient")), int
)


def kept_by(found: Any, plugin: str) -> list[str]:
    (step,) = [step for step in found["steps"] if step["plugin"] == plugin]
    return [kept["why"] for kept in step["kept"]]


def erased_by(found: Any, plugin: str) -> list[str]:
    (step,) = [step for step in found["steps"] if step["plugin"] == plugin]
    return list(step["erased"])


async def mails_to_the_address(deployment: Deployment) -> int:
    mail = deployment.platform.context("mail")
    return await mail.db.one(MAILS_TO, of_recipient=recipient_of(mail.secrets, EMAIL))


async def test_who_has_the_address_by_now_is_not_touched(deploy: Deploy) -> None:
    """Their mails and events stay; the receipts say what was left, and what was erased before."""
    deployment = await deploy(*FEW, plugins=[DiaryPlugin])
    person = await deployment.sign_in(EMAIL)
    deployment.clock.advance(61)  # the next code may be asked for
    asked = await ask_erasure(person)
    first = await carried_on(deployment, asked["id"], "confirming")
    await deployment.mailbox.next(to=EMAIL)
    newcomer = await deployment.sign_in(EMAIL)
    await deployment.settle()
    mails_before = await mails_to_the_address(deployment)

    done = await carried_on(deployment, asked["id"], "done")

    assert newcomer.user != person.user
    assert [subject.email for subject in diary_of(deployment).asked] == [EMAIL, ""]
    assert {subject.user_id for subject in diary_of(deployment).asked} == {person.user}
    assert await mails_to_the_address(deployment) == mails_before > 0
    told = b"".join(await deployment.platform.context("auth").db.all(REGISTERED))
    assert told.count(EMAIL.encode()) == 1
    for plugin in (*FEW, "diary"):
        assert ADDRESS_TAKEN.why in kept_by(done, plugin)
        assert erased_by(done, plugin) == erased_by(first, plugin)


async def test_address_that_is_nobody_elses_is_told_each_time(deploy: Deploy) -> None:
    """Also after auth has forgotten it; nothing is left for its sake."""
    deployment = await deploy(*FEW, plugins=[DiaryPlugin])
    await deployment.sign_in("other@faraway.test")
    person = await deployment.sign_in(EMAIL)

    asked = await ask_erasure(person)
    done = await carried_on(deployment, asked["id"], "done")

    assert [subject.email for subject in diary_of(deployment).asked] == [EMAIL, EMAIL]
    assert not {ADDRESS_TAKEN.why, ADDRESS_FORGOTTEN.why} & {why for plugin in FEW for why in kept_by(done, plugin)}


async def test_sign_in_knows_whose_an_address_is(deploy: Deploy) -> None:
    """However it is written, closed accounts included; nobody's is None."""
    deployment = await deploy("auth", "mail")
    auth = deployment.platform.services.get(AUTH)
    account = await auth.grant(EMAIL, ["instructor"])

    await auth.close(account.id)

    assert await auth.holder(EMAIL) == await auth.holder(f" {EMAIL.upper()}") == account.id
    assert await auth.holder("nobody@faraway.test") is None


async def test_codes_of_an_account_outlive_the_erasure_of_another(deploy: Deploy) -> None:
    """Though the address is told: in that moment it may have become somebody else's."""
    deployment = await deploy("auth", "mail")
    await deployment.platform.services.get(AUTH).grant(EMAIL, ["instructor"])
    code = await ask(deployment, EMAIL)
    personal = dict(deployment.platform.services.named(PERSONAL_DATA))["auth"]

    await personal.erase(Subject(user_id=new_id(), email=EMAIL))

    await deployment.client().call("POST", SESSIONS, code.body(), expect=201)


async def test_plugin_claims_nothing_that_it_could_not_find(deploy: Deploy) -> None:
    """Mails are found by the address alone."""
    deployment = await deploy("auth", "mail")
    personal = dict(deployment.platform.services.named(PERSONAL_DATA))["mail"]

    receipt = await personal.erase(Subject(user_id=new_id(), email=""))

    assert receipt.erased == ()
