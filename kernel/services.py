"""Where a plugin finds what other plugins provide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, cast

from kernel import errors
from kernel.capabilities import Capability, Contribution

T = TypeVar("T")


class Services:
    """The running services of a deployment, found by capability.

    Look a service up where it is used, not in a constructor: providers start one after another, and a
    lookup at use finds all of them whatever the order.
    """

    def __init__(self) -> None:
        self._providers: dict[Capability[object], object] = {}
        self._contributions: dict[Contribution[object], tuple[tuple[str, object], ...]] = {}
        self._unavailable: dict[Capability[object], str] = {}

    def get(self, capability: Capability[T]) -> T:
        """Return the provider of *capability*.

        Raises:
            errors.CapabilityUnavailable: nobody provides it, or its provider failed to start.
        """
        found = self._providers.get(capability)
        if found is None:
            reason = self._unavailable.get(capability, "no enabled plugin provides it")
            raise errors.CapabilityUnavailable(str(capability), reason)
        return cast(T, found)

    def find(self, capability: Capability[T]) -> T | None:
        """Return the provider of *capability*, or None where there is none now."""
        return cast("T | None", self._providers.get(capability))

    def all(self, contribution: Contribution[T]) -> tuple[T, ...]:
        """Return what every plugin contributes, in the order in which the plugins started."""
        return tuple(service for _, service in self.named(contribution))

    def named(self, contribution: Contribution[T]) -> tuple[tuple[str, T], ...]:
        """Return what every plugin contributes, each with the plugin's name, in the same order."""
        return cast("tuple[tuple[str, T], ...]", self._contributions.get(contribution, ()))

    def provide(self, capability: Capability[T], service: T) -> None:
        """Make *service* the provider of *capability*; the lifecycle calls this, plugins declare `Provide`."""
        self._providers[capability] = service

    def contribute(self, contribution: Contribution[T], service: T, plugin: str) -> None:
        """Add *service* of *plugin* to *contribution*; the lifecycle calls this, plugins declare `Provide`."""
        self._contributions[contribution] = (*self._contributions.get(contribution, ()), (plugin, service))

    def retract(self, contribution: Contribution[object], service: object) -> None:
        """Take *service* out of *contribution* again, because its plugin stopped or failed."""
        left = tuple(one for one in self._contributions.get(contribution, ()) if one[1] is not service)
        self._contributions[contribution] = left

    def withdraw(self, capabilities: Sequence[Capability[object]], reason: str) -> None:
        """Forget the providers of *capabilities*, which failed or stopped for *reason*."""
        for capability in capabilities:
            self._providers.pop(capability, None)
            self._unavailable[capability] = reason
