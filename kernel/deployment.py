"""What every plugin may know of the deployment it runs in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """The facts of one running Lyceum."""

    name: str  #: the institution's name, for people
    public_url: str  #: where people reach it, without a slash at the end
    currency: str  #: ISO 4217; the only one in which things are priced and paid
    development: bool  #: True where conveniences that would be unsafe in production are on
