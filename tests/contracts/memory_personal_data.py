"""What the kit of `personal_data/1` needs beside a contributor in memory."""

from __future__ import annotations

from kernel import new_id
from kernel.contracts.personal_data import Subject
from kernel.testing.contracts.personal_data import Somebody
from kernel.testing.fakes.personal_data import InMemoryPersonalData


class InMemoryHarness:
    """Notes and books, without a deployment."""

    def __init__(self, kind: type[InMemoryPersonalData] = InMemoryPersonalData) -> None:
        self.personal_data = kind()

    async def somebody(self) -> Somebody:
        person = new_id()
        note, entry = f"note on {person}", f"entry of {person}"
        self.personal_data.note(person, note)
        self.personal_data.enter(person, entry)
        subject = Subject(user_id=person, email=f"{person}@example.org")
        return Somebody(subject=subject, shown=(note, entry), erased=(note,))
