"""The kit of `mail/1` says of each of these providers, which break one promise, that it is broken."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

import msgspec
import pytest

from kernel.contracts.mail import Message
from kernel.testing.contracts.in_memory import mails_in_memory
from kernel.testing.contracts.mail import DeployedMail, MailContract, MailDurabilityContract, deploy_mail
from kernel.testing.deploying import Deploy
from kernel.testing.fakes.mail import InMemoryMail, InMemoryMailPlugin
from tests.contracts.broken import assert_found

Test = Callable[[DeployedMail], Awaitable[None]]
KIT, LASTING = MailContract(), MailDurabilityContract()

pytestmark = pytest.mark.sqlite_only


class SendsAgain(InMemoryMail):
    """Forgets which mails have left."""

    def put(self, mail_id: UUID, sealed: str) -> None:
        if mail_id in self._left:
            self._waiting[UUID(int=mail_id.int + 1)] = sealed
        super().put(mail_id, sealed)


class SaysThatAllHasLeft(InMemoryMail):
    """Answers before it knows."""

    async def has_left(self, mail_id: UUID) -> bool:
        return True


class DropsWhatIsRefused(InMemoryMail):
    """Tries once."""

    def refuse(self, refusing: bool) -> None:
        self._waiting.clear()
        super().refuse(refusing)

    async def has_left(self, mail_id: UUID) -> bool:
        return mail_id not in self._waiting

    async def waiting(self) -> int:
        return 1 if self._refusing else 0


class SendsTheNewestFirst(InMemoryMail):
    """Keeps no order."""

    def arrived(self) -> list[Message]:
        return list(reversed(super().arrived()))


class CutsTexts(InMemoryMail):
    """Sends the first line."""

    def _opened(self, sealed: str) -> Message | None:
        found = super()._opened(sealed)
        return found and msgspec.structs.replace(found, text=found.text.partition("\n")[0])


class SendsTextAlone(InMemoryMail):
    """Leaves the HTML out."""

    def _opened(self, sealed: str) -> Message | None:
        found = super()._opened(sealed)
        return found and msgspec.structs.replace(found, html="")


class CutsUrls(InMemoryMail):
    """Has room for a line of a header."""

    def _opened(self, sealed: str) -> Message | None:
        found = super()._opened(sealed)
        return found and msgspec.structs.replace(found, unsubscribe=found.unsubscribe[:78])


class TakesAnyUrl(InMemoryMail):
    """Puts into a header whatever comes."""

    def _opened(self, sealed: str) -> Message | None:
        return msgspec.json.decode(self._secrets.unseal(sealed), type=Message)


class KnowsItsOwnVersionAlone(InMemoryMail):
    """Gives up what it does not know to the letter."""

    def _opened(self, sealed: str) -> Message | None:
        names = msgspec.json.decode(self._secrets.unseal(sealed), type=dict[str, str])
        return super()._opened(sealed) if set(names) == set(Message.__struct_fields__) else None


class SendsNothingToNobody(InMemoryMail):
    """Sends an empty mail where there is nothing to send any more."""

    def put(self, mail_id: UUID, sealed: str) -> None:
        if not sealed:
            self._left[mail_id] = Message(to="ada@example.org", subject="", text="")
        super().put(mail_id, sealed)


FAULTS: dict[type[InMemoryMail], Test] = {
    SendsAgain: KIT.test_mail_that_is_asked_for_again_by_the_same_event_left_already,
    SaysThatAllHasLeft: KIT.test_mail_that_nobody_asked_for_has_not_left,
    DropsWhatIsRefused: KIT.test_mail_waits_until_it_is_taken,
    SendsTheNewestFirst: KIT.test_mails_to_one_person_leave_in_order,
    SendsTextAlone: KIT.test_mail_in_html_is_in_text_too,
    CutsUrls: KIT.test_mail_says_where_to_unsubscribe,
    TakesAnyUrl: KIT.test_mail_that_tells_no_url_to_unsubscribe_is_given_up,
    KnowsItsOwnVersionAlone: KIT.test_mail_of_another_version_leaves,
    CutsTexts: KIT.test_mail_leaves_as_it_was_asked_for,
    SendsNothingToNobody: KIT.test_mail_to_somebody_who_was_erased_is_none,
}


@pytest.mark.parametrize(("provider", "test"), FAULTS.items(), ids=lambda value: getattr(value, "__name__", "kit"))
async def test_kit_fails_a_provider_that_breaks_a_promise(
    deploy: Deploy, provider: type[InMemoryMail], test: Test
) -> None:
    """The test that holds the promise fails with the broken provider, and passes with the whole one."""

    class Broken(InMemoryMailPlugin):
        kind = provider

    whole = await deploy_mail(deploy, plugins=[InMemoryMailPlugin], outside=mails_in_memory)
    broken = await deploy_mail(deploy, plugins=[Broken], outside=mails_in_memory)

    await assert_found(test, whole=whole, broken=broken)


class Letterbox:
    """Keeps what came, whatever becomes of who sent it."""

    def __init__(self) -> None:
        self._messages: list[Message] = []

    def put(self, message: Message) -> None:
        self._messages.append(message)

    def arrived(self) -> list[Message]:
        return self._messages

    def refuse(self, refusing: bool) -> None:
        raise AssertionError("nobody asks for it here")


async def test_kit_fails_a_provider_that_forgets_at_its_end(deploy: Deploy) -> None:
    """It sends again what it sent before."""
    letterbox = Letterbox()

    class Forgetful(InMemoryMail):
        def _opened(self, sealed: str) -> Message | None:
            found = super()._opened(sealed)
            if found is not None:
                letterbox.put(found)
            return found

    class Broken(InMemoryMailPlugin):
        kind = Forgetful

    await assert_found(
        LASTING.test_mail_that_left_does_not_leave_again_after_a_restart,
        whole=await deploy_mail(deploy, "mail"),
        broken=await deploy_mail(deploy, plugins=[Broken], outside=lambda deployment: letterbox),
    )
