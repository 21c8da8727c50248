"""Traces: what the kernel itself keeps of people in each plugin's database, to be handed out and to be erased.

These are events on their way and in the log, and the first answers to requests. The kernel contributes them for every
plugin, so that no plugin has to do anything for it but to say in its events what is `personal`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final, Protocol

from kernel.capabilities import Contribution
from kernel.redaction import Identifiers


class Traces(Protocol):
    """The kernel's share of one plugin's database."""

    def export(self, person: Identifiers) -> AsyncIterator[tuple[str, bytes]]:
        """Yield files, each with its name, with every event and answer that tells of the person."""
        ...

    async def erase(self, person: Identifiers) -> None:
        """Take the person's values out of events, which stay as they are else; forget the answers they were given.

        Safe to repeat. An event that is to be handled yet is handled, without the values.
        """
        ...

    async def scrub(self) -> None:
        """Remove what was deleted and replaced from the files, too, of the plugin's own tables as well.

        That takes as long as the files are large: give it no limit, which they might outgrow, and ask for it once,
        after all that is to be erased. Safe to repeat.

        Raises:
            errors.DatabaseError: it was not done; try again.
        """
        ...


TRACES: Final[Contribution[Traces]] = Contribution("traces", 1)
