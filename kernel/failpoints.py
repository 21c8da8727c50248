"""Failpoints: named places in the code at which a test lets a process die, fail or wait.

`LYCEUM_FAILPOINTS="enrollments.charged=kill,events.sent=raise|once"` arms them, for the whole life of a process and in
development only. Where the variable is unset, every failpoint is one and the same function that does nothing.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal, cast

from kernel import errors

VARIABLE: Final = "LYCEUM_FAILPOINTS"

#: Awaited where the code stands: `await CHARGED()`.
Failpoint = Callable[[], Awaitable[None]]
Action = Literal["kill", "raise", "sleep"]

_ORDER: Final = re.compile(
    r"(?P<name>[a-z0-9_.-]+)=(?P<action>kill|raise|sleep:(?P<ms>[0-9]+))(?:\|(?:(?P<once>once)|skip:(?P<skip>[0-9]+)))*"
)


class Reached(Exception):
    """A failpoint that was told to raise was reached."""


@dataclass
class Order:
    """What is to happen at one failpoint; counts how often it still is to be passed."""

    action: Action
    seconds: float
    skip: int  #: how often nothing happens first
    once: bool

    async def follow(self, name: str) -> None:
        """Do it, if it is its turn."""
        self.skip -= 1
        if self.skip >= 0 or (self.once and self.skip < -1):
            return
        if self.action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.action == "raise":
            raise Reached(name)
        await asyncio.sleep(self.seconds)


class Failpoints:
    """The failpoints of one process, armed as *text* says."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._orders = _read(text)
        self._declared: set[str] = set()

    def declare(self, name: str) -> Failpoint:
        """Return the failpoint *name*, to be awaited where it stands; declare it once, when its module is imported."""
        self._declared.add(name)
        order = self._orders.get(name)
        if order is None:
            return _nothing

        async def reached() -> None:
            await order.follow(name)

        return reached

    def check(self, *, development: bool) -> None:
        """Refuse what can not be meant, once every plugin has been imported.

        Raises:
            errors.InvalidSettings: failpoints are armed outside of development, one is unknown, or an order is not
                understood.
        """
        if not self._text:
            return
        if not development:
            raise errors.InvalidSettings(
                f"{VARIABLE} lets processes die on purpose; unset it, or set [server] development = true"
            )
        orders = self._text.split(",")
        if unread := [order for order in orders if not is_order(order)]:
            message = "write name=kill, name=raise or name=sleep:MILLISECONDS, and |once or |skip:TIMES behind it"
            raise errors.InvalidSettings(f"{VARIABLE}: {', '.join(map(repr, unread))} is no order; {message}")
        if unknown := sorted(self._orders.keys() - self._declared):
            known = ", ".join(sorted(self._declared))
            raise errors.InvalidSettings(f"{VARIABLE}: there is no failpoint {', '.join(unknown)}; there are {known}")


def is_order(text: str) -> bool:
    """Return whether *text* is the order for one failpoint, such as `events.sent=raise|once`."""
    return _ORDER.fullmatch(text) is not None


async def _nothing() -> None:
    """Be passed."""


def _read(text: str) -> dict[str, Order]:
    found = (_ORDER.fullmatch(order) for order in text.split(","))
    return {
        match["name"]: Order(
            action=cast(Action, match["action"].partition(":")[0]),
            seconds=int(match["ms"] or 0) / 1000,
            skip=int(match["skip"] or 0),
            once=match["once"] is not None,
        )
        for match in found
        if match is not None
    }


#: Those of this process. Read once, at the first import: a failpoint is bound before anything runs.
PROCESS: Final = Failpoints(os.environ.get(VARIABLE, ""))
failpoint: Final = PROCESS.declare
