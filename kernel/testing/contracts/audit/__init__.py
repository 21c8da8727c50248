"""The kit of `audit/1`: what is kept by `KeepingContract`, what is shown by `ShowingContract`, both by the whole."""

from kernel.testing.contracts.audit.deployed import DeployedAudit, deploy_audit
from kernel.testing.contracts.audit.keeping import KeepingContract
from kernel.testing.contracts.audit.showing import ShowingContract

__all__ = ["AuditContract", "DeployedAudit", "deploy_audit"]


class AuditContract(KeepingContract, ShowingContract):
    """Supply the fixture `harness`: `deploy_audit(deploy, "your-plugin")`."""
