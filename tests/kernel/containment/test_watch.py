"""The watch: whoever keeps the event loop from turning is named, with the place in which it stands."""

from __future__ import annotations

import asyncio
import importlib
import io
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import structlog
import uvloop
from structlog.testing import capture_logs

from kernel import config, logs
from kernel.containment.blame import Owners
from kernel.containment.containment import KERNEL
from kernel.containment.watch import Watch, watching
from kernel.testing.printing import print_logs

LIMIT = 0.15
SLEEPER = """
import re
import time
from zlib import crc32


class Sleeper: ...


async def sleep(seconds):
    time.sleep(seconds)


async def compute(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        helper()


def helper():
    return sum(range(1000))


async def hold(seconds):
    grip()


def grip():
    re.fullmatch("(a|a)*b", "a" * 23)  # never lets the interpreter go


def brief():
    end = time.monotonic() + 0.001
    while time.monotonic() < end:
        pass


async def yielding(asyncio, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await asyncio.sleep(0)


async def debugged(seconds):
    exec(compile("time.sleep(seconds)", "pdb.py", "exec"), {"__name__": "pdb", "time": time, "seconds": seconds})
"""
Work = Callable[[], Awaitable[object]]
Blocked = list[tuple[str, float]]


@pytest.fixture
def sleeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A plugin's module."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "sleeper_plugin.py").write_text(SLEEPER)
    yield importlib.import_module("sleeper_plugin")
    del sys.modules["sleeper_plugin"]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def watched(request: pytest.FixtureRequest, sleeper: ModuleType) -> Callable[..., tuple[Blocked, list[Any]]]:
    """Runs work on a watched loop; returns who blocked it, and the lines of the log."""
    owners = Owners({"sleeper": sleeper.Sleeper})

    def run(*works: Work, limit: float = LIMIT) -> tuple[Blocked, list[Any]]:
        blocked: Blocked = []

        async def main() -> None:
            log = structlog.get_logger()
            with watching(limit, owners=owners, blocked=lambda *who: blocked.append(who), log=log):
                for work in works:
                    await asyncio.sleep(0.1)
                    await work()
                    await asyncio.sleep(0.1)

        with capture_logs() as logs, asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(main())
        return blocked, [line for line in logs if line["action"] == "blocked"]

    return run


@pytest.mark.parametrize("way", ["sleep", "compute"])
def test_plugin_that_blocks_the_loop_is_named_with_its_place(
    watched: Callable[..., tuple[Blocked, list[Any]]], sleeper: ModuleType, way: str
) -> None:
    """One line at the end of one long block, whether it sleeps or computes, with how long it took."""
    blocked, lines = watched(lambda: getattr(sleeper, way)(0.8))

    ((plugin, seconds),) = blocked
    (line,) = lines
    assert (plugin, line["plugin"], line["seconds"], line["over"]) == ("sleeper", "sleeper", seconds, True)
    assert 0.5 < seconds < 2
    assert any(frame.endswith(f" {way}") and "sleeper_plugin.py:" in frame for frame in line["stack"].splitlines())


@pytest.fixture
def lines(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """What is logged in the format that is the parameter; what is set up for that is undone afterwards."""
    stream, handlers, level = io.StringIO(), list(logging.root.handlers), logging.root.level
    logs.set_up(config.load([], {"LYCEUM_LOG__FORMAT": request.param}), stream)
    yield stream
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    print_logs()


@pytest.mark.parametrize("lines", ["console", "json"], indirect=True)
async def test_block_is_told_in_every_format_of_the_log(sleeper: ModuleType, lines: io.StringIO) -> None:
    """To people and to machines; and the watch goes on."""
    blocked: Blocked = []
    owners = Owners({"sleeper": sleeper.Sleeper})
    with watching(LIMIT, owners=owners, blocked=lambda *who: blocked.append(who), log=structlog.get_logger()):
        for _ in range(2):
            await asyncio.sleep(0.1)
            await sleeper.sleep(0.5)
        await asyncio.sleep(0.1)

    assert len(blocked) == 2
    assert "event loop blocked" in lines.getvalue()
    assert "sleeper_plugin.py:11 sleep" in lines.getvalue()


def test_plugin_that_holds_the_interpreter_is_named(
    watched: Callable[..., tuple[Blocked, list[Any]]], sleeper: ModuleType
) -> None:
    """A regular expression that runs wild stops every thread, the watch as well; it is caught as it lets go."""
    took = time.monotonic()
    asyncio.run(sleeper.hold(0))
    took = time.monotonic() - took
    blocked, _ = watched(lambda: sleeper.hold(0), limit=took / 15)

    assert [plugin for plugin, _ in blocked] == ["sleeper"]


async def test_plugin_that_holds_the_interpreter_right_after_the_sign_of_life_is_named(sleeper: ModuleType) -> None:
    """In the same turn of the loop: the watch learns of the sign when the hold is over."""
    took = time.monotonic()
    sleeper.grip()
    took = time.monotonic() - took
    blocked: Blocked = []
    owners, log = Owners({"sleeper": sleeper.Sleeper}), structlog.get_logger()
    watch = Watch(took / 15, owners=owners, blocked=lambda *who: blocked.append(who), log=log)

    class Sign(threading.Event):
        def set(self) -> None:
            super().set()
            if threading.current_thread() is threading.main_thread() and not watch._stopping.is_set() and not blocked:
                sleeper.grip()

    watch._turned = Sign()
    with capture_logs():
        watch.start()
        await asyncio.sleep(0.5)
        watch.stop()

    assert "sleeper" in {plugin for plugin, _ in blocked}


def test_blocks_in_a_row_are_each_counted_and_reported_once(
    watched: Callable[..., tuple[Blocked, list[Any]]], sleeper: ModuleType
) -> None:
    """The log is not to be filled by the same plugin again and again."""
    blocked, lines = watched(*[lambda: sleeper.sleep(0.5)] * 3)

    assert [plugin for plugin, _ in blocked] == ["sleeper"] * 3
    assert len(lines) == 1


def test_loop_that_turns_is_left_alone(watched: Callable[..., tuple[Blocked, list[Any]]], sleeper: ModuleType) -> None:
    """Work that lets others run, for however long, blocks nobody; nor does what is shorter than the limit."""
    blocked, lines = watched(lambda: sleeper.yielding(asyncio, 0.6), lambda: sleeper.sleep(0.02))

    assert (blocked, lines) == ([], [])


def test_loop_that_is_merely_busy_is_blamed_on_nobody(
    watched: Callable[..., tuple[Blocked, list[Any]]], sleeper: ModuleType
) -> None:
    """A thousand short pieces of work that were due at once are no plugin's fault, whoever has them."""

    async def crowd() -> None:
        for _ in range(1000):
            asyncio.get_running_loop().call_soon(sleeper.brief)

    blocked, _ = watched(crowd)

    assert {plugin for plugin, _ in blocked} <= {KERNEL}


def test_debugger_is_no_fault(watched: Callable[..., tuple[Blocked, list[Any]]], sleeper: ModuleType) -> None:
    """Whoever looks at a stopped program knows that it is stopped."""
    blocked, lines = watched(lambda: sleeper.debugged(0.6))

    assert (blocked, lines) == ([], [])


def test_limit_of_zero_watches_nothing(watched: Callable[..., tuple[Blocked, list[Any]]], sleeper: ModuleType) -> None:
    """There is no thread, even."""
    threads = threading.active_count()
    blocked, _ = watched(lambda: sleeper.sleep(0.4), limit=0)

    assert (blocked, threading.active_count()) == ([], threads)


def test_suspended_process_blames_nobody(
    watched: Callable[..., tuple[Blocked, list[Any]]], sleeper: ModuleType
) -> None:
    """A machine that slept did not turn its loop either; the watch did not run, and so knows nothing."""

    async def suspend() -> None:
        waking = subprocess.Popen([sys.executable, "-c", WAKE, str(os.getpid())])  # noqa: ASYNC220
        os.kill(os.getpid(), signal.SIGSTOP)
        waking.wait()

    blocked, lines = watched(suspend, limit=0.5)

    assert (blocked, lines) == ([], [])


#: Continues a process two seconds after it stopped.
WAKE = """
import os, signal, sys, time
pid = int(sys.argv[1])
while open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] != "T":
    time.sleep(0.01)
time.sleep(2)
os.kill(pid, signal.SIGCONT)
"""
