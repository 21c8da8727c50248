"""`auth/1`: who a person is, what they may, and their sessions. What is served over HTTP is in `auth_http`.

How people sign in is the provider's own. `CodeRefused` and `TokenRefused` are for those that do it by codes and by
refresh tokens, as ours does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar, Final, Protocol
from uuid import UUID

import msgspec

from kernel import ERASED, Cookie, Event, Identity, Personal, Request, problems
from kernel.capabilities import Capability

#: A language tag (BCP 47) of language, script, region and variants, such as `de-AT` or `zh-Hant-TW`.
Locale = Annotated[
    str,
    msgspec.Meta(
        max_length=35,
        pattern=r"^[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?(-([A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*$(?!\n)",
    ),
]

Role = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{0,39}$(?!\n)")]

#: The pattern of HTML's email fields: one address in ASCII, without comments, quotes or a line break at its end.
_ADDRESS: Final = (
    r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$(?!\n)"
)

Email = Annotated[str, msgspec.Meta(pattern=_ADDRESS, max_length=254, description="One mail address")]


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A person as the sign-in knows them."""

    id: UUID
    email: str
    roles: tuple[str, ...]
    active: bool


class CodeRefused(problems.Problem):
    """The code is wrong, expired, used or tried too often: the answer never says which."""

    type, status, title = "code-refused", 401, "The code is not good; try again, or ask for a new one"

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": "Bearer"})


class TokenRefused(problems.Problem):
    """The refresh token is wrong, expired, revoked or replaced: the answer never says which."""

    type, status, title = "token-refused", 401, "The session has ended; sign in again"

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": "Bearer"})


class Vouched(msgspec.Struct, frozen=True, kw_only=True):
    """A person for whom another plugin vouches, after it has asked somebody who knows them."""

    by: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]  #: who vouches, as the person knows them
    user_id: UUID | None = None  #: whose account it is; None for a person whom the plugin has not seen before
    email: str = ""  #: of a person not seen before: an address that whoever vouches has verified
    display_name: str = ""  #: counts for an account that is made now only, as does the locale
    locale: str = ""
    #: Whether the address alone leads to an account that is there. False unless the institution trusts whoever
    #: verified it as it trusts its own mails; to the account of an administrator it never leads.
    adopts: bool = False


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """A browser is signed in once it has the cookies: set them on the answer."""

    user_id: UUID
    new: bool  #: whether the account was made now
    cookies: tuple[Cookie, ...]


class AddressTaken(problems.Problem):
    """Whoever is vouched for has an address that leads to an account, and the vouching does not suffice for it."""

    type, status, title = "address-taken", 409, "There is an account of this address already: sign in to it first"


class AccountClosed(problems.Problem):
    """The account of whoever is vouched for is closed, or gone."""

    type, status, title = "account-closed", 403, "The account is closed"


class LastAdministrator(problems.Problem):
    """Nobody could administer the platform any more."""

    type, status, title = "last-administrator", 409, "This is the last active administrator"


class UserRegistered(Event, frozen=True, kw_only=True):
    """A person signed in for the first time, or an administrator made the account."""

    name: ClassVar[str] = "auth.user_registered.v1"
    key: ClassVar[str] = "user_id"
    personal: ClassVar[Personal] = {"user_id": {"email": ERASED, "display_name": "", "locale": "en"}}
    user_id: UUID
    email: str
    display_name: str  #: empty where the person gave none
    locale: str
    roles: tuple[str, ...]
    version: int = 0  #: as in `RolesChanged`


class RolesChanged(Event, frozen=True, kw_only=True):
    """Somebody has other roles."""

    name: ClassVar[str] = "auth.roles_changed.v1"
    key: ClassVar[str] = "user_id"
    user_id: UUID
    roles: tuple[str, ...]  #: all that the person has now
    changed_by: UUID | None = None  #: the administrator; None for the command line
    version: int = 0  #: greater for each later change of the account, whichever it is; 0 where nobody counts


class UserDisabled(Event, frozen=True, kw_only=True):
    """An administrator closed the account; its sessions have ended."""

    name: ClassVar[str] = "auth.user_disabled.v1"
    key: ClassVar[str] = "user_id"
    user_id: UUID
    version: int = 0  #: as in `RolesChanged`


class UserEnabled(Event, frozen=True, kw_only=True):
    """An administrator opened a closed account again."""

    name: ClassVar[str] = "auth.user_enabled.v1"
    key: ClassVar[str] = "user_id"
    user_id: UUID
    version: int = 0  #: as in `RolesChanged`


class SessionStarted(Event, frozen=True, kw_only=True):
    """A person signed in."""

    name: ClassVar[str] = "auth.session_started.v1"
    key: ClassVar[str] = "user_id"
    user_id: UUID
    session_id: UUID


class SignedInFromNewDevice(Event, frozen=True, kw_only=True):
    """A person who had signed in before did so from a device that was not known of them.

    It comes beside `SessionStarted`, from providers that know devices again.
    """

    name: ClassVar[str] = "auth.signed_in_from_new_device.v1"
    key: ClassVar[str] = "user_id"
    personal: ClassVar[Personal] = {"user_id": {"address": "", "client": ""}}
    user_id: UUID
    session_id: UUID
    address: str  #: of the client, as the deployment sees it
    client: str  #: what the browser or application calls itself, shortened; empty where it does not say


class SessionRevoked(Event, frozen=True, kw_only=True):
    """A session ended before its time: *reason* is `sign-out`, `reuse`, `disabled` or `administrator`."""

    name: ClassVar[str] = "auth.session_revoked.v1"
    key: ClassVar[str] = "user_id"
    user_id: UUID
    session_id: UUID
    reason: str


class Auth(Identity, Protocol):
    """Vouches for people."""

    async def account(self, user_id: UUID) -> Account | None:
        """Return the account, None when there is none."""
        ...

    async def holder(self, email: str) -> UUID | None:
        """Return whose mail address *email* is now, closed accounts included, None when it is nobody's."""
        ...

    async def sign_in(self, request: Request, person: Vouched) -> SignedIn:
        """Open a session of the browser that sent *request*, for somebody for whom the calling plugin vouches.

        Whom no account is of gets one. It is the same session as after any other sign-in, with the same events; one
        that the browser had ends.

        Raises:
            AddressTaken: the address leads to an account that the plugin may not open by it.
            AccountClosed: the account is closed, or there is none of this id.
            ValueError: *person* has neither an id nor a mail address.
            problems.Conflict: the deployment can not keep sessions in cookies.
        """
        ...

    async def close(self, user_id: UUID) -> None:
        """Close the account and end its sessions; nothing happens to one that is closed, or where there is none.

        For code that acts for the deployment, not for a person: nobody is asked whether they may.

        Raises:
            LastAdministrator: nobody would administer any more.
        """
        ...

    async def grant(self, email: str, roles: Iterable[str]) -> Account:
        """Give *roles*, beside those it has, to the account of *email*, which is made if there is none.

        For code that acts for the deployment, not for a person: nobody is asked whether they may.

        Raises:
            ValueError: *email* is no mail address.
        """
        ...


AUTH: Final[Capability[Auth]] = Capability("auth", 1)
