"""What an administrator may set of the sign-in."""

from __future__ import annotations

from typing import Annotated

import msgspec

from kernel import Rate, Settings


class AuthSettings(Settings, frozen=True):
    """`[plugins.auth]`. What makes guessing hopeless (length, life and tries of a code) is not for setting."""

    audience: str = ""  #: the `aud` of access tokens; empty for the public URL
    session_days: Annotated[int, msgspec.Meta(ge=1, le=365)] = 30  #: after which one signs in anew, whatever happens
    browser_idle_hours: Annotated[int, msgspec.Meta(ge=1, le=720)] = 12  #: without a request, until a cookie is over
    code_requests: Rate = "60/minute"  #: for each client address, whichever mail addresses it names
    sign_ins: Rate = "120/minute"  #: for each client address
    refreshes: Rate = "300/minute"  #: for each client address
