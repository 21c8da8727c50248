"""Plugins that fail at every moment at which a plugin can (A37): optional ones alone, required ones with one line.

One process runs them all at once, beside two that are whole. Those that fail while it serves are closed for a while.
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
from urllib.error import HTTPError
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

[http]
trusted_proxies = ["127.0.0.1/32"]

[operations]
token = "env:OPERATIONS_TOKEN"

[containment]
faults = 4
quarantine = 12
window = 30

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
        async def ring(request: Request, number: int) -> None:
            async with ctx.db.transaction() as session:
                await ctx.events.publish(session, Rung(number=number))

        return [post("/ring/{number}", ring, permission=PUBLIC, idempotency=Idempotency.NONE)]
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
import asyncio
import time
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
    "at-deadline": """
    @hookimpl
    def routes(self, ctx):
        async def answer(request: Request) -> str:
            await asyncio.sleep(60)

        return [get("/answer", answer, permission=PUBLIC, timeout=0.2)]
""",
    "at-turn": """
    @hookimpl
    def routes(self, ctx):
        async def answer(request: Request) -> str:
            time.sleep(1)
            return "fine"

        return [get("/answer", answer, permission=PUBLIC)]
""",
    "at-page": """
    @hookimpl
    def pages(self, ctx):
        return [web.Page(path="/breaking", template="error.html", handler=fail, permission=PUBLIC)]
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
#: What is answered where it is the request that goes wrong; everything else that runs answers 200.
ANSWERS: Final = {"at-request": 500, "at-deadline": 504}
TOKEN: Final = "long-enough-and-only-for-tests-of-lyceum"


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


def environ(folder: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(folder / "packages"), "OPERATIONS_TOKEN": TOKEN}


def configure(folder: Path, enabled: list[str], optional: list[str]) -> None:
    """Choose plugins."""
    lists = {"enabled": enabled, "optional": optional}
    text = CONFIG.format(**{key: ", ".join(f'"{name}"' for name in names) for key, names in lists.items()})
    (folder / "config" / "lyceum.toml").write_text(text)


@pytest.fixture
def deployment(folder: Path) -> Iterator[Lyceum]:
    """A process with all of them, those that break as optional ones."""
    configure(folder, ["whole", "listener", *BROKEN], list(BROKEN))
    with running(folder, ["up"], environ(folder)) as process:
        process.wait_for()
        yield process


def read(process: Lyceum, path: str) -> Any:
    """Return the status of a GET, and what came."""
    status, body = ask(process.port, path)
    return status, json.loads(body)


def ask_as(process: Lyceum, path: str, number: int, method: str = "GET") -> int:
    """Return the status for one of several people."""
    headers = {"X-Forwarded-For": f"198.51.100.{number}"}
    try:
        with urlopen(
            Request(f"http://127.0.0.1:{process.port}{path}", method=method, headers=headers), timeout=10
        ) as a:
            return int(a.status)
    except HTTPError as error:
        return error.code


def ring(process: Lyceum, number: int = 0) -> None:
    """Let the whole plugin publish an event."""
    assert ask_as(process, f"/api/v1/whole/ring/{number}", number, "POST") == 204


def lines(process: Lyceum) -> list[dict[str, Any]]:
    """Return the lines of the log."""
    return [json.loads(line) for line in process.output().splitlines() if line.startswith("{")]


def state_of(process: Lyceum, name: str) -> str:
    """Return the state of a plugin."""
    return next(str(one["state"]) for one in read(process, "/-/plugins.json")[1] if one["name"] == name)


def list_plugins(process: Lyceum) -> dict[str, tuple[str, str]]:
    """Return state and reason of each plugin, as another process shows them."""
    folder = process.log.parent
    command = [sys.executable, "-c", "from kernel.cli import main; main()", "--json", "plugins", "list"]
    variables = {**environ(folder), "PATH": "/usr/bin:/bin", "LYCEUM_SERVER__PORT": str(process.port)}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=60, check=True)
    return {row["plugin"]: (row["state"], row["reason"]) for row in json.loads(done.stdout)}


def until(condition: Callable[[], bool]) -> None:
    """Return when *condition* holds."""
    end = time.monotonic() + 30
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
        assert (name, answers[name]) == (name, ANSWERS.get(name, 200))
    assert [report[name]["state"] for name in ("whole", "listener")] == ["started", "started"]
    assert any("task failed" in line and '"at-task"' in line for line in deployment.output().splitlines())


def test_readiness_names_what_did_not_start_and_stays(deployment: Lyceum) -> None:
    """A37: the deployment is ready, and operators read which optional plugin is not, and why."""
    status, ready = read(deployment, "/-/ready")
    failed = {verdict["plugin"]: verdict["reason"] for verdict in ready["checks"] if not verdict["ok"]}

    assert status == 200
    assert failed.keys() == set(NEVER_STARTS)
    assert all("it broke" in reason for reason in failed.values())


def test_plugins_that_fail_while_it_serves_are_counted_and_closed_alone(deployment: Lyceum) -> None:
    """A37: requests, budgets, pages, events, tasks and whoever blocks the loop; the whole ones serve on."""
    for number in range(4):
        for name in ("at-request", "at-deadline", "at-turn"):
            ask_as(deployment, f"/api/v1/{name}/answer", number)
        ask_as(deployment, "/breaking", number)
        ring(deployment, number)
    closed = ("at-request", "at-deadline", "at-turn", "at-page", "at-event")
    until(lambda: {state_of(deployment, name) for name in closed} == {"quarantined"})
    report = {plugin["name"]: plugin for plugin in read(deployment, "/-/plugins.json")[1]}
    listed = list_plugins(deployment)
    metrics = ask(deployment.port, "/metrics")[1].decode()

    kinds = {name: next(iter(report[name]["faults"])) for name in (*closed, "at-task")}
    assert kinds == {
        "at-request": "request",
        "at-deadline": "timeout",
        "at-turn": "blocked",
        "at-page": "request",
        "at-event": "event",
        "at-task": "task",
    }
    assert "it broke" in report["at-request"]["reason"]
    assert listed["at-request"] == ("quarantined", report["at-request"]["reason"])
    assert 'lyceum_plugin_quarantined{plugin="at-turn"} 1.0' in metrics
    assert 'lyceum_plugin_faults_total{kind="timeout",plugin="at-deadline"} 4.0' in metrics
    assert [report[name]["state"] for name in ("whole", "listener", "at-task")] == ["started"] * 3
    assert read(deployment, "/-/ready")[0] == 200
    until(lambda: read(deployment, "/api/v1/listener/heard")[1] == [0, 1, 2, 3])
    until(lambda: read(deployment, "/api/v1/at-turn/answer")[0] == 200)  # on probation
    blocked, *_ = [
        line for line in lines(deployment) if line.get("action") == "blocked" and line["plugin"] == "at-turn"
    ]
    assert blocked["seconds"] > 0.5
    assert any(frame.endswith(" answer") for frame in blocked["stack"].splitlines())


def test_plugin_that_fails_as_it_stops_is_named_and_the_exit_code_says_so(deployment: Lyceum) -> None:
    """A37: the others stop in peace."""
    code = deployment.stop(signal.SIGTERM)

    assert code == 1
    (told,) = [line for line in lines(deployment) if line.get("event") == "plugin did not stop cleanly"]
    assert (told["failed"], "it broke" in told["reason"]) == ("at-shutdown", True)


@pytest.mark.parametrize("name", NEVER_STARTS)
def test_required_plugin_that_can_not_start_stops_the_deployment_with_its_name(folder: Path, name: str) -> None:
    """A37: one reason, and exit code 1; nothing listens."""
    configure(folder, ["whole", name], [])
    command = [sys.executable, "-c", "from kernel.cli import main; main()", "up"]

    done = subprocess.run(
        command,
        cwd=folder,
        env={**environ(folder), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 1
    (told,) = [line for line in done.stderr.splitlines() if line.startswith("lyceum: ")]
    assert name in told
    assert "it broke" in told
