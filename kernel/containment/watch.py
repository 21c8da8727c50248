"""The watch: a thread that notices when the event loop does not turn, and in whose code it stands still.

It asks the loop for a sign of life several times a second. Where none comes, it looks twice at the stack of the
loop's thread: the plugin that is innermost in what stands still both times is to blame. A loop that is merely busy has
moved on meanwhile, and nobody is blamed.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, process_time
from types import FrameType
from typing import Final

from structlog.typing import FilteringBoundLogger

from kernel.containment.blame import Owners
from kernel.containment.containment import KERNEL

AGAIN: Final = 0.05  # seconds between the two looks
REPORT_AFTER: Final = 5.0  # seconds after which a block is reported although it goes on
LATE: Final = 3  # limits, after half of which this thread rests, and a whole of which it waits
BUSY: Final = 0.1  # of the time on the processor: this process did run, among many others perhaps
REST: Final = 10.0  # seconds between two reports of the same plugin
DEPTH: Final = 25  # frames that are shown, the innermost
#: Who stands in a debugger does not block the loop, its person does.
_DEBUGGERS: Final = frozenset({"bdb", "pdb", "pydevd", "debugpy"})

#: Is told, in the loop, which plugin blocked it and for how many seconds at least.
Blocked = Callable[[str, float], None]


@contextmanager
def watching(limit: float, *, owners: Owners, blocked: Blocked, log: FilteringBoundLogger) -> Iterator[None]:
    """Watch the running loop while the block runs: no turn is to take more than *limit* seconds, 0 for any."""
    if not limit:
        yield
        return
    watch = Watch(limit, owners=owners, blocked=blocked, log=log)
    watch.start()
    try:
        yield
    finally:
        watch.stop()


class Watch:
    """Watches the loop that calls `start`, until `stop`."""

    def __init__(self, limit: float, *, owners: Owners, blocked: Blocked, log: FilteringBoundLogger) -> None:
        self._limit = limit
        self._owners = owners
        self._blocked = blocked
        self._log = log
        self._stopping = threading.Event()
        self._turned = threading.Event()
        self._reported: dict[str, float] = {}
        self._loop: asyncio.AbstractEventLoop
        self._watched = 0
        self._thread = threading.Thread(target=self._run, name="loop watch", daemon=True)

    def start(self) -> None:
        """Watch the loop that calls this."""
        self._loop, self._watched = asyncio.get_running_loop(), threading.get_ident()
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer."""
        self._stopping.set()
        self._turned.set()
        self._thread.join(1)

    def _run(self) -> None:
        began, used = monotonic(), process_time()
        while not self._stopping.wait(self._limit / 2):
            try:
                self._ask(began, used)
            except RuntimeError:  # the loop is closed
                return
            began, used = monotonic(), process_time()

    def _ask(self, began: float, used: float) -> None:
        """Ask the loop for a sign of life; this thread ran at *began*, when the process had *used* so much time."""
        frames = self._holding(began, used)
        asked = began if frames else monotonic()
        self._turned.clear()
        self._loop.call_soon_threadsafe(self._turned.set)
        if not frames:
            turned = self._turned.wait(self._limit)
            # Who holds the interpreter right after the sign keeps this thread from seeing it in time.
            frames = self._holding(began, used) or ([] if turned else self._standing())
        if frames and not self._stopping.is_set():
            self._wait_and_report(asked, frames)

    def _holding(self, began: float, used: float) -> list[FrameType]:
        """Return what held the interpreter for so long that this thread came late itself, and has only just let it go.

        Nothing where the time was not used: then the whole process, or the machine, did not run.
        """
        waited = monotonic() - began
        return self._stack() if waited > LATE * self._limit and process_time() - used > BUSY * waited else []

    def _standing(self) -> list[FrameType]:
        """Return what stands still, innermost first; nothing where the loop moves on."""
        before = set(self._stack())
        if self._turned.wait(AGAIN):
            return []
        return [frame for frame in self._stack() if frame in before]

    def _stack(self) -> list[FrameType]:
        return list(_outwards(sys._current_frames().get(self._watched)))  # noqa: SLF001 - the documented way

    def _wait_and_report(self, asked: float, frames: list[FrameType]) -> None:
        modules = {str(frame.f_globals.get("__name__", "")).partition(".")[0] for frame in frames}
        if modules & _DEBUGGERS:
            self._turned.wait()
            return
        plugin, stack = self._owners.innermost(frames) or KERNEL, _told(frames)
        over = self._turned.wait(max(0.0, asked + REPORT_AFTER - monotonic()))
        seconds = round(monotonic() - asked, 2)
        self._loop.call_soon_threadsafe(self._blocked, plugin, seconds)
        if monotonic() >= self._reported.get(plugin, 0.0):
            self._reported[plugin] = monotonic() + REST
            tell = self._log.warning if plugin == KERNEL else self._log.error
            tell("event loop blocked", action="blocked", plugin=plugin, seconds=seconds, over=over, stack=stack)
        self._turned.wait()


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _told(frames: list[FrameType]) -> str:
    """Return where *frames* stand, a line for each, the innermost last, as in a traceback."""
    shown = [f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}" for frame in frames[:DEPTH]]
    return "\n".join(shown[::-1])  # of `stack` the console's renderer takes nothing but text
