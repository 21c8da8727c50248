"""The files of an erased person's data are scrubbed once, and however long that takes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest

from kernel.database.postgres import PostgresDatabase
from kernel.database.sqlite import SqliteDatabase
from kernel.testing.deploying import Deploy
from plugins.privacy import contributors
from tests.plugins.privacy.stores import places_of
from tests.plugins.privacy.story import EMAIL, ask_erasure, carried_on

FEW: Final = ("auth", "mail", "privacy", "users")
LIMIT: Final = 0.5  # seconds


def slowed(scrub: Callable[[Any], Awaitable[None]], ended: Counter[int]) -> Callable[[Any], Awaitable[None]]:
    """Return *scrub* as it is where a file is so large that it takes longer than a plugin has to erase."""

    async def slow(database: Any) -> None:
        await asyncio.sleep(2 * LIMIT)
        await scrub(database)
        ended[id(database)] += 1

    return slow


async def test_large_files_do_not_keep_an_erasure_from_its_end(deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of each plugin are scrubbed once, after the second answer, and nothing is left in them."""
    ended: Counter[int] = Counter()
    for database in (SqliteDatabase, PostgresDatabase):
        monkeypatch.setattr(database, "scrub", slowed(database.scrub, ended))
    monkeypatch.setattr(contributors, "LIMIT", LIMIT)
    deployment = await deploy(*FEW)
    person = await deployment.sign_in(EMAIL)

    asked = await ask_erasure(person)
    done = await carried_on(deployment, asked["id"], "done")

    assert [step["failures"] for step in done["steps"]] == [0] * len(FEW)
    assert sorted(ended.values()) == [1, 1, 1, 2]  # that of the erasures once more, for the address
    assert await places_of(deployment, [EMAIL]) == {EMAIL: set()}


async def test_file_that_can_not_be_scrubbed_is_tried_again(deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The erasure does not end before it could."""
    deployment = await deploy(*FEW)
    person = await deployment.sign_in(EMAIL)
    asked = await ask_erasure(person)
    await carried_on(deployment, asked["id"], "mailing")
    kind = SqliteDatabase if deployment.platform.context("privacy").db.dialect == "sqlite" else PostgresDatabase
    scrub, failures = kind.scrub, Counter[int]()

    async def fails_once(database: Any) -> None:
        failures[id(database)] += 1
        if failures[id(database)] == 1:
            raise OSError("the disk is full")
        await scrub(database)

    monkeypatch.setattr(kind, "scrub", fails_once)
    await carried_on(deployment, asked["id"], "done")

    assert sorted(failures.values()) == [2, 2, 2, 3]
