"""HTTP: acts are looked up by those who may."""

from __future__ import annotations

from kernel import new_id
from kernel.testing.contracts.audit.deployed import ACTS, DeployedAudit, watered


class ShowingContract:
    """What every provider answers about what administrators did."""

    async def test_acts_are_shown_newest_first_in_pages(self, harness: DeployedAudit) -> None:
        """Each once, also of those that happened at one moment, whatever comes meanwhile."""
        for second in range(3):
            await harness.tell(watered(f"bed:{second}"), watered(f"bed:{second}"))
            harness.deployment.clock.advance(1)
        root = harness.deployment.client("admin")

        first = await root.call("GET", f"{ACTS}?limit=3")
        await harness.tell(watered("bed:9"))
        rest = await root.call("GET", f"{ACTS}?limit=3&cursor={first['next']}")

        found = [*first["items"], *rest["items"]]
        assert [act["subject"] for act in found] == [f"bed:{second}" for second in (2, 2, 1, 1, 0, 0)]
        assert len({act["event_id"] for act in found}) == 6
        assert rest["next"] is None

    async def test_acts_are_found_by_who_what_to_what_and_when(self, harness: DeployedAudit) -> None:
        """Filters combine; the end of a time does not count itself."""
        ada, clock = new_id(), harness.deployment.clock
        begin = clock.now()
        await harness.tell(watered("bed:1", actor=ada))
        clock.advance(60)
        middle = clock.now()
        await harness.tell(watered("bed:2", actor=ada, action="garden.weed"), watered("bed:1"))
        clock.advance(60)

        async def count(**query: object) -> int:
            return len(await harness.shown(**query))

        assert await count(actor=ada) == await count(subject="bed:1") == await count(action="garden.water") == 2
        assert await count(actor=ada, subject="bed:1") == await count(action="garden.weed") == 1
        await harness.tell(watered("bed:3", action="garden.dig", about=ada))
        assert await count(about=ada) == 1
        assert await count(since=middle.isoformat()) == 3
        assert await count(until=middle.isoformat()) == 1
        assert await count(since=begin.isoformat(), until=middle.isoformat(), action="garden.weed") == 0
        assert await count(actor=new_id()) == await count(subject="bed:") == 0

    async def test_wrong_filter_is_refused(self, harness: DeployedAudit) -> None:
        """Rather than taken for none."""
        for query in ("since=yesterday", "since=2026-01-01T00:00:00", "until=0001-01-01T00:00:00Z", "who=me"):
            await harness.deployment.client("admin").call("GET", f"{ACTS}?{query}", expect=422)

    async def test_acts_are_for_those_who_may_see_them(self, harness: DeployedAudit) -> None:
        """And looking is not an act."""
        await harness.tell(watered())

        for role, status in ((None, 401), ("student", 403), ("instructor", 403), ("admin", 200)):
            await harness.deployment.client(role).call("GET", ACTS, expect=status)

        assert len(await harness.shown()) == 1
