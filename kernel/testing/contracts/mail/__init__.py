"""The kit of `mail/1`: what leaves by `MailContract`, what outlives a process by `MailDurabilityContract`.

There is no HTTP surface: a provider hears `MailRequested` and answers the two questions of `Mail`.
"""

from kernel.testing.contracts.mail.deployed import DeployedMail, Outside, deploy_mail
from kernel.testing.contracts.mail.durability import RestartsContract
from kernel.testing.contracts.mail.leaving import LeavingContract
from kernel.testing.contracts.mail.waiting import WaitingContract

__all__ = ["DeployedMail", "MailContract", "MailDurabilityContract", "Outside", "deploy_mail"]


class MailContract(LeavingContract, WaitingContract):
    """Supply the fixture `harness`: `deploy_mail(deploy, "your-plugin")`, with an `outside` where it is not SMTP."""


class MailDurabilityContract(RestartsContract):
    """Supply the same fixture, where mails are to survive a restart and to be shared by processes."""
