"""The command `lyceum`."""

from kernel.cli.application import main
from kernel.cli.console import Console

__all__ = ["Console", "main"]
