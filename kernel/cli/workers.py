"""Serving in several processes behind one socket: gunicorn with aiohttp's worker.

SIGHUP starts new workers, which read the configuration anew, before it ends the old ones: no connection is lost.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Final

import click
from aiohttp import web
from gunicorn import glogging
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from kernel import errors
from kernel.cli.server import settle_memory
from kernel.config import Config
from kernel.http.serving import runner
from kernel.lifecycle import Platform
from kernel.sections import authority

START_SECONDS: Final = 90  # a worker that has not reported by then is replaced

Boot = Callable[[], Platform]


class Workers(BaseApplication):  # type: ignore[misc]
    """Runs as many processes as *config* says, each with a platform of its own that *boot* makes."""

    def __init__(self, config: Config, boot: Boot) -> None:
        self._config = config
        self._boot = boot
        super().__init__()

    def load_config(self) -> None:
        server = self._config.server
        for key, value in {
            "control_socket_disable": True,
            "bind": authority(server.host, server.port),
            "graceful_timeout": int(self._config.http.shutdown_seconds) + 5,
            "logger_class": Log,
            "proc_name": "lyceum",
            "timeout": START_SECONDS,
            "worker_class": "aiohttp.GunicornUVLoopWebWorker",
            "workers": server.workers,
        }.items():
            self.cfg.set(key, value)

    def load(self) -> Callable[[], Coroutine[object, object, web.AppRunner]]:
        """Return what each worker calls in its own loop, once."""

        async def start() -> web.AppRunner:
            try:
                return await _start(self._boot())
            except errors.LyceumError as error:
                click.echo(f"lyceum: {error}", err=True)
                sys.exit(Arbiter.WORKER_BOOT_ERROR)  # the arbiter stops instead of trying for ever

        return start

    def serve(self) -> None:
        """Serve until SIGTERM or SIGINT; a worker that can not start ends it with exit code 1."""
        arbiter = os.getpid()
        try:
            self.run()
        except SystemExit as stopped:
            if os.getpid() != arbiter:  # a worker passes here too, and its code means something to the arbiter
                raise
            sys.exit(1 if stopped.code else 0)


class Log(glogging.Logger):  # type: ignore[misc]
    """Sends gunicorn's lines where all others go."""

    def setup(self, cfg: object) -> None:
        self.error_log.propagate = True
        self.error_log.handlers.clear()


async def _start(platform: Platform) -> web.AppRunner:
    running = AsyncExitStack()
    await running.enter_async_context(platform.running())

    async def stop(app: web.Application) -> None:
        await running.aclose()

    platform.app.on_cleanup.append(stop)
    settle_memory()
    return runner(platform.app, platform.config.http)
