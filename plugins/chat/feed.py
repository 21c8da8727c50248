"""What goes on in one room, in one process: in order, without a hole, to everybody who is there."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from kernel import FanOut
from plugins.chat.frames import Batch, Encoded, changed

AHEAD_LIMIT: Final = 1000  # entries that are kept while one before them is missing


class Member(Protocol):
    """Somebody who is in a room by one connection."""

    @property
    def user_id(self) -> UUID: ...

    @property
    def staff(self) -> bool:
        """Whether the person moderates the room."""
        ...

    @property
    def checked_at(self) -> datetime:
        """When it was last found out that the person may be in the room."""
        ...

    def send_frames(self, frames: bytes) -> None:
        """Send what is framed already; never waits. Who has left the room ignores it."""
        ...

    def reconsider(self) -> None:
        """Find out anew whether the person may be in the room; never waits."""
        ...


#: Makes a frame of a message: `kernel.frame`.
Frame = Callable[[bytes], bytes]


class Feed:
    """The end of one room's log, and who follows it.

    `recent` is the hot history of the process: the last entries up to `last`, each as it stands now, without a hole.
    """

    def __init__(self, reached_epoch: UUID, recent: Sequence[Encoded], last: int, *, limit: int, frame: Frame) -> None:
        self.epoch = reached_epoch
        self.last = last  #: the offset of the last entry that was delivered
        self.recent: deque[Encoded] = deque(recent, limit)
        self._members: set[Member] = set()
        self._audience: tuple[Member, ...] | None = ()  # the same; None where it has to be made
        self._fan_out = FanOut()
        self._ahead: dict[int, Encoded] = {}
        self._frame = frame

    @property
    def members(self) -> tuple[Member, ...]:
        """Who is there: the same object while nobody comes or goes."""
        if self._audience is None:
            self._audience = tuple(self._members)
        return self._audience

    def enter(self, member: Member) -> None:
        """Send *member* what comes from now on."""
        self._members.add(member)
        self._audience = None

    def leave(self, member: Member) -> None:
        """Send *member* nothing that comes from now on."""
        self._members.discard(member)
        self._audience = None

    @property
    def hole(self) -> bool:
        """Whether entries have come without one before them."""
        return bool(self._ahead)

    def take(self, batch: Batch) -> None:
        """Deliver what follows on the last entry; keep what is ahead of it, and pass over what was delivered."""
        if batch.epoch != self.epoch:
            return
        following = [entry for entry in batch.entries if self._follows(entry)]
        while self.last + 1 in self._ahead:
            following.append(self._ahead.pop(self.last + 1))
            self.last += 1
        if self._ahead:
            self._ahead = {offset: entry for offset, entry in self._ahead.items() if offset > self.last}
        if following:
            self._remember(following)
            self._send(following)

    def since(self, offset: int) -> list[Encoded] | None:
        """Return the entries behind *offset*; None where they do not reach back that far."""
        missing = self.last - offset
        if missing < 0 or missing > len(self.recent):
            return None
        return [entry for entry in self.recent if entry.offset > offset]

    def tell(self, message: bytes) -> None:
        """Send *message*, which is no entry, to everybody."""
        self._fan_out.send(self.members, self._frame(message))

    def _follows(self, entry: Encoded) -> bool:
        if entry.offset == self.last + 1:
            self.last += 1
            return True
        if entry.offset > self.last and len(self._ahead) < AHEAD_LIMIT:
            self._ahead[entry.offset] = entry
        return False

    def _remember(self, following: Iterable[Encoded]) -> None:
        for entry in following:
            self.recent.append(entry)
            if entry.target is not None and entry.kind in ("edited", "removed"):
                self._change(entry, entry.target)

    def _change(self, change: Encoded, target: int) -> None:
        """Have nothing before *change* say any more what its message said until now: neither that nor its edits."""
        end = len(self.recent) - 1
        for place in range(max(end - (change.offset - target), 0), end):
            entry = self.recent[place]
            if entry.offset == target or (entry.kind == "edited" and entry.target == target):
                self.recent[place] = changed(entry, change)

    def _send(self, following: Sequence[Encoded]) -> None:
        if all(entry.concerned is None for entry in following):
            frames = b"".join(self._frame(entry.body) for entry in following)
            return self._fan_out.send(self.members, frames)
        by_sight: dict[tuple[bytes, ...], list[Member]] = {}
        for member in self.members:
            seen = tuple(entry.seen_by(member.user_id, staff=member.staff) for entry in following)
            by_sight.setdefault(seen, []).append(member)
        for seen, members in by_sight.items():
            self._fan_out.send(tuple(members), b"".join(map(self._frame, seen)))
        return None
