"""The client of Socket.IO, installed once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.plugins.socketio.noding import install, prepare


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which Node finds `socket.io-client`."""
    found = install(tmp_path_factory.mktemp("node"))
    asyncio.run(prepare(found))
    return found
