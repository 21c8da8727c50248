"""Whose doing a failure is: of whose code it came, and whether it is anybody's at all."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import structlog
from aiohttp import web
from redis import exceptions as redis

from kernel import errors, problems
from kernel.containment.blame import Owners
from kernel.containment.breaker import Fault
from kernel.containment.containment import KERNEL, Containment
from kernel.database.pool import Pool

GARDEN = """
import asyncio


class Garden: ...


def dig(call=None):
    if call:
        call()
    raise ValueError("a stone")


async def wait(what=None):
    await (what or asyncio.sleep(60))
"""


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text("")
    (folder / name / "work.py").write_text(text)


@pytest.fixture
def fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ModuleType, ModuleType]]:
    """The modules of two plugins, each a package."""
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("garden_plugin", "orchard_plugin"):
        write(tmp_path, name, GARDEN)
    yield importlib.import_module("garden_plugin.work"), importlib.import_module("orchard_plugin.work")
    for name in ("garden_plugin", "orchard_plugin"):
        for module in (name, f"{name}.work"):
            del sys.modules[module]


@pytest.fixture
def containment(fields: tuple[ModuleType, ModuleType]) -> Containment:
    garden, orchard = fields
    owners = Owners({"garden": garden.Garden, "orchard": orchard.Garden})
    return Containment(owners=owners, log=structlog.get_logger())


def counted(containment: Containment) -> dict[str, dict[Fault, int]]:
    return {plugin: dict(breaker.counts) for plugin, breaker in containment if breaker.counts}


def fail(containment: Containment, error: BaseException) -> dict[str, dict[Fault, int]]:
    """Return what is counted when *error* comes of a route of the garden."""
    containment.failed("garden", Fault.REQUEST, error, what="GET /garden")
    return counted(containment)


def test_fault_is_that_of_the_plugin_in_whose_code_it_happened(
    containment: Containment, fields: tuple[ModuleType, ModuleType]
) -> None:
    """A plugin that calls another one is not to blame for it; what nobody's code raised is the owner's."""
    garden, orchard = fields
    for call, culprit in ((None, "garden"), (orchard.dig, "orchard")):
        with pytest.raises(ValueError, match="a stone") as raised:
            garden.dig(call)
        assert fail(containment, raised.value)[culprit] == {Fault.REQUEST: 1}

    assert fail(containment, TypeError("the result is no struct"))["garden"] == {Fault.REQUEST: 2}


@pytest.mark.parametrize(
    "error",
    [
        problems.Conflict("not now"),
        web.HTTPFound("/"),
        errors.DatabaseUnavailable("gone"),
        errors.TransactionConflict("again"),
        errors.CapabilityUnavailable("payments/1", "it failed"),
        redis.ConnectionError("gone"),
        ExceptionGroup("both", [errors.DatabaseUnavailable("gone"), redis.TimeoutError("gone")]),
    ],
    ids=repr,
)
def test_answers_that_are_meant_and_outages_are_nobodys_fault(containment: Containment, error: Exception) -> None:
    """A lost connection makes every plugin fail, and is to close none."""
    assert fail(containment, error) == {}


def test_outage_remains_one_whatever_it_is_wrapped_in(containment: Containment) -> None:
    """`raise … from` keeps the cause; a group with anything else in it is a fault."""
    wrapped = RuntimeError("no mail was sent")
    wrapped.__cause__ = errors.DatabaseUnavailable("gone")
    mixed = ExceptionGroup("both", [errors.DatabaseUnavailable("gone"), ValueError("a stone")])

    assert fail(containment, wrapped) == {}
    assert fail(containment, mixed) == {"garden": {Fault.REQUEST: 1}}


class Speechless(Exception):
    """Fails even as it is told."""

    def __str__(self) -> str:
        raise AttributeError("no text")


def test_error_that_can_not_be_told_is_a_fault_like_any_other(containment: Containment) -> None:
    """Whoever reports it has others to serve."""
    assert fail(containment, Speechless()) == {"garden": {Fault.REQUEST: 1}}


def test_error_that_is_its_own_cause_is_a_fault_like_any_other(containment: Containment) -> None:
    """`raise error from error` is a slip that anybody can make."""
    error = ValueError("a stone")
    error.__cause__ = error

    assert fail(containment, error) == {"garden": {Fault.REQUEST: 1}}


async def test_time_is_lost_by_the_plugin_that_was_waited_for(
    containment: Containment, fields: tuple[ModuleType, ModuleType]
) -> None:
    """The innermost plugin of those that wait, not the one that was asked first."""
    garden, orchard = fields
    with pytest.raises(TimeoutError) as late:
        async with asyncio.timeout(0.01):
            await garden.wait(orchard.wait())
    containment.late("garden", late.value, what="GET /garden")

    assert counted(containment) == {"orchard": {Fault.TIMEOUT: 1}}


class Deaf:
    """A database that accepts nobody and says nothing."""

    async def connect(self) -> object:
        await asyncio.sleep(60)
        return self

    def is_closed(self, connection: object) -> bool:
        return False

    async def close(self, connection: object) -> None:
        return None


async def test_waiting_for_a_database_that_is_silent_is_nobodys_fault(
    containment: Containment, fields: tuple[ModuleType, ModuleType]
) -> None:
    """All plugins wait then; their requests end with 504, and none is closed for it."""
    pool = Pool(Deaf(), name="garden", size=1)
    with pytest.raises(TimeoutError) as late:
        async with asyncio.timeout(0.01):
            await fields[0].wait(pool.wait())
    containment.late("garden", late.value, what="GET /garden")
    containment.failed("garden", Fault.REQUEST, late.value, what="a limit of its own")
    for task in list(pool._tasks):
        task.cancel()
    await pool.close()

    assert counted(containment) == {}


def test_two_plugins_in_one_place_are_told_apart_by_nobody(fields: tuple[ModuleType, ModuleType]) -> None:
    """Then the owner of the route is to blame, and not whoever was first."""
    garden = fields[0]
    owners = Owners({"garden": garden.Garden, "weeds": garden.Garden})

    assert owners.of_file(str(garden.__file__)) is None


def test_templates_belong_to_the_plugin_in_whose_package_they_lie(fields: tuple[ModuleType, ModuleType]) -> None:
    """Whatever lies below it, and nothing beside it."""
    garden = fields[0]
    package = Path(str(garden.__file__)).parent
    owners = Owners({"garden": garden.Garden})

    assert owners.of_file(str(package / "templates" / "garden" / "bed.html")) == "garden"
    assert owners.of_file(str(package.parent / "other" / "bed.html")) is None


def test_kernel_is_counted_and_never_closed(containment: Containment) -> None:
    """Without it there is nothing to be served."""
    for _ in range(100):
        containment.failed(KERNEL, Fault.REQUEST, ValueError("a stone"), what="GET /")

    assert counted(containment) == {KERNEL: {Fault.REQUEST: 100}}
    assert not containment.of(KERNEL).rests()
