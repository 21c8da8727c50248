"""Problems: what the HTTP API answers instead of a result, as RFC 9457 problem details.

    Problem
    ├── BadRequest            400  bad-request           the request can not be read at all
    ├── InvalidCursor         400  invalid-cursor
    ├── IdempotencyKeyMissing 400  idempotency-key-missing
    ├── NotSignedIn           401  not-signed-in
    ├── Forbidden             403  forbidden
    ├── NotFound              404  not-found
    ├── PluginDisabled        404  plugin-disabled
    ├── MethodNotAllowed      405  method-not-allowed
    ├── BodyTimeout           408  body-timeout
    ├── Conflict              409  conflict
    ├── RequestInProgress     409  request-in-progress   a twin with the same idempotency key still runs
    ├── PreconditionFailed    412  precondition-failed
    ├── TooLarge              413  too-large
    ├── UnsupportedMediaType  415  unsupported-media-type
    ├── Invalid               422  invalid               read, but a field of it is wrong
    ├── IdempotencyKeyReused  422  idempotency-key-reused
    ├── UpgradeRequired       426  upgrade-required      the path is a WebSocket's
    ├── TooManyRequests       429  too-many-requests
    ├── Internal              500  internal
    ├── Unavailable           503  unavailable
    ├── PluginQuarantined     503  plugin-quarantined    it failed too often of late
    └── Timeout               504  timeout

A contract adds its own by subclassing; a route lists those it may answer under `problems`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec

from kernel import errors


class FieldError(msgspec.Struct, frozen=True):
    """One wrong field of a request."""

    field: str  #: where it is, such as `body.sections[0].title`, `query.limit` or `path.course_id`
    message: str  #: what is wrong and what would be right


class Problem(errors.LyceumError):
    """An answer that says what went wrong; raise it anywhere below a route's handler.

    *extensions* are further members of the answer, of JSON types.
    """

    type: ClassVar[str]
    status: ClassVar[int]
    title: ClassVar[str]

    def __init__(
        self,
        detail: str = "",
        *,
        fields: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        extensions: Mapping[str, object] | None = None,
    ) -> None:
        self.detail = detail
        self.fields = tuple(fields)
        self.headers = dict(headers or {})
        self.extensions = dict(extensions or {})
        super().__init__(detail or self.title)

    def document(self) -> dict[str, object]:
        """Return the members of the problem document."""
        found: dict[str, object] = {"type": f"/problems/{self.type}", "title": self.title, "status": self.status}
        if self.detail:
            found["detail"] = self.detail
        if self.fields:
            found["errors"] = self.fields
        return found | self.extensions


class BadRequest(Problem):
    """The request can not be read."""

    type, status, title = "bad-request", 400, "The request can not be read"


class InvalidCursor(Problem):
    """The cursor was not made by this list."""

    type, status, title = "invalid-cursor", 400, "The cursor is not one of this list"


class IdempotencyKeyMissing(Problem):
    """The route moves money or makes something that must not be made twice."""

    type, status, title = "idempotency-key-missing", 400, "The header Idempotency-Key is required here"


class NotSignedIn(Problem):
    """The route needs a person, and the request bears no valid token."""

    type, status, title = "not-signed-in", 401, "Sign in first"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})


class Forbidden(Problem):
    """The person is known and may not do this."""

    type, status, title = "forbidden", 403, "You may not do this"


class NotFound(Problem):
    """There is no such thing, or none that this person may know of."""

    type, status, title = "not-found", 404, "There is no such thing"


class PluginDisabled(Problem):
    """The plugin that owns the path is switched off."""

    type, status, title = "plugin-disabled", 404, "This part of the platform is switched off"


class MethodNotAllowed(Problem):
    """The path exists, with other methods."""

    type, status, title = "method-not-allowed", 405, "The path does not have this method"


class BodyTimeout(Problem):
    """The body came too slowly."""

    type, status, title = "body-timeout", 408, "The body did not arrive in time"


class Conflict(Problem):
    """The state of the thing does not allow this."""

    type, status, title = "conflict", 409, "The present state does not allow this"


class RequestInProgress(Problem):
    """A request with the same idempotency key is still running."""

    type, status, title = "request-in-progress", 409, "The same request is still running"


class PreconditionFailed(Problem):
    """The thing has changed since the caller read it."""

    type, status, title = "precondition-failed", 412, "The thing has changed meanwhile"


class TooLarge(Problem):
    """The body is larger than the route allows."""

    type, status, title = "too-large", 413, "The body is too large"


class UnsupportedMediaType(Problem):
    """The body is not of a type that the route reads."""

    type, status, title = "unsupported-media-type", 415, "The body must be application/json"


class Invalid(Problem):
    """One or more fields are wrong; `errors` lists each."""

    type, status, title = "invalid", 422, "A field of the request is wrong"


class IdempotencyKeyReused(Problem):
    """The key came before, with another request."""

    type, status, title = "idempotency-key-reused", 422, "The idempotency key belongs to another request"


class UpgradeRequired(Problem):
    """The path is a WebSocket's, and the request is no handshake (RFC 6455, version 13)."""

    type, status, title = "upgrade-required", 426, "This path is for WebSockets"

    def __init__(self, detail: str = "") -> None:
        headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        super().__init__(detail, headers=headers)


class TooManyRequests(Problem):
    """The caller is over a limit; `Retry-After` says when to come back."""

    type, status, title = "too-many-requests", 429, "Too many requests"


class Internal(Problem):
    """A defect; the request id finds it in the log."""

    type, status, title = "internal", 500, "Something broke on our side"


class Unavailable(Problem):
    """A part that the route needs does not run now."""

    type, status, title = "unavailable", 503, "This part of the platform does not run now"


class PluginQuarantined(Problem):
    """The plugin that owns the path failed too often; `Retry-After` says when it is tried again."""

    type, status, title = "plugin-quarantined", 503, "This part of the platform rests after failures"


class Timeout(Problem):
    """The request took longer than the route allows."""

    type, status, title = "timeout", 504, "The request took too long"
