"""Who is in one room: by this process, which knows their connections, and by others, as they have told."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from kernel.contracts.chat_socket import Sender

_SIZE = 16  # bytes of an id


class Attendance:
    """Counts everybody once, by however many connections and processes they are there."""

    def __init__(self) -> None:
        self.joined: dict[UUID, Sender] = {}  #: who came since it was last told
        self.left: set[UUID] = set()  #: who went
        self.shown = 0  #: as how many those in the room were told that they are
        self._here: Counter[UUID] = Counter()  # person → connections
        self._told: dict[UUID, tuple[frozenset[bytes], float]] = {}  # process → people, and when it told
        self._elsewhere: frozenset[bytes] = frozenset()
        self._twice = 0  # people who are here and elsewhere

    def __len__(self) -> int:
        """Return how many people there are."""
        return len(self._here) + len(self._elsewhere) - self._twice

    def __contains__(self, user_id: UUID) -> bool:
        return user_id in self._here or user_id.bytes in self._elsewhere

    @property
    def here(self) -> bool:
        """Whether anybody is in the room by this process."""
        return bool(self._here)

    @property
    def forgotten(self) -> bool:
        """Whether there is nothing to be known of the room any more."""
        return not (self._here or self._told or self.joined or self.left)

    def came(self, person: Sender) -> None:
        """Take note of one connection more."""
        self._here[person.id] += 1
        if self._here[person.id] > 1:
            return
        self._twice += person.id.bytes in self._elsewhere
        if person.id in self.left:
            self.left.discard(person.id)
        else:
            self.joined[person.id] = person

    def went(self, user_id: UUID) -> None:
        """Take note of one connection less."""
        self._here[user_id] -= 1
        if self._here[user_id]:
            return
        del self._here[user_id]
        self._twice -= user_id.bytes in self._elsewhere
        if self.joined.pop(user_id, None) is None:
            self.left.add(user_id)

    def packed(self) -> bytes:
        """Return who is here, as `told` takes it."""
        return b"".join(user_id.bytes for user_id in self._here)

    def told(self, process: UUID, packed: bytes, now: float) -> None:
        """Take note of who is there by another process."""
        people = frozenset(packed[start : start + _SIZE] for start in range(0, len(packed), _SIZE))
        self._told.pop(process, None)
        if people:
            self._told[process] = people, now
        self._count()

    def forget(self, earliest: float) -> None:
        """Forget the processes that have told nothing since *earliest*."""
        kept = {process: told for process, told in self._told.items() if told[1] >= earliest}
        if len(kept) < len(self._told):
            self._told = kept
            self._count()

    def _count(self) -> None:
        self._elsewhere = frozenset().union(*(people for people, _ in self._told.values()))
        self._twice = sum(user_id.bytes in self._elsewhere for user_id in self._here)
