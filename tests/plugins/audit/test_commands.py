"""`lyceum audit …`, against a deployment that runs."""

from __future__ import annotations

import json

from kernel.testing.deploying import Deploy
from tests.plugins.audit.telling import do, open_garden, somebody
from tests.plugins.audit.test_log import tamper


async def test_verify_prints_the_end_and_knows_it_again(deploy: Deploy) -> None:
    """Whoever noted an end sees that everything up to it is as it was."""
    deployment = await open_garden(deploy)
    await do(somebody(deployment), times=2)
    await deployment.settle()
    report = json.loads((await deployment.command("audit", "verify", json=True)).stdout)
    await do(somebody(deployment))
    await deployment.settle()

    result = await deployment.command("audit", "verify", "--known", report["end"])

    assert (result.exit_code, report["acts"], report["faults"]) == (0, 2, [])
    assert "The log is as it was written: 3 acts." in result.output


async def test_verify_finds_a_log_that_was_written_anew(deploy: Deploy) -> None:
    """Its links fit each other, but not the one that was noted; nor does a log that lost its end."""
    deployment = await open_garden(deploy)
    await do(somebody(deployment), times=2)
    await deployment.settle()

    other = await deployment.command("audit", "verify", "--known", f"2:{'00' * 32}")
    longer = await deployment.command("audit", "verify", "--known", f"9:{'00' * 32}")
    nonsense = await deployment.command("audit", "verify", "--known", "last")

    assert (other.exit_code, longer.exit_code, nonsense.exit_code) == (1, 1, 2)
    assert "its link is not the known one: the log was written anew" in other.output
    assert "the act 9, whose link is known, is gone" in longer.output
    assert "'last' is not of the form NUMBER:LINK" in nonsense.output


async def test_verify_fails_where_an_act_was_changed(deploy: Deploy) -> None:
    """With exit code 1, so that a watchdog sees it."""
    deployment = await open_garden(deploy)
    await do(somebody(deployment), times=2)
    await deployment.settle()
    await tamper(deployment, "UPDATE acts SET reason = 'forged' WHERE number = 1")

    result = await deployment.command("audit", "verify")

    assert result.exit_code == 1
    assert "The log was tampered with." in result.output


async def test_acts_are_listed(deploy: Deploy) -> None:
    """For people and for programs, with the same filters."""
    deployment = await open_garden(deploy)
    ada = somebody(deployment)
    await do(ada, subject="bed:1", action="garden.water", reason="It was dry.")
    await do(somebody(deployment), subject="bed:2")
    await deployment.settle()

    everything = await deployment.command("audit", "list")
    found = json.loads(
        (await deployment.command("audit", "list", "--actor", str(ada.user), "--since", "2020-01-01", json=True)).stdout
    )
    nothing = await deployment.command("audit", "list", "--until", "2020-01-01T00:00")

    assert "It was dry." in everything.output
    assert [(act["subject"], act["action"]) for act in found] == [("bed:1", "garden.water")]
    assert nothing.output.strip() == "no such act"
