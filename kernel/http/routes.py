"""Routes: what a plugin declares of its HTTP surface."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal

from aiohttp import web

from kernel import errors
from kernel.http.problems import Problem

Handler = Callable[..., Awaitable[object]]

#: Anyone may call, signed in or not.
PUBLIC: Final = "public"
#: Anyone who is signed in may call; the handler decides by the object.
SIGNED_IN: Final = "signed-in"

DEFAULT_BODY_LIMIT: Final = 64 * 1024  # bytes
DEFAULT_TIMEOUT: Final = 30.0  # seconds


class Idempotency(enum.Enum):
    """What a route does with the header Idempotency-Key."""

    NONE = "none"  #: the method is safe, or the handler takes the key itself and answers a repeat alike
    OPTIONAL = "optional"  #: with a key the first answer is stored with the change and replayed
    REQUIRED = "required"  #: as OPTIONAL, and a request without a key is refused
    HANDLER = "handler"  #: a key is required and the handler keeps it with its own rows


@dataclass(frozen=True)
class RateLimit:
    """At most *rate* calls (in the notation of the `limits` package, such as `5/hour`) for each *by*."""

    rate: str
    by: Literal["address", "principal"] = "principal"
    scope: str = ""  #: limits of a plugin's routes with the same scope count together; "" for this route alone
    member: str = ""  #: of the body: only requests in which it is given and not null count; "" for all


@dataclass(frozen=True, kw_only=True)
class Route:
    """One HTTP route, relative to the plugin's mount.

    The kernel reads the handler's signature once, at boot: `request` is the `Request`; `body` a msgspec Struct
    (JSON), `query` a msgspec Struct (query string), `session` an open transaction in the plugin's database, `begin`
    what opens one; every other parameter is a placeholder of *path*, converted to its annotation (`str`, `int`,
    `UUID`). The annotated result is encoded: a Struct, a `Page`, a list, None (204), or an aiohttp response that is
    passed through.

    A handler with `session` answers inside that transaction: it commits when the handler returns and rolls back
    when it raises. One that has to ask another module takes `begin` instead, asks first, and then does
    `session = await begin()`, once: no transaction waits for another module.
    """

    method: str
    path: str
    handler: Handler
    permission: str
    summary: str = ""
    status: int = 200
    problems: tuple[type[Problem], ...] = ()
    idempotency: Idempotency = Idempotency.NONE
    rate_limits: tuple[RateLimit, ...] = ()
    body_limit: int = DEFAULT_BODY_LIMIT
    timeout: float = DEFAULT_TIMEOUT


def check_path(plugin: str, place: str, path: str) -> None:
    """Refuse a *path* that aiohttp can not read; *place* says where the plugin declares it.

    Raises:
        errors.InvalidDeclaration: the message names the path.
    """
    try:
        web.UrlDispatcher().add_resource(path)
    except ValueError as error:
        message = f"{place}: the path {path!r} can not be read; begin it with '/' and close each '{{name}}'"
        raise errors.InvalidDeclaration(message, plugin=plugin) from error


@dataclass(frozen=True)
class _Method:
    """Makes routes of one HTTP method: `get("/{course_id}", handler, permission=PUBLIC)`."""

    name: str
    idempotency: Idempotency

    def __call__(
        self,
        path: str,
        handler: Handler,
        *,
        permission: str,
        summary: str = "",
        status: int = 200,
        problems: tuple[type[Problem], ...] = (),
        idempotency: Idempotency | None = None,
        rate_limits: tuple[RateLimit, ...] = (),
        body_limit: int = DEFAULT_BODY_LIMIT,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> Route:
        return Route(
            method=self.name,
            path=path,
            handler=handler,
            permission=permission,
            summary=summary or (handler.__doc__ or "").strip().split("\n")[0],
            status=status,
            problems=problems,
            idempotency=self.idempotency if idempotency is None else idempotency,
            rate_limits=rate_limits,
            body_limit=body_limit,
            timeout=timeout,
        )


get: Final = _Method("GET", Idempotency.NONE)
post: Final = _Method("POST", Idempotency.OPTIONAL)
put: Final = _Method("PUT", Idempotency.OPTIONAL)
patch: Final = _Method("PATCH", Idempotency.OPTIONAL)
delete: Final = _Method("DELETE", Idempotency.OPTIONAL)
