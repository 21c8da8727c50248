"""Looking whether a kit finds the fault of a broken provider that runs in a deployment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from kernel import errors

H = TypeVar("H")

#: How a kit's test fails.
FOUND = (AssertionError, pytest.fail.Exception, errors.LyceumError)


async def assert_finds(test: Callable[[H], Awaitable[None]], *, whole: H, broken: H) -> None:
    """Fail unless *test* passes with the *whole* provider and fails with the *broken* one."""
    await test(whole)
    with pytest.raises(FOUND):
        await test(broken)
