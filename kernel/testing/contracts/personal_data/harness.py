"""What the kit of `personal_data/1` needs beside the contributor, and what its tests share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from kernel import new_id
from kernel.contracts.personal_data import PERSONAL_DATA, Document, PersonalData, Subject
from kernel.testing.deployment import Deployment


@dataclass(frozen=True, kw_only=True)
class Somebody:
    """A person of whom the plugin knows something. All values are this person's alone."""

    subject: Subject
    shown: tuple[str, ...]  #: what a copy must show, as it stands in one
    erased: tuple[str, ...] = ()  #: those of them that no copy shows after the erasure


class PersonalDataHarness(Protocol):
    """What the kit needs beside the contributor itself."""

    @property
    def personal_data(self) -> PersonalData:
        """The contributor."""
        ...

    async def somebody(self) -> Somebody:
        """Have the plugin come to know a new person, in the way in which it comes to know people."""
        ...


def contributor_of(deployment: Deployment, plugin: str) -> PersonalData:
    """Return what *plugin* contributes."""
    return dict(deployment.platform.services.named(PERSONAL_DATA))[plugin]


def stranger() -> Subject:
    """Return somebody of whom no plugin knows anything."""
    return Subject(user_id=new_id(), email="stranger@nowhere.test")


async def copy_of(harness: PersonalDataHarness, subject: Subject) -> list[Document]:
    """Return the whole copy."""
    return [document async for document in harness.personal_data.export(subject)]


def shows(copy: list[Document], value: str) -> bool:
    """Return whether *value* stands in *copy*, in a name or a content."""
    return any(value in document.name or value.encode() in document.content for document in copy)
