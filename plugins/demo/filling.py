"""When the example is made: once the server listens, where there is nothing yet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from kernel import Context, errors
from kernel.contracts.auth import AUTH
from kernel.contracts.courses import COURSES
from kernel.contracts.mail import MAIL
from plugins.demo.api import Api
from plugins.demo.example import CONTENT, Example


def is_playground(ctx: Context) -> bool:
    """Return whether nobody learns here: development, in one process.

    Of several processes each would make the example, and another one might read its mails.
    """
    return ctx.deployment.development and ctx.redis is None


@asynccontextmanager
async def filling(ctx: Context) -> AsyncIterator[None]:
    """Fill the deployment in the background, where it is a playground with all that the example is made of."""
    if is_playground(ctx) and all(map(ctx.services.find, (AUTH, COURSES, MAIL))):
        ctx.tasks.start(fill(ctx), name="make the example")
    yield


async def fill(ctx: Context) -> None:
    """Make the example, if it is missing, and tell where it is; the deployment runs without it as well."""
    try:
        async with aiohttp.ClientSession(ctx.deployment.public_url) as http:
            api = Api(http)
            await api.listens()
            example = Example(ctx, api)
            if await example.is_missing():
                _tell(ctx, await example.make())
    except (errors.LyceumError, aiohttp.ClientError, TimeoutError, LookupError) as error:
        ctx.log.warning("the example could not be made", action="demo", reason=f"{type(error).__name__}: {error}")


def _tell(ctx: Context, vouchers: tuple[str, ...]) -> None:
    # a warning, so that it is shown at the level at which a playground logs
    ctx.log.warning(
        "an example is there",
        action="demo",
        administrator=CONTENT["admin"],
        instructor=CONTENT["instructor"],
        **({"vouchers": ", ".join(vouchers)} if vouchers else {}),
    )
