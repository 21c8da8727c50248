"""Free payments: provides `payments/1` for an institution whose courses cost nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from kernel import Context, Manifest, Migrations, Permission, Plugin, Provide, Route, hookimpl
from kernel.contracts.courses import COURSES
from kernel.contracts.payments import (
    PAYMENTS,
    ChargeRefunded,
    PurchaseCharged,
    VoucherBatchCreated,
    VoucherRedeemed,
    VoucherReturned,
    WalletToppedUp,
)
from kernel.contracts.payments_http import MANAGE_VOUCHERS
from kernel.contracts.personal_data import PERSONAL_DATA
from lyceum_freepay import migrations
from lyceum_freepay.api import freepay_routes
from lyceum_freepay.personal_data import FreePayPersonalData
from lyceum_freepay.service import FreePayments
from lyceum_freepay.settings import FreePaySettings
from lyceum_freepay.tables import metadata


class FreePayPlugin(Plugin[FreePaySettings]):
    """Provides `payments/1`, and hands out and erases what it keeps of people."""

    manifest = Manifest(
        name="freepay",
        version="1.2.0",
        summary="Payments where every course is free",
        provides=(PAYMENTS, PERSONAL_DATA),
        requires=(COURSES,),
        publishes=(
            ChargeRefunded,
            PurchaseCharged,
            VoucherBatchCreated,
            VoucherRedeemed,
            VoucherReturned,
            WalletToppedUp,
        ),
    )

    @hookimpl
    def settings(self) -> type[FreePaySettings]:
        return FreePaySettings

    @hookimpl
    def migrations(self) -> Migrations:
        return Migrations(metadata, migrations)

    @hookimpl
    def permissions(self) -> Iterable[Permission]:
        yield Permission(name=MANAGE_VOUCHERS, summary="Make, withdraw and look at vouchers", roles=("admin",))

    @hookimpl
    def services(self, ctx: Context[FreePaySettings]) -> Iterable[Provide[object]]:
        yield Provide(PAYMENTS, lambda: contextlib.nullcontext(ctx.own(FreePayments)))
        yield Provide(PERSONAL_DATA, lambda: contextlib.nullcontext(FreePayPersonalData(ctx)))

    @hookimpl
    def routes(self, ctx: Context[FreePaySettings]) -> Iterable[Route]:
        return freepay_routes(ctx)
