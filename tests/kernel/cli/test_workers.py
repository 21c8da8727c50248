"""Several processes: the socket that they share."""

from __future__ import annotations

import pytest

from kernel.cli.workers import Workers
from kernel.config import load
from kernel.lifecycle import Platform


def never() -> Platform:
    raise AssertionError("nothing is served here")


@pytest.mark.parametrize("host", ["127.0.0.1", "::", "::1"])
def test_workers_listen_where_the_host_says(host: str) -> None:
    """An address of either kind is taken as it stands in the configuration."""
    config = load([], {}, {"server": {"host": host, "port": 8081}})

    assert Workers(config, never).cfg.address == [(host, 8081)]
