"""Acts are kept: each once, with all that was told of it."""

from __future__ import annotations

from kernel import new_id
from kernel.contracts.audit import ActRecorded
from kernel.testing import teller
from kernel.testing.contracts.audit.deployed import DeployedAudit, watered


class KeepingContract:
    """What every provider keeps of what administrators did."""

    async def test_act_is_kept_with_all_that_was_told(self, harness: DeployedAudit) -> None:
        """Who, for whom, what, to what, from where, why, before and after, when and by which plugin."""
        told = ActRecorded(
            action="garden.water",
            subject="bed:7",
            about=new_id(),
            actor=new_id(),
            acting_as=new_id(),
            origin="203.0.113.7",
            reason="Größe: „trocken“.",
            before={"wet": False, "ml": 0, "beds": [1, {"a": None}]},
            after={"wet": True, "ml": 250},
        )
        before = harness.deployment.clock.now()

        (event,) = await harness.tell(told)

        shown = await harness.shown()
        assert [(act.event_id, act.source) for act in shown] == [(event, teller.NAME)]
        seen = {name: getattr(shown[0], name) for name in told.__struct_fields__}
        assert seen == {name: getattr(told, name) for name in told.__struct_fields__}
        assert before <= shown[0].time <= harness.deployment.clock.now()

    async def test_act_of_the_command_line_has_no_actor(self, harness: DeployedAudit) -> None:
        """And what is not known stays unknown."""
        await harness.tell(ActRecorded(action="garden.water", subject="bed:1", actor=None))

        shown = await harness.shown()

        assert [(act.actor, act.acting_as, act.before, act.after, act.reason) for act in shown] == [
            (None, None, None, None, "")
        ]

    async def test_acts_are_counted_by_what_they_concern(self, harness: DeployedAudit) -> None:
        """The whole name of it, and nothing that only begins alike."""
        await harness.tell(watered("bed:1"), watered("bed:1"), watered("bed:11"))

        assert [await harness.audit.count(bed) for bed in ("bed:1", "bed:11", "bed:", "bed:2")] == [2, 1, 0, 0]

    async def test_acts_that_are_alike_are_each_kept(self, harness: DeployedAudit) -> None:
        """Whoever does the same twice did it twice."""
        act = watered()

        ids = await harness.tell(act, act)

        assert {one.event_id for one in await harness.shown()} == set(ids)
        assert await harness.audit.count("bed:1") == 2
