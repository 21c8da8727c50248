"""A harness for a provider of `mail/1` that runs in a deployment, and the world into which it sends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec

from kernel import Event
from kernel.contracts.mail import MAIL, Mail, MailRequested, Message, recipient_of, requested
from kernel.testing import teller
from kernel.testing.choices import PluginClass, Tables
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from kernel.testing.mailbox import Mailbox, ReceivedMail

PATIENCE: Final = 15.0  # seconds
PAUSE: Final = 0.01  # seconds
#: By how many seconds the clock moves in a pause, so that what is tried again later is tried now.
STEP: Final = 5.0


class Outside(Protocol):
    """Where mails go."""

    def arrived(self) -> Sequence[Message]:
        """Return all mails that came, in this order."""
        ...

    def refuse(self, refusing: bool) -> None:
        """Take no mails for now, or take them again."""
        ...


class SmtpOutside:
    """The SMTP server to which `deploy` points `[plugins.mail]`."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    def arrived(self) -> Sequence[Message]:
        return [_as_asked_for(one) for one in self._mailbox.messages]

    def refuse(self, refusing: bool) -> None:
        self._mailbox.refuse = "451 try later" if refusing else None


def _as_asked_for(mail: ReceivedMail) -> Message:
    return message(
        mail.subject,
        to=mail.to,
        text=mail.text.removesuffix("\n"),
        html=mail.html.removesuffix("\n"),
        unsubscribe=mail.unsubscribe,
    )


@dataclass
class DeployedMail:
    """A provider that nobody has asked for anything yet."""

    deployment: Deployment
    outside: Outside
    _names: tuple[str, ...]
    _choice: dict[str, Any]

    @property
    def mail(self) -> Mail:
        return self.deployment.platform.services.get(MAIL)

    async def ask(self, *messages: Message) -> list[UUID]:
        """Ask for *messages*; return the ids by which the provider knows them."""
        secrets = self.deployment.platform.context(teller.NAME).secrets
        return await self.tell(*(requested(secrets, message) for message in messages))

    async def ask_as(self, version: Mapping[str, str]) -> UUID:
        """Ask for the message that another version of `Message` writes as *version*; return its id."""
        secrets = self.deployment.platform.context(teller.NAME).secrets
        sealed = secrets.seal(msgspec.json.encode(version))
        (mail,) = await self.tell(MailRequested(recipient=recipient_of(secrets, version["to"]), sealed=sealed))
        return mail

    async def tell(self, *events: Event) -> list[UUID]:
        """Publish *events*; return their ids once the provider has heard of them."""
        return await teller.tell(self.deployment, *events)

    async def tell_again(self) -> None:
        """Have the provider handle everything that was told once more, as operators may."""
        await self.deployment.platform.events.administration.replay(teller.NAME, 1)
        await self.deployment.settle()

    async def leave(self, *mails: UUID) -> None:
        """Return once *mails* have left, as the provider says."""
        async with asyncio.timeout(PATIENCE):
            for mail in mails:
                while not await self.mail.has_left(mail):
                    self.deployment.clock.advance(STEP)
                    await asyncio.sleep(PAUSE)

    async def restart(self) -> None:
        """End the process, and start another one on the same database."""
        await self.deployment.restart(*self._names, **self._choice)


async def deploy_mail(
    deploy: Deploy,
    *names: str,
    plugins: Sequence[PluginClass] = (),
    settings: Tables | None = None,
    sections: Tables | None = None,
    outside: Callable[[Deployment], Outside] | None = None,
) -> DeployedMail:
    """Deploy the plugins *names*, one of which provides `mail/1`.

    *outside* is given the deployment and returns where its mails go; without it that is `deployment.mailbox`, a real
    SMTP server. The other arguments are those of `deploy`.
    """
    choice = {"plugins": (teller.teller_of(MailRequested), *plugins), "settings": settings, "sections": sections}
    deployment = await deploy(*names, **choice)  # type: ignore[arg-type]  # each is what its name says
    world = outside(deployment) if outside is not None else SmtpOutside(deployment.mailbox)
    return DeployedMail(deployment, world, names, choice)


def message(
    subject: str = "Hello",
    *,
    to: str = "ada@example.org",
    text: str = "Good morning.",
    html: str = "",
    unsubscribe: str = "",
) -> Message:
    """Return a message that can be sent."""
    return Message(to=to, subject=subject, text=text, html=html, unsubscribe=unsubscribe)
