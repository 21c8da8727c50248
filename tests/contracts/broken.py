"""What all tests of kits share: a kit that everybody passes proves nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from kernel import errors

H = TypeVar("H")

#: How a kit's test fails.
FOUND = (AssertionError, pytest.fail.Exception, errors.LyceumError, LookupError, ValueError)
#: A test of a kit, which takes the kit's harness.
Test = Callable[[H], Awaitable[None]]


async def assert_found(test: Test[H], *, whole: H, broken: H) -> None:
    """Fail unless *test* passes with the *whole* provider and fails with the *broken* one."""
    await test(whole)
    with pytest.raises(FOUND):
        await test(broken)
