"""Capabilities and contributions: the typed names by which plugins offer and find services."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Capability(Generic[T_co]):
    """A service that exactly one enabled plugin provides, such as `payments/1`.

    *T* is the Protocol that the provider fulfils. A new *major* is a new capability beside the old one.
    """

    name: str
    major: int = 1

    def __str__(self) -> str:
        return f"{self.name}/{self.major}"


@dataclass(frozen=True)
class Contribution(Generic[T_co]):
    """A service that any number of enabled plugins provide at once, such as `price_rule/1`."""

    name: str
    major: int = 1

    def __str__(self) -> str:
        return f"{self.name}/{self.major}"
