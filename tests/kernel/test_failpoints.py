"""Failpoints: off they are nothing, armed they do what they were told, and mistakes are refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kernel import errors
from kernel.config import load
from kernel.failpoints import PROCESS, VARIABLE, Failpoints, Reached
from kernel.lifecycle import Platform


async def passes(failpoints: Failpoints, times: int) -> list[bool]:
    """Return of each of so many passes of `here` whether nothing happened."""
    here = failpoints.declare("here")
    found = []
    for _ in range(times):
        try:
            await here()
            found.append(True)
        except Reached:
            found.append(False)
    return found


def test_failpoints_that_are_not_armed_are_one_function_that_does_nothing() -> None:
    """Nothing is looked up while code runs."""
    failpoints = Failpoints("elsewhere=kill")

    assert failpoints.declare("here") is failpoints.declare("there") is PROCESS.declare("tests.never-armed")


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("here=raise", [False, False, False]),
        ("here=raise|once", [False, True, True]),
        ("here=raise|skip:1", [True, False, False]),
        ("here=raise|skip:1|once", [True, False, True]),
        ("there=raise,here=raise|once", [False, True, True]),
    ],
)
async def test_failpoint_raises_when_it_is_its_turn(order: str, expected: list[bool]) -> None:
    """Each time, or once, and after so many passes."""
    assert await passes(Failpoints(order), 3) == expected


async def test_failpoint_sleeps_as_long_as_told() -> None:
    """In milliseconds; the loop goes on."""
    began = time.monotonic()

    await passes(Failpoints("here=sleep:50"), 1)

    assert 0.05 <= time.monotonic() - began < 5


def test_failpoint_kills_its_process() -> None:
    """As SIGKILL does: nothing is closed, nothing is said."""
    code = "import asyncio, kernel; asyncio.run(kernel.failpoint('here')()); print('alive')"
    variables = {**os.environ, VARIABLE: "here=kill"}

    done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "")


@pytest.mark.parametrize(
    ("text", "development", "message"),
    [
        ("here=raise", False, r"LYCEUM_FAILPOINTS lets processes die on purpose; unset it, or set \[server\] devel"),
        ("here=explode", True, r"'here=explode' is no order; write name=kill, name=raise or name=sleep:MILLISECONDS"),
        ("here=raise|twice", True, r"'here=raise\|twice' is no order"),
        ("there=raise", True, r"there is no failpoint there; there are here"),
    ],
)
def test_what_can_not_be_meant_is_refused(text: str, development: bool, message: str) -> None:
    """With the remedy, when the deployment boots."""
    failpoints = Failpoints(text)
    failpoints.declare("here")

    with pytest.raises(errors.InvalidSettings, match=message):
        failpoints.check(development=development)


def test_what_is_meant_is_let_pass() -> None:
    """An armed failpoint in development, and none anywhere."""
    failpoints = Failpoints("here=kill")
    failpoints.declare("here")

    failpoints.check(development=True)
    Failpoints("").check(development=False)


def test_deployment_checks_its_failpoints_when_it_boots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody runs an institution with them."""
    monkeypatch.setattr("kernel.failpoints.PROCESS", Failpoints("here=kill"))
    sections = {"database": {"url": f"sqlite:///{tmp_path}"}, "plugins": {"enabled": []}}

    with pytest.raises(errors.InvalidSettings, match="LYCEUM_FAILPOINTS lets processes die"):
        Platform.boot(load([], {}, sections))
