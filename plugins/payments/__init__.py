"""Payments: wallets on a double-entry ledger, vouchers, prices, charges and refunds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

import click

from kernel import Context, Manifest, Migrations, Permission, Plugin, Provide, Route, hookimpl
from kernel.contracts.audit import ActRecorded
from kernel.contracts.courses import COURSES
from kernel.contracts.payments import (
    PAYMENTS,
    PRICE_RULE,
    ChargeRefunded,
    PurchaseCharged,
    VoucherBatchCreated,
    VoucherRedeemed,
    VoucherReturned,
    WalletAdjusted,
    WalletToppedUp,
)
from kernel.contracts.payments_http import MANAGE_VOUCHERS
from kernel.contracts.personal_data import PERSONAL_DATA
from kernel.contracts.users import USERS
from plugins.payments import migrations
from plugins.payments.api import ADJUST, REFUND, VIEW_ANY, payments_routes
from plugins.payments.commands import COMMANDS
from plugins.payments.currency import payments_in_one_currency
from plugins.payments.personal_data import PaymentsPersonalData
from plugins.payments.settings import PaymentsSettings
from plugins.payments.tables import metadata


class PaymentsPlugin(Plugin[PaymentsSettings]):
    """Provides `payments/1`."""

    manifest = Manifest(
        name="payments",
        version="1.0.0",
        summary="Wallets on a double-entry ledger, vouchers, prices, charges and refunds",
        provides=(PAYMENTS, PERSONAL_DATA),
        requires=(COURSES,),
        wants=(PRICE_RULE, USERS),
        publishes=(
            ActRecorded,
            ChargeRefunded,
            PurchaseCharged,
            VoucherBatchCreated,
            VoucherRedeemed,
            VoucherReturned,
            WalletAdjusted,
            WalletToppedUp,
        ),
    )

    @hookimpl
    def settings(self) -> type[PaymentsSettings]:
        return PaymentsSettings

    @hookimpl
    def migrations(self) -> Migrations:
        return Migrations(metadata, migrations)

    @hookimpl
    def permissions(self) -> Iterable[Permission]:
        yield Permission(name=MANAGE_VOUCHERS, summary="Make, look at and withdraw vouchers", roles=("admin",))
        yield Permission(name=VIEW_ANY, summary="See anybody's wallet, statement and charges", roles=("admin",))
        yield Permission(name=REFUND, summary="Give back what was charged", roles=("admin",))
        yield Permission(name=ADJUST, summary="Put credit into wallets and take it out", roles=("admin",))

    @hookimpl
    def services(self, ctx: Context[PaymentsSettings]) -> Iterable[Provide[object]]:
        yield Provide(PAYMENTS, lambda: payments_in_one_currency(ctx))
        yield Provide(PERSONAL_DATA, lambda: contextlib.nullcontext(PaymentsPersonalData(ctx)))

    @hookimpl
    def routes(self, ctx: Context[PaymentsSettings]) -> Iterable[Route]:
        return payments_routes(ctx)

    @hookimpl
    def commands(self) -> Iterable[click.Command]:
        return COMMANDS
