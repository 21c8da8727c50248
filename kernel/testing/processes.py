"""Server processes for tests: they end when the test run ends, however it ends."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

START_LIMIT: Final = 60.0  # seconds
STOP_LIMIT: Final = 10.0  # seconds
_PAUSE: Final = 0.005  # seconds between two looks at a starting server
_SOCKET_PATH_LIMIT: Final = 80  # bytes; the kernel allows 107 with the socket's own name
_PR_SET_PDEATHSIG: Final = 1

_libc = ctypes.CDLL(None)


class ServerFailed(Exception):
    """A server did not start; the message ends with its log."""


def scratch_folder(prefix: str) -> Path:
    """Make a new folder whose path is short enough for a unix socket in it."""
    short = len(tempfile.gettempdir()) + len(prefix) < _SOCKET_PATH_LIMIT
    return Path(tempfile.mkdtemp(prefix=prefix, dir=None if short else "/tmp"))


def run(arguments: Sequence[str], folder: Path, user: pwd.struct_passwd | None = None, feed: str | None = None) -> None:
    """Run a program to its end, as *user* if one is given; raise `ServerFailed` with what it said if it fails."""
    done = subprocess.run(
        list(arguments),
        cwd=folder,
        input=feed,
        text=True,
        capture_output=True,
        user=user.pw_uid if user else None,
        group=user.pw_gid if user else None,
        extra_groups=[] if user else None,
    )
    if done.returncode != 0:
        raise ServerFailed(f"{arguments[0]} ended with {done.returncode}: {done.stdout}{done.stderr}")


def spawn(arguments: Sequence[str], folder: Path, user: pwd.struct_passwd | None = None) -> subprocess.Popen[bytes]:
    """Start a server that writes its log to `folder/log`.

    It is told to end when the *thread* that started it ends: start it from the main thread or from one that lives
    as long as the tests.
    """
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            list(arguments),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            start_new_session=True,
            preexec_fn=_end_with_parent,  # runs after the change of user, which would undo it
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
        )


@contextlib.contextmanager
def stopping(process: subprocess.Popen[bytes], by: signal.Signals, trash: Path | None) -> Iterator[None]:
    """Stop *process* when the block ends, and delete *trash*."""
    try:
        yield
    finally:
        if process.poll() is None:
            process.send_signal(by)
            _wait_or_kill(process)
        if trash is not None:
            shutil.rmtree(trash, ignore_errors=True)


def attempts(process: subprocess.Popen[bytes], folder: Path) -> Iterator[None]:
    """Yield again and again while *process* starts; raise `ServerFailed` when it has ended or takes too long."""
    end = time.monotonic() + START_LIMIT
    while process.poll() is None and time.monotonic() < end:
        yield
        time.sleep(_PAUSE)
    raise ServerFailed((folder / "log").read_text()[-4000:])


def unprivileged_user() -> pwd.struct_passwd | None:
    """Return the account for a server that refuses to run as root; None when we are not root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise ServerFailed("PostgreSQL refuses to run as root, and there is neither a user 'postgres' nor 'nobody'")


def can_run(program: Path, user: pwd.struct_passwd | None) -> bool:
    """Return whether *user* can run *program*: a checkout that only its owner may enter hides it from others."""
    with contextlib.suppress(ServerFailed, OSError):
        run([str(program), "--version"], Path("/"), user)
        return True
    return False


def _end_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _wait_or_kill(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
