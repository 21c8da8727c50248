"""Failpoints within a test: what happens where a plugin has named a place at which things may go wrong."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from kernel.failpoints import Failpoints, is_order

NAME = "armed"


@dataclass(frozen=True)
class Failing:
    """Arms failpoints until the test ends."""

    monkeypatch: pytest.MonkeyPatch

    def arm(self, constant: str, order: str) -> None:
        """Have the failpoint in *constant*, such as `earlybird.ledger.CHARGED`, follow *order*.

        The order is `raise` or `sleep:MILLISECONDS`, with `|once` or `|skip:TIMES` behind it. It counts where the
        plugin awaits the constant of that module. To kill, arm a process of its own by `LYCEUM_FAILPOINTS`.

        Raises:
            ValueError: it is no such order.
        """
        if order.startswith("kill") or not is_order(f"{NAME}={order}"):
            raise ValueError(f"{order!r} is no order for a test; write raise or sleep:MILLISECONDS")
        self.monkeypatch.setattr(constant, Failpoints(f"{NAME}={order}").declare(NAME))
