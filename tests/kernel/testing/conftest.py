"""The distribution that breaks the rules."""

from tests.kernel.testing.acme import acme

__all__ = ["acme"]
