"""The kit of `audit/1` says of each of these providers, which break one promise, that it is broken."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
import pytest

from kernel.contracts.audit_http import ActQuery, ActSeen
from kernel.testing.contracts.audit import AuditContract, DeployedAudit, deploy_audit
from kernel.testing.deploying import Deploy
from kernel.testing.fakes.audit import InMemoryAudit, InMemoryAuditPlugin
from tests.contracts.broken import assert_found

Test = Callable[[DeployedAudit], Awaitable[None]]
KIT = AuditContract()


class ForgetsForWhom(InMemoryAudit):
    """Does not keep that somebody stood in for another."""

    def keep(self, act: ActSeen) -> None:
        super().keep(msgspec.structs.replace(act, acting_as=None))


class KeepsOneOfEachKind(InMemoryAudit):
    """Takes acts that are alike for one."""

    def keep(self, act: ActSeen) -> None:
        if not any(one.subject == act.subject for one in self._acts.values()):
            super().keep(act)


class CountsWhatBeginsAlike(InMemoryAudit):
    """Confuses the first account with the eleventh."""

    async def count(self, subject: str) -> int:
        return sum(act.subject.startswith(subject) for act in self._acts.values())


class IgnoresTheEnd(InMemoryAudit):
    """Takes an end for none."""

    def acts(self, query: ActQuery | None = None) -> list[ActSeen]:
        return super().acts(query and msgspec.structs.replace(query, until=None))


class ShowsTheOldestFirst(InMemoryAudit):
    """Lists acts as they came."""

    def acts(self, query: ActQuery | None = None) -> list[ActSeen]:
        return list(reversed(super().acts(query)))


FAULTS: dict[type[InMemoryAudit], Test] = {
    ForgetsForWhom: KIT.test_act_is_kept_with_all_that_was_told,
    KeepsOneOfEachKind: KIT.test_acts_that_are_alike_are_each_kept,
    CountsWhatBeginsAlike: KIT.test_acts_are_counted_by_what_they_concern,
    IgnoresTheEnd: KIT.test_acts_are_found_by_who_what_to_what_and_when,
    ShowsTheOldestFirst: KIT.test_acts_are_shown_newest_first_in_pages,
}


@pytest.mark.sqlite_only
@pytest.mark.parametrize(("provider", "test"), FAULTS.items(), ids=lambda value: getattr(value, "__name__", "kit"))
async def test_kit_fails_a_provider_that_breaks_a_promise(
    deploy: Deploy, provider: type[InMemoryAudit], test: Test
) -> None:
    """The test that holds the promise fails with the broken provider, and passes with the whole one."""

    class Broken(InMemoryAuditPlugin):
        kind = provider

    whole = await deploy_audit(deploy, plugins=[InMemoryAuditPlugin])

    await assert_found(test, whole=whole, broken=await deploy_audit(deploy, plugins=[Broken]))
