"""The rule for events: a handler that is given one twice leaves what it left the first time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from kernel.events.event import AnyEvent, Event, EventHandler
from kernel.ids import new_id
from kernel.lifecycle import Platform
from kernel.members import Member
from kernel.testing.conformance.contents import Contents
from kernel.testing.conformance.subject import Subject
from kernel.testing.conformance.verdicts import BROKEN, Finding, broken, not_checked
from kernel.testing.inboxes import Inboxes, Telling, telling
from kernel.testing.samples import Unimaginable, sample_event

SOURCE: Final = "conformance"
GIVE: Final = "give one that it acts on among the `samples` of `assert_conforms`"
MEND: Final = "make it an upsert or a conditional change"
_WHOLE: Final = AnyEvent(type="conformance.sample_told.v1", data=b"{}")


async def tolerates_redelivery(subject: Subject, platform: Platform, member: Member) -> AsyncIterator[Finding]:
    """Deliver each event that is handled twice, one handler after the other, and compare what is stored."""
    post = _Post(subject, platform, member)
    for handler in member.equipped().declarations.event_handlers:
        try:
            tried = [await post.twice(handler, event) for event in _events(subject, handler)]
        except Unimaginable as error:
            tried = [not_checked(f"{_what(handler)}: {error}; {GIVE}")]
        for finding in _telling(tried):
            yield finding


def _telling(tried: Sequence[Finding | None]) -> list[Finding]:
    """Return what came of all the events of one handler: it is known as soon as one of them shows something."""
    found = [finding for finding in tried if finding is not None]
    breaches = [finding for finding in found if finding.verdict == BROKEN]
    return breaches or (found[:1] if len(found) == len(tried) else [])


def _events(subject: Subject, handler: EventHandler) -> Iterator[Event]:
    given = [event for event in subject.samples if handler.wants(event.name)]
    if given:
        yield from given
    else:
        yield _WHOLE if handler.event is AnyEvent else sample_event(handler.event)


@dataclass(frozen=True)
class _Post:
    """Brings events to the subject's handlers."""

    subject: Subject
    platform: Platform
    member: Member

    async def twice(self, handler: EventHandler, event: Event) -> Finding | None:
        """Return what is wrong with a second delivery of *event*, or why nothing is known of it; None for sound."""
        id_ = new_id()
        # a source of its own, so that it does not wait behind one of the same key that was refused
        one = telling(event, self.subject.name, handler.name, event_id=id_, source=f"{SOURCE} {id_}")
        before = await self._contents()
        if refusal := await self._deliver(one):
            return not_checked(f"{refusal}; {GIVE}")
        first = await self._contents()
        if refusal := await self._deliver(one):
            return broken(f"{refusal}, the second time; let it find that it has handled the event, and do nothing")
        if changed := first.differences(await self._contents()):
            return broken(f"{_what(handler)} changes {', '.join(changed)} again when the event comes twice; {MEND}")
        if not before.differences(first):
            return not_checked(f"{_what(handler)} stored nothing of a made-up event; {GIVE}")
        return None

    async def _deliver(self, one: Telling) -> str:
        inboxes = Inboxes(self.platform)
        await inboxes.put(one)
        await self.platform.events.settle()
        return "; ".join(await inboxes.refusals([one.event_id]))

    async def _contents(self) -> Contents:
        migrations = self.member.migrations
        return await Contents.read(self.member.equipped().database, migrations.metadata if migrations else None)


def _what(handler: EventHandler) -> str:
    return f"the handler {handler.name} of {handler.wanted}"
