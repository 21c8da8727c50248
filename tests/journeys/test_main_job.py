"""The main job with our payments, and with a third party's in their place."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Final

import pytest

from kernel import Plugin
from kernel.testing.deploying import Deploy
from tests.journeys.main_job import main_job

REST: Final = ("auth", "courses", "enrollments", "mail", "users")
FREEPAY: Final = Path(__file__).parents[2] / "examples" / "lyceum-freepay"


@pytest.fixture
def freepay(monkeypatch: pytest.MonkeyPatch) -> type[Plugin[Any]]:
    """Return the example plugin that provides payments where every course is free."""
    monkeypatch.syspath_prepend(FREEPAY)
    plugin: type[Plugin[Any]] = importlib.import_module("lyceum_freepay").FreePayPlugin
    return plugin


async def test_the_main_job_is_done(deploy: Deploy) -> None:
    """From the first administrator to the last lesson."""
    await main_job(await deploy(*REST, "payments"))


async def test_the_main_job_is_done_with_another_provider_of_payments(
    deploy: Deploy, freepay: type[Plugin[Any]]
) -> None:
    """Our payments are not even switched on."""
    await main_job(await deploy(*REST, plugins=(freepay,)))


async def test_the_main_job_is_done_with_the_provider_that_is_chosen(
    deploy: Deploy, freepay: type[Plugin[Any]]
) -> None:
    """Both are on, and the configuration says which one counts."""
    chosen = {"providers": {"payments": "freepay"}}

    await main_job(await deploy(*REST, "payments", plugins=(freepay,), sections=chosen))
