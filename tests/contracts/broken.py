"""What all tests of kits share: a kit that everybody passes proves nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from kernel import errors

H = TypeVar("H")

#: A test of a kit, which takes the kit's harness.
Test = Callable[[H], Awaitable[None]]


async def assert_found(test: Test[H], *, whole: H, broken: H) -> None:
    """Fail unless *test* passes with the *whole* provider and fails with the *broken* one."""
    await test(whole)
    with pytest.raises((AssertionError, pytest.fail.Exception, errors.LyceumError, LookupError, ValueError)):
        await test(broken)
