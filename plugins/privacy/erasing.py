"""Carrying erasures through, in the background: whatever dies in between, what is left to do stands in the database."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from kernel import Context, errors
from kernel.contracts.auth import AUTH, LastAdministrator
from kernel.contracts.mail import MAIL, requested
from kernel.contracts.personal_data import Kept, Receipt, Subject
from plugins.privacy import erasures
from plugins.privacy.contributors import Contributor, Roll
from plugins.privacy.erasures import Erasure, Step
from plugins.privacy.receipts import ADDRESS_FORGOTTEN, ADDRESS_TAKEN, added, receipt_message
from plugins.privacy.retrying import delay_after
from plugins.privacy.settings import PrivacySettings

LEASE: Final = timedelta(minutes=10)
#: Longer than any request or event handler may take: what they read before has come to rest after it.
SETTLING: Final = timedelta(seconds=60)
MAIL_PAUSE: Final = timedelta(seconds=5)  # between two looks whether the receipt has left
#: Longer than `mail/1` tries to send a mail: one that has not left by then was lost before it came there.
MAIL_LIMIT: Final = timedelta(days=4)
MAILS: Final = 2  # tries, each for as long
#: However long a plugin fails, and whatever becomes of the receipt: no erasure that is under way knows an address for
#: longer, unless those that wait for plugins may.
ADDRESS_LIMIT: Final = timedelta(days=14)


class Overtaken(errors.LyceumError):
    """Another process was faster; it goes on from there."""


class Erasing:
    """Carries erasures through; any number of processes may try at once."""

    def __init__(self, ctx: Context[PrivacySettings]) -> None:
        self._ctx = ctx
        self._roll = ctx.own(Roll)
        self.asked = asyncio.Event()

    async def run(self) -> None:
        """Go on with every erasure of which something is due."""
        on = await self._roll.call()
        await self._take_up(on)
        while (erasure := await self._claim()) is not None:
            try:
                await self._go_on(erasure, on)
            except Overtaken:
                self._ctx.log.info("erasure left to another", action="erasure", erasure=str(erasure.id))
            except Exception as error:  # the next claim comes after the lease; the others do not wait for it
                self._log_failure(erasure, "the erasure itself", error)

    async def close(self, erasure: Erasure) -> None:
        """Close the account and end its sessions.

        Raises:
            LastAdministrator: nobody would administer any more; the erasure is refused.
        """
        try:
            await self._ctx.services.get(AUTH).close(erasure.user_id)
        except LastAdministrator:
            await self._end(erasure, erasures.REFUSED)
            raise
        await self._move(erasure, erasures.ERASING, self._now)

    async def _take_up(self, on: Mapping[str, Contributor]) -> None:
        """Go on with what waited for those that are *on* again; forget the addresses that waited too long."""
        await self._ctx.db.run(erasures.RESUME, plugins=sorted(on), now=self._now)
        kept = timedelta(days=self._ctx.settings.address_days)
        before, long_before = self._now - kept, self._now - max(kept, ADDRESS_LIMIT)
        await self._ctx.db.run(erasures.FORGET_ADDRESSES, before=before, long_before=long_before)

    async def _claim(self) -> Erasure | None:
        return await self._ctx.db.first(erasures.CLAIM, now=self._now, until=self._now + LEASE)

    async def _go_on(self, erasure: Erasure, on: Mapping[str, Contributor]) -> None:
        match erasure.state:
            case erasures.ASKED:
                await self._close_or_refuse(erasure)
            case erasures.ERASING:
                await self._erase(erasure, on)
            case erasures.MAILING:
                await self._await_mail(erasure)
            case erasures.CONFIRMING:
                await self._confirm(erasure, on)

    async def _close_or_refuse(self, erasure: Erasure) -> None:
        try:
            await self.close(erasure)
        except LastAdministrator:
            self._ctx.log.warning("the last administrator is not erased", action="erasure", erasure=str(erasure.id))

    async def _erase(self, erasure: Erasure, on: Mapping[str, Contributor]) -> None:
        await self._ctx.db.run(erasures.ADD_STEPS, erasure=erasure.id, now=self._now)
        left = await self._ask(erasure, on, erasures.UNANSWERED, erasures.ANSWERED)
        if left is not None:
            await self._put_off(erasure, left)
        elif erasure.receipt_id is None and erasure.unsent_at is None:
            await self._mail(erasure)
        else:  # it had been done before, but for plugins that were off
            await self._ctx.db.run(erasures.ASK_AGAIN, erasure=erasure.id, now=self._now)
            await self._move_to_confirming(erasure)

    async def _mail(self, erasure: Erasure) -> None:
        """Tell the person what came of it, once: the mail and the next state commit together."""
        if erasure.sealed_email is None:
            return await self._give_up_mail(erasure)
        steps = await self._ctx.db.all(erasures.STEPS, erasure=erasure.id)
        message = receipt_message(self._email(erasure), steps, deployment=self._ctx.deployment.name)
        again = self._now + SETTLING
        async with self._ctx.db.transaction() as session:
            mail = await self._ctx.events.publish(session, requested(self._ctx.secrets, message))
            values = {"before": erasure.state, "asked_for": erasure.mails, "again": again, "mail": mail}
            if not await session.run(erasures.AWAIT, erasure=erasure.id, until=self._now + MAIL_PAUSE, **values):
                raise Overtaken
        return None

    async def _await_mail(self, erasure: Erasure) -> None:
        provider, asked_at = self._ctx.services.find(MAIL), (erasure.again_at or self._now) - SETTLING
        if erasure.receipt_id and provider and await provider.has_left(erasure.receipt_id):
            await self._move(erasure, erasures.CONFIRMING, erasure.again_at or self._now)
        elif self._now < asked_at + MAIL_LIMIT:
            await self._put_off(erasure, self._now + MAIL_PAUSE)
        elif erasure.mails < MAILS:
            await self._mail(erasure)
        else:
            await self._give_up_mail(erasure)

    async def _give_up_mail(self, erasure: Erasure) -> None:
        """Note that nobody was told what came of it, and go on: the address is not to be kept for that."""
        self._ctx.log.error("receipt of an erasure not sent", action="erasure", erasure=str(erasure.id))
        values = {"before": erasure.state, "now": self._now, "until": self._now + SETTLING}
        await self._ctx.db.run(erasures.GIVE_UP_MAIL, erasure=erasure.id, **values)

    async def _confirm(self, erasure: Erasure, on: Mapping[str, Contributor]) -> None:
        left = await self._ask(erasure, on, erasures.ANSWERED, erasures.CONFIRMED)
        steps = await self._ctx.db.all(erasures.STEPS, erasure=erasure.id)
        if left is not None:
            await self._put_off(erasure, left)
        elif all(step.state == erasures.CONFIRMED for step in steps):
            await self._ctx.db.run(erasures.FORGET_ADDRESS, erasure=erasure.id)
            await on[self._ctx.name].scrub()
            await self._end(erasure, erasures.DONE)
            self._ctx.log.info("erasure done", action="erasure", erasure=str(erasure.id))
        else:
            await self._move(erasure, erasures.WAITING, None)

    async def _ask(self, erasure: Erasure, on: Mapping[str, Contributor], before: str, after: str) -> datetime | None:
        """Ask whoever is on, is due and has only come to *before*; return when to ask the next one, None for never."""
        for step in await self._steps(erasure, on, before):
            if step.next_at <= self._now:
                await self._put_off(erasure, self._now + LEASE)
                await self._ask_one(erasure, step, on[step.plugin], after)
        return min((step.next_at for step in await self._steps(erasure, on, before)), default=None)

    async def _steps(self, erasure: Erasure, on: Mapping[str, Contributor], state: str) -> list[Step]:
        steps = await self._ctx.db.all(erasures.STEPS, erasure=erasure.id)
        return [step for step in steps if step.state == state and step.plugin in on]

    async def _ask_one(self, erasure: Erasure, step: Step, contributor: Contributor, after: str) -> None:
        place = {"erasure": erasure.id, "of_plugin": step.plugin}
        try:
            receipt = added(step.receipt, await self._answer(erasure, contributor))
            if after == erasures.CONFIRMED:
                await contributor.scrub()
        except Exception as error:
            self._log_failure(erasure, step.plugin, error)
            attempts = step.attempts + 1
            values = {"made": attempts, "until": self._now + delay_after(attempts), "reason": type(error).__name__}
            await self._ctx.db.run(erasures.FAIL, **place, **values)
        else:
            told = msgspec.to_builtins(receipt)
            await self._ctx.db.run(erasures.ANSWER, **place, new_state=after, told=told, now=self._now)

    async def _answer(self, erasure: Erasure, contributor: Contributor) -> Receipt:
        """Have one plugin erase: by the address only while no other account has it, whose data it would lead to."""
        email = self._email(erasure)
        if not email:
            return await self._answer_by_number(erasure, contributor, ADDRESS_FORGOTTEN)
        if await self._ctx.services.get(AUTH).holder(email) not in (None, erasure.user_id):
            return await self._answer_by_number(erasure, contributor, ADDRESS_TAKEN)
        return await contributor.erase(Subject(user_id=erasure.user_id, email=email))

    async def _answer_by_number(self, erasure: Erasure, contributor: Contributor, left: Kept) -> Receipt:
        receipt = await contributor.erase(Subject(user_id=erasure.user_id, email=""))
        return msgspec.structs.replace(receipt, kept=(*receipt.kept, left))

    def _email(self, erasure: Erasure) -> str:
        return self._ctx.secrets.unseal(erasure.sealed_email).decode() if erasure.sealed_email else ""

    async def _move_to_confirming(self, erasure: Erasure) -> None:
        await self._move(erasure, erasures.CONFIRMING, self._now + SETTLING)

    async def _move(self, erasure: Erasure, after: str, until: datetime | None) -> None:
        values = {"before": erasure.state, "after": after, "again": erasure.again_at, "mail": erasure.receipt_id}
        await self._ctx.db.run(erasures.MOVE, erasure=erasure.id, until=until, **values)

    async def _end(self, erasure: Erasure, after: str) -> None:
        ended = self._now
        await self._ctx.db.run(erasures.END, erasure=erasure.id, before=erasure.state, after=after, ended=ended)

    async def _put_off(self, erasure: Erasure, until: datetime) -> None:
        """Look again after *until*.

        Raises:
            Overtaken: it has moved on. Whoever is asked to erase now would erase the receipt, too.
        """
        if not await self._ctx.db.run(erasures.PUT_OFF, erasure=erasure.id, before=erasure.state, until=until):
            raise Overtaken

    def _log_failure(self, erasure: Erasure, who: str, error: Exception) -> None:
        # The kind alone: what the error says may quote what is to be erased.
        facts = {"erasure": str(erasure.id), "failed": who, "error": type(error).__name__}
        self._ctx.log.warning("not erased yet; tried again later", action="erasure", **facts)

    @property
    def _now(self) -> datetime:
        return self._ctx.clock.now()
