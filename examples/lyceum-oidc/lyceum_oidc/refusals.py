"""What a person reads when a sign-in comes to nothing: each says what to do."""

from __future__ import annotations

from kernel import problems


class SignInRefused(problems.Problem):
    """What came back from the provider proves nothing. The log says what was wrong with it."""

    type, status, title = "oidc-refused", 400, "This sign-in did not work"

    def __init__(
        self, detail: str = "Begin it once more from the home page; a sign-in by email code works too."
    ) -> None:
        super().__init__(detail)


class ProviderUnavailable(problems.Problem):
    """The provider does not answer, or not as a provider does."""

    type, status, title = "oidc-unavailable", 503, "The other sign-in can not be reached now"

    def __init__(self) -> None:
        super().__init__("Try again in a few minutes, or sign in by email code: that works without it.")
