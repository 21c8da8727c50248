"""An example for an empty development deployment: people, courses and vouchers, made the way people make them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import ClassVar

from kernel import Context, EventHandler, Manifest, Plugin, hookimpl, on
from kernel.contracts.auth import AUTH
from kernel.contracts.courses import COURSES
from kernel.contracts.mail import MAIL, MailRequested
from kernel.contracts.payments import PAYMENTS
from plugins.demo.filling import filling, is_playground
from plugins.demo.letters import Letters


class DemoPlugin(Plugin):
    """Works with whoever provides the capabilities that it wants, through their HTTP surfaces."""

    manifest: ClassVar[Manifest] = Manifest(
        name="demo",
        version="1.0.0",
        summary="Fills an empty development deployment with an example",
        wants=(AUTH, COURSES, MAIL, PAYMENTS),
        optional=True,
    )

    @hookimpl
    def event_handlers(self, ctx: Context) -> Iterable[EventHandler]:
        if is_playground(ctx):
            yield on(MailRequested, ctx.own(Letters).take, name="take")

    @hookimpl
    def lifespan(self, ctx: Context) -> contextlib.AbstractAsyncContextManager[None]:
        return filling(ctx)
