"""What an administrator may set."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec

from kernel import Rate, Secret, Settings

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{0,39}$(?!\n)")]
Line = Annotated[str, msgspec.Meta(min_length=1, max_length=80)]

_DOMAIN: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")


class ProviderSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[plugins.oidc.providers.<name>]`: one system that knows people."""

    label: Line  #: as people know it
    issuer: str  #: exactly as the provider writes it in its tokens
    client_id: Line
    client_secret: Secret
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    email_domains: tuple[str, ...] = ()  #: of whose addresses accounts are made or found; of all where it is left out
    link_verified_email: bool = False  #: whether a verified address leads to an account that is there already

    def __post_init__(self) -> None:
        if not is_safe(self.issuer):
            raise ValueError(f"the issuer {self.issuer!r} is no https URL; write it as the provider's metadata has it")
        if "openid" not in self.scopes:
            raise ValueError("'scopes' lack \"openid\"; without it a provider does not say who signed in")
        for domain in self.email_domains:
            if not _DOMAIN.fullmatch(domain):
                raise ValueError(
                    f"{domain!r} in 'email_domains' is no domain; write it as example.org, in small letters"
                )

    def knows(self, email: str) -> bool:
        """Return whether the provider may speak of *email*."""
        return not self.email_domains or email.lower().rpartition("@")[2] in self.email_domains


class OidcSettings(Settings, frozen=True):
    """`[plugins.oidc]`."""

    providers: dict[Name, ProviderSettings] = msgspec.field(default_factory=dict)  #: by a name that stands in addresses
    rate: Rate = "60/minute"  #: sign-ins that one address may begin, and end

    def __post_init__(self) -> None:
        issuers = [provider.issuer for provider in self.providers.values()]
        if len(set(issuers)) < len(issuers):
            raise ValueError("two of the 'providers' have the same issuer; leave one of them out")


def is_safe(url: str) -> bool:
    """Return whether nobody reads on the way what goes to *url*: it is encrypted, or stays on this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or ""))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
