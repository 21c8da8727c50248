"""Plugins that fail at every moment at which a plugin can (A37): optional ones alone, required ones with one line.

One process runs them all at once, beside two that are whole.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

import pytest

from tests.kernel.boot.distributions import install
from tests.kernel.cli.processes import Lyceum, ask, running

CONFIG: Final = """
[server]
development = true

[log]
format = "json"

[events]
poll_alone = 0.1
first_delay = 0.1

[plugins]
enabled = [{enabled}]
optional = [{optional}]
"""
WHOLE: Final = """
from bell import Rung


class P(Plugin):
    manifest = Manifest(name="whole", version="1", publishes=(Rung,))

    @hookimpl
    def routes(self, ctx):
        async def ring(request: Request) -> None:
            async with ctx.db.transaction() as session:
                await ctx.events.publish(session, Rung(number=1))

        return [post("/ring", ring, permission=PUBLIC, idempotency=Idempotency.NONE)]
"""
LISTENER: Final = """
from bell import Rung


class P(Plugin):
    manifest = Manifest(name="listener", version="1")

    @hookimpl
    def event_handlers(self, ctx):
        async def hear(session, delivery):
            ctx.own(list_of).append(delivery.event.number)

        return [on(Rung, hear, name="hear")]

    @hookimpl
    def routes(self, ctx):
        async def heard(request: Request) -> list[int]:
            return ctx.own(list_of)

        return [get("/heard", heard, permission=PUBLIC)]


def list_of(ctx):
    return []
"""
SHARED: Final = """
from typing import ClassVar

from kernel import Event


class Rung(Event, frozen=True, kw_only=True):
    name: ClassVar[str] = "whole.rung.v1"
    key: ClassVar[str] = "number"
    number: int
"""
BEGINNING: Final = """
from contextlib import asynccontextmanager

from bell import Rung


async def fail(*arguments):
    raise RuntimeError("it broke")


@asynccontextmanager
async def living(before, after):
    if before:
        await fail()
    yield
    if after:
        await fail()


class P(Plugin):
    manifest = Manifest(name="{name}", version="1")

    @hookimpl
    def routes(self, ctx):
        async def answer(request: Request) -> str:
            return "fine"

        return [get("/answer", answer, permission=PUBLIC)]
"""
#: Name → the rest of the plugin's class, or of its module, which fails.
PARTS: Final = {
    "at-hook": """
    @hookimpl
    def permissions(self):
        raise RuntimeError("it broke")
""",
    "at-migration": """
    @hookimpl
    def migrations(self):
        import broken_revisions
        from kernel.database import new_metadata

        return Migrations(new_metadata(), broken_revisions)
""",
    "at-setup": """
    @hookimpl
    def lifespan(self, ctx):
        return living(True, False)
""",
    "at-request": """
    @hookimpl
    def routes(self, ctx):
        async def answer(request: Request) -> str:
            raise RuntimeError("it broke")

        return [get("/answer", answer, permission=PUBLIC)]
""",
    "at-event": """
    @hookimpl
    def event_handlers(self, ctx):
        return [on(Rung, fail, name="hear")]
""",
    "at-task": """
    @hookimpl
    def lifespan(self, ctx):
        ctx.tasks.start(fail(), name="breaking")
        return living(False, False)
""",
    "at-shutdown": """
    @hookimpl
    def lifespan(self, ctx):
        return living(False, True)
""",
}
BROKEN: Final = {
    "at-import": "raise RuntimeError('it broke')",
    **{name: BEGINNING.format(name=name) + part for name, part in PARTS.items()},
}
#: What keeps a plugin from running at all; the others run, and fail in what they do.
NEVER_STARTS: Final = ("at-import", "at-hook", "at-migration", "at-setup")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with all these plugins installed."""
    packages = tmp_path / "packages"
    (packages / "broken_revisions" / "versions").mkdir(parents=True)
    (packages / "broken_revisions" / "__init__.py").touch()
    (packages / "broken_revisions" / "versions" / "at_migration_0001.py").write_text(
        'revision = "at_migration_0001"\ndown_revision = None\n\n\ndef upgrade():\n    raise RuntimeError("it broke")\n'
    )
    (packages / "bell.py").write_text(SHARED)
    install(packages, "plugins-that-break", {"whole": WHOLE, "listener": LISTENER, **BROKEN})
    (tmp_path / "config").mkdir()
    return tmp_path


def configure(folder: Path, enabled: list[str], optional: list[str]) -> None:
    """Choose plugins."""
    lists = {"enabled": enabled, "optional": optional}
    text = CONFIG.format(**{key: ", ".join(f'"{name}"' for name in names) for key, names in lists.items()})
    (folder / "config" / "lyceum.toml").write_text(text)


@pytest.fixture
def deployment(folder: Path) -> Iterator[Lyceum]:
    """A process with all of them, those that break as optional ones."""
    configure(folder, ["whole", "listener", *BROKEN], list(BROKEN))
    with running(folder, ["up"], {"PYTHONPATH": str(folder / "packages")}) as process:
        process.wait_for()
        yield process


def read(process: Lyceum, path: str) -> Any:
    """Return the status of a GET, and what came."""
    status, body = ask(process.port, path)
    return status, json.loads(body)


def ring(process: Lyceum) -> None:
    """Let the whole plugin publish an event."""
    urlopen(Request(f"http://127.0.0.1:{process.port}/api/v1/whole/ring", method="POST"), timeout=10).close()


def until(condition: Callable[[], bool]) -> None:
    """Return when *condition* holds."""
    end = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_optional_plugins_that_fail_at_any_moment_fail_alone(deployment: Lyceum) -> None:
    """A37: the report names each with its reason, its routes say so, and everything else goes on to the end."""
    ring(deployment)
    until(lambda: bool(read(deployment, "/api/v1/listener/heard")[1]))
    report = {plugin["name"]: plugin for plugin in read(deployment, "/-/plugins.json")[1]}
    answers = {name: read(deployment, f"/api/v1/{name}/answer")[0] for name in BROKEN}
    until(lambda: "event handler failed" in deployment.output())

    for name in NEVER_STARTS:
        assert (name, report[name]["state"]) == (name, "failed")
        assert "it broke" in report[name]["reason"]
        assert (name, answers[name]) == (name, 503)
    for name in BROKEN.keys() - set(NEVER_STARTS):
        assert (name, report[name]["state"]) == (name, "started")
        assert (name, answers[name]) == (name, 500 if name == "at-request" else 200)
    assert [report[name]["state"] for name in ("whole", "listener")] == ["started", "started"]
    assert any("task failed" in line and '"at-task"' in line for line in deployment.output().splitlines())

    deployment.stop(signal.SIGTERM)
    assert "at-shutdown" in deployment.output().partition("it broke")[2]


@pytest.mark.parametrize("name", NEVER_STARTS)
def test_required_plugin_that_can_not_start_stops_the_deployment_with_its_name(folder: Path, name: str) -> None:
    """A37: one reason, and exit code 1; nothing listens."""
    configure(folder, ["whole", name], [])
    command = [sys.executable, "-c", "from kernel.cli import main; main()", "up"]

    done = subprocess.run(
        command,
        cwd=folder,
        env={"PYTHONPATH": str(folder / "packages"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 1
    (told,) = [line for line in done.stderr.splitlines() if line.startswith("lyceum: ")]
    assert name in told
    assert "it broke" in told
