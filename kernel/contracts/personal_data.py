"""`personal_data/1`: what a plugin knows of a person, to be handed out and to be erased.

Every plugin that stores anything of people contributes it. Both questions are answered from the plugin's own database;
what the kernel keeps for the plugin there (events, first answers to requests) is the kernel's to hand out and erase.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final, Protocol
from uuid import UUID

import msgspec

from kernel.capabilities import Contribution


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """Whose data it is about."""

    user_id: UUID
    #: as the sign-in knows it; in an erasure empty where it was forgotten before, or is another account's by now
    email: str


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """One file of an export."""

    name: str  #: within the plugin's folder, such as `statement.csv`
    content: bytes


def document(name: str, content: object) -> Document:
    """Return the file *name* with *content* as JSON, laid out for people."""
    return Document(name=name, content=msgspec.json.format(msgspec.json.encode(content)))


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What was not erased."""

    what: str
    why: str  #: the duty or the interest that it is kept for, for people


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What an erasure came to."""

    erased: tuple[str, ...] = ()  #: what, for people
    kept: tuple[Kept, ...] = ()


class PersonalData(Protocol):
    """Hands out and erases what one plugin knows of a person."""

    def export(self, subject: Subject) -> AsyncIterator[Document]:
        """Yield all that the plugin knows of the person, in a form that a machine can read; none for nothing."""
        ...

    async def erase(self, subject: Subject) -> Receipt:
        """Erase what is not kept for a reason, and take the name off what is; safe to repeat, with the same receipt.

        Claim nothing of what is only found by an address that is not told.
        """
        ...


PERSONAL_DATA: Final[Contribution[PersonalData]] = Contribution("personal_data", 1)
