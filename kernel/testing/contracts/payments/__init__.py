"""The kit of `payments/1`: the service by `PaymentsContract`, its HTTP surface by `PaymentsHttpContract`."""

from kernel.testing.contracts.payments.batches import BatchesContract
from kernel.testing.contracts.payments.charges import ChargesContract
from kernel.testing.contracts.payments.checking import CheckingContract
from kernel.testing.contracts.payments.credit import CreditContract
from kernel.testing.contracts.payments.deployed import DeployedPayments, deploy_payments
from kernel.testing.contracts.payments.discounts import DiscountsContract
from kernel.testing.contracts.payments.harness import PaymentsHarness
from kernel.testing.contracts.payments.purchases import PurchasesContract
from kernel.testing.contracts.payments.quotes import QuotesContract
from kernel.testing.contracts.payments.redemption import RedemptionContract
from kernel.testing.contracts.payments.refunds import RefundsContract
from kernel.testing.contracts.payments.returns import ReturnsContract
from kernel.testing.contracts.payments.statements import StatementsContract
from kernel.testing.contracts.payments.topups import TopUpsContract
from kernel.testing.contracts.payments.vouchers import VouchersContract
from kernel.testing.contracts.payments.wallets import WalletsContract

__all__ = ["DeployedPayments", "PaymentsContract", "PaymentsHarness", "PaymentsHttpContract", "deploy_payments"]


class PaymentsContract(
    QuotesContract,
    ChargesContract,
    RefundsContract,
    CreditContract,
    TopUpsContract,
    VouchersContract,
    DiscountsContract,
    PurchasesContract,
    ReturnsContract,
):
    """Supply the fixture `harness`: a `PaymentsHarness` of a provider that nobody has used yet."""


class PaymentsHttpContract(WalletsContract, StatementsContract, BatchesContract, CheckingContract, RedemptionContract):
    """Supply the fixture `harness`: `deploy_payments(deploy, "your-plugin", charges_money=…)`."""
