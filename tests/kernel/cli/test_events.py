"""`lyceum events`: what waits, what died, and another chance for both."""

from __future__ import annotations

import pytest

from kernel.cli import Console
from kernel.context import Context
from kernel.contracts.auth import UserRegistered
from kernel.database import Command
from kernel.database.tables import inbox
from kernel.ids import new_id
from kernel.settings import NoSettings
from tests.kernel.cli.conftest import Terminal


@pytest.fixture
def migrated(terminal: Terminal) -> Terminal:
    """A terminal whose deployment has auth, mail and users, and up-to-date databases."""
    terminal.config.write_text('[plugins]\nenabled = ["auth", "mail", "users"]\n')
    assert terminal.type("migrate").code == 0
    return terminal


async def tell(ctx: Context[NoSettings]) -> None:
    person = UserRegistered(user_id=new_id(), email="a@example.org", display_name="", locale="en", roles=())
    async with ctx.db.transaction() as session:
        await ctx.events.publish(session, person)


def test_lag_shows_what_waits(migrated: Terminal) -> None:
    """An event that nobody carries yet waits for its relay, and the table says of which plugin."""
    Console(config_files=(migrated.config,), quiet=True).run("auth", tell)
    lag = migrated.type("--json", "events", "lag").json()
    table = migrated.type("events", "lag")

    assert {one["plugin"]: one["waiting"] for one in lag["sources"]}["auth"] == 1
    assert any(row.startswith("auth 1 ") for row in table.rows())
    assert "users registered 0 0 0" in table.rows()


def test_dead_is_empty_where_nothing_failed(migrated: Terminal) -> None:
    """People read a word, programs an empty list; an unknown plugin is refused."""
    assert migrated.type("events", "dead").out == "no dead events\n"
    assert migrated.type("--json", "events", "dead", "users").json() == []
    assert migrated.type("events", "dead", "web").err.startswith("lyceum: 'web' handles no events; ")


def test_replay_has_handlers_see_events_again(migrated: Terminal) -> None:
    """What is replayed was published since the given time, for the handlers that want it."""
    console = Console(config_files=(migrated.config,), quiet=True)
    console.run("auth", tell)
    console.within(lambda platform: platform.events.settle())
    again = migrated.type("events", "replay", "auth", "--since", "2020-01-01", "--plugin", "users")
    later = migrated.type("--json", "events", "replay", "auth", "--since", "2999-01-01")

    assert (again.code, again.out) == (0, "1 to be handled once more\n")
    assert later.json() == {"events": 0}


def test_retry_counts_what_it_gave_another_chance(migrated: Terminal) -> None:
    """Without dead events there is nothing to retry; the events are named, or all are meant."""
    assert migrated.type("events", "retry", "--all").out == "0 to be handled again\n"
    assert migrated.type("events", "retry", str(new_id())).out == "0 to be handled again\n"
    assert migrated.type("events", "retry", str(new_id()), "--all").code == 2


async def bury(ctx: Context[NoSettings]) -> None:
    values = dict.fromkeys(inbox.c.keys()) | {
        "seq": 1,
        "handler": "registered",
        "event_id": new_id(),
        "source": "auth",
        "type": "auth.user_registered.v1",
        "key": "1",
        "data": b"{}",
        "correlation_id": new_id(),
        "created_at": ctx.clock.now(),
        "state": "dead",
        "attempts": 8,
        "next_at": ctx.clock.now(),
        "last_error": "RuntimeError: no such street",
    }
    await ctx.db.run(Command(inbox.insert()), **values)


def test_dead_events_can_be_seen_and_retried(migrated: Terminal) -> None:
    """A dead event is shown with its last error; retried, it waits again."""
    Console(config_files=(migrated.config,), quiet=True).run("users", bury)
    dead = migrated.type("--json", "events", "dead").json()
    retried = migrated.type("events", "retry", dead[0]["event"], "--plugin", "users")

    assert [(one["plugin"], one["handler"], one["attempts"], one["last_error"]) for one in dead] == [
        ("users", "registered", 8, "RuntimeError: no such street")
    ]
    assert retried.out == "1 to be handled again\n"
    assert migrated.type("events", "dead").out == "no dead events\n"
