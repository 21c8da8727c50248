"""Failpoints within a test."""

from __future__ import annotations

from typing import Final

import pytest

from kernel import failpoint
from kernel.failpoints import Reached
from kernel.testing.failing import Failing

HERE: Final = failpoint("tests.here")


async def test_armed_failpoint_does_as_it_is_told(failing: Failing) -> None:
    """Where the module awaits it."""
    await HERE()
    failing.arm(f"{__name__}.HERE", "raise|once")

    with pytest.raises(Reached):
        await HERE()
    await HERE()


@pytest.mark.parametrize("order", ["kill", "explode"])
def test_test_itself_is_not_killed(failing: Failing, order: str) -> None:
    """That is for processes of their own."""
    with pytest.raises(ValueError, match="is no order for a test"):
        failing.arm(f"{__name__}.HERE", order)


@pytest.mark.parametrize("order", ["raise|twice", "sleep:long"])
def test_order_that_is_not_understood_is_refused(failing: Failing, order: str) -> None:
    """Rather than passed over: the test would show nothing."""
    with pytest.raises(ValueError, match="is no order"):
        failing.arm(f"{__name__}.HERE", order)


def test_failpoint_that_is_not_there_is_not_armed(failing: Failing) -> None:
    """A misspelt one would let the test pass for nothing."""
    with pytest.raises(AttributeError):
        failing.arm(f"{__name__}.THERE", "raise")
