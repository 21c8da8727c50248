"""The main job with our payments, and with a third party's in their place."""

from __future__ import annotations

from typing import Final

from kernel.testing.deploying import Deploy
from tests.journeys.main_job import main_job

REST: Final = ("auth", "courses", "enrollments", "mail", "users")


async def test_the_main_job_is_done(deploy: Deploy) -> None:
    """From the first administrator to the last lesson."""
    await main_job(await deploy(*REST, "payments"))


async def test_the_main_job_is_done_with_another_provider_of_payments(deploy: Deploy) -> None:
    """Our payments are not even switched on; the other's distribution was installed, and that is all."""
    await main_job(await deploy(*REST, "freepay"))


async def test_the_main_job_is_done_with_the_provider_that_is_chosen(deploy: Deploy) -> None:
    """Both are on, and the configuration says which one counts."""
    chosen = {"providers": {"payments": "freepay"}}

    await main_job(await deploy(*REST, "payments", "freepay", sections=chosen))
