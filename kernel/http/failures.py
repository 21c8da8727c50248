"""Failures: every exception becomes an answer that says what its reader can do, and nothing of our insides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from aiohttp import web
from multidict import CIMultiDict
from structlog.typing import FilteringBoundLogger

from kernel import errors
from kernel.containment.breaker import Fault
from kernel.containment.containment import KERNEL, Containment
from kernel.correlation import current_cause
from kernel.http import problems
from kernel.http.access import path_of
from kernel.http.settings import API_PREFIX

#: Returns a page for people that says what the problem says.
ErrorPage = Callable[[web.Request, problems.Problem], web.StreamResponse]
#: A plugin's own answer to an exception, or None.
ErrorResponse = Callable[[web.Request, Exception], web.StreamResponse | None]

PROBLEM_JSON: Final = "application/problem+json"
CLIENT_GONE: Final = 499  # for the log: nobody reads this answer
_RETRY: Final[Mapping[str, str]] = {"Retry-After": "5"}

_BY_STATUS: Final[Mapping[int, type[problems.Problem]]] = {
    401: problems.NotSignedIn,
    403: problems.Forbidden,
    404: problems.NotFound,
    405: problems.MethodNotAllowed,
    408: problems.BodyTimeout,
    409: problems.Conflict,
    412: problems.PreconditionFailed,
    413: problems.TooLarge,
    415: problems.UnsupportedMediaType,
    422: problems.Invalid,
    429: problems.TooManyRequests,
    503: problems.Unavailable,
    504: problems.Timeout,
}

_encode: Final = msgspec.json.Encoder().encode


class Failures:
    """Makes answers of exceptions."""

    def __init__(self, headers: CIMultiDict[str], error_page: ErrorPage | None, containment: Containment) -> None:
        self._headers = headers
        self._containment = containment
        self._error_page = error_page

    def answer(
        self, http: web.Request, error: Exception, log: FilteringBoundLogger, own: ErrorResponse | None
    ) -> web.StreamResponse:
        """Return the answer to a request that ended with *error*; *own* is asked about what is no problem."""
        if isinstance(error, problems.Problem):
            return self.tell(http, error)
        if isinstance(error, web.HTTPException):
            return self._translate(http, error)
        if http.transport is None and isinstance(error, ConnectionError):
            return web.Response(status=CLIENT_GONE)
        answered = self._ask(own, http, error, log)
        return self.tell(http, _problem_of(error, log, http)) if answered is None else answered

    def tell(self, http: web.Request, problem: problems.Problem) -> web.StreamResponse:
        """Return *problem*, as a page where a person reads it."""
        if self._error_page is not None and _wants_page(http):
            return self._error_page(http, problem)
        headers = self._headers.copy()
        headers["Content-Type"] = PROBLEM_JSON
        headers["Cache-Control"] = "no-store"
        headers.update(problem.headers)
        document = problem.document() | {"instance": f"urn:uuid:{current_cause().correlation}"}
        return web.Response(body=_encode(document), status=problem.status, headers=headers)

    def _ask(
        self, own: ErrorResponse | None, http: web.Request, error: Exception, log: FilteringBoundLogger
    ) -> web.StreamResponse | None:
        if own is None:
            return None
        try:
            return own(http, error)
        except Exception as failure:
            log.exception("error_response failed", action="internal-error", path=path_of(http))
            self._containment.failed(KERNEL, Fault.REQUEST, failure, what="error_response")
            return None

    def _translate(self, http: web.Request, error: web.HTTPException) -> web.StreamResponse:
        if error.status < 400:
            headers = {name: value for name, value in error.headers.items() if name != "Content-Type"}
            return web.Response(status=error.status, headers=headers)
        if isinstance(error, web.HTTPMethodNotAllowed):
            return self._wrong_method(http, error)
        kind = _BY_STATUS.get(error.status, problems.BadRequest if error.status < 500 else problems.Internal)
        return self.tell(http, kind())

    def _wrong_method(self, http: web.Request, error: web.HTTPMethodNotAllowed) -> web.StreamResponse:
        allowed = {"Allow": ", ".join(sorted({*error.allowed_methods, "OPTIONS"}))}
        if http.method == "OPTIONS":
            return web.Response(status=204, headers=allowed)
        return self.tell(http, problems.MethodNotAllowed(f"It has {allowed['Allow']}.", headers=allowed))


def _problem_of(error: Exception, log: FilteringBoundLogger, http: web.Request) -> problems.Problem:
    if isinstance(error, errors.CapabilityUnavailable | errors.DatabaseUnavailable):
        log.warning("request needs what is not there", action="unavailable", path=path_of(http), reason=str(error))
        return problems.Unavailable("Try again in a moment.", headers=_RETRY)
    if isinstance(error, web.RequestPayloadError):
        return problems.BadRequest("The body broke off or is not framed as HTTP wants it.")
    log.error("request failed", action="internal-error", method=http.method, path=path_of(http), exc_info=error)
    return problems.Internal("It has been logged under the id of this request.")


def _wants_page(http: web.Request) -> bool:
    return not http.path.startswith((API_PREFIX, "/-/", "/metrics")) and "text/html" in http.headers.get("Accept", "")
