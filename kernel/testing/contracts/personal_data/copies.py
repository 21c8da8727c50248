"""Copies: all that is known of a person, and of nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import PurePosixPath
from typing import Final, cast

import msgspec

from kernel.contracts.personal_data import Document, Subject
from kernel.testing.contracts.personal_data.harness import PersonalDataHarness, copy_of, shows, stranger

PATIENCE: Final = 10.0  # seconds


class CopiesContract:
    """What every contributor keeps when it hands out what it knows."""

    async def test_copy_shows_what_is_known(self, harness: PersonalDataHarness) -> None:
        """All of it, and nothing of anybody else."""
        ada, bob = await harness.somebody(), await harness.somebody()

        for person, other in ((ada, bob), (bob, ada)):
            copy = await copy_of(harness, person.subject)
            assert [value for value in person.shown if not shows(copy, value)] == []
            assert [value for value in other.shown if shows(copy, value)] == []

    async def test_copy_consists_of_files_that_machines_read(self, harness: PersonalDataHarness) -> None:
        """Each has a name of its own within the plugin's folder, and what is called JSON is JSON."""
        copy = await copy_of(harness, (await harness.somebody()).subject)

        names = [document.name for document in copy]
        assert names
        assert len(set(names)) == len(names)
        for document in copy:
            path = PurePosixPath(document.name)
            assert path.name
            assert not path.is_absolute()
            assert ".." not in path.parts
            if path.suffix == ".json":
                msgspec.json.decode(document.content)

    async def test_copy_of_a_stranger_is_empty(self, harness: PersonalDataHarness) -> None:
        """Also where no address is known any more: that is nobody's, and not everybody's."""
        await harness.somebody()
        nobody = stranger()

        assert await copy_of(harness, nobody) == []
        assert await copy_of(harness, Subject(user_id=nobody.user_id, email="")) == []

    async def test_copy_is_the_same_again(self, harness: PersonalDataHarness) -> None:
        """Copying changes nothing; two at once do not either."""
        subject = (await harness.somebody()).subject
        first = await copy_of(harness, subject)

        assert await asyncio.gather(*(copy_of(harness, subject) for _ in range(3))) == [first] * 3

    async def test_copy_that_is_read_slowly_holds_nothing_up(self, harness: PersonalDataHarness) -> None:
        """Whoever has a file of it may take an hour for the next one, or never ask: others go on meanwhile."""
        ada, bob = await harness.somebody(), await harness.somebody()
        reading = [cast(AsyncGenerator[Document], harness.personal_data.export(ada.subject)) for _ in range(20)]

        async with asyncio.timeout(PATIENCE):
            started = [await anext(one) for one in reading]
            assert await copy_of(harness, bob.subject)
            await harness.personal_data.erase(bob.subject)

        assert started == started[:1] * len(reading)
        for one in reading:
            await one.aclose()
