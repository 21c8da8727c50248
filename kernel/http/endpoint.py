"""Endpoints: each route compiled at boot into one coroutine that does everything a request needs.

Its order: address limits · who calls · whether they may · their limits · path, query, body · limits on what it has ·
idempotency key · transaction · handler · encoding · commit · entity tag. What a route does not need costs it nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aiohttp import web

from kernel.database import Database
from kernel.http import problems
from kernel.http.answers import Reply, etag_of, matches, response_of
from kernel.http.beginning import AlreadyAnswered, LateTransaction
from kernel.http.callers import check_permission, origin_of, refuse_cross_site
from kernel.http.frame import Frame, Shared
from kernel.http.idempotency import Claim, key_of, request_hash
from kernel.http.inputs import Arguments, body_decoder, path_filler, query_filler, read_body, refuse_query
from kernel.http.limits import GeneralLimit, MemberLimits, RouteLimits, address_key
from kernel.http.request import Request
from kernel.http.routes import Idempotency, Route
from kernel.http.signatures import SAFE_METHODS, Signature
from kernel.http.whole import Head

_KEEPS: Final = (Idempotency.OPTIONAL, Idempotency.REQUIRED)
_NEEDS_KEY: Final = (Idempotency.REQUIRED, Idempotency.HANDLER)


class Endpoint:
    """One route, ready to serve."""

    def __init__(
        self, route: Route, signature: Signature, frame: Frame, db: Database, general_limit: GeneralLimit
    ) -> None:
        self._route = route
        self._signature = signature
        self._frame = frame
        self._shared: Shared = frame.shared
        self._db = db
        self._name = f"{route.method} {frame.route}"
        self._fill_path = path_filler(signature)
        self._fill_query = refuse_query if signature.query is None else query_filler(signature.query)
        self._decode = None if signature.body is None else body_decoder(signature.body)
        self._unsafe = route.method not in SAFE_METHODS
        self._origin = origin_of(self._shared.deployment.public_url)
        self._general_limit = general_limit
        self._address_limits = self._limits("address")
        self._caller_limits = self._limits("principal")
        members = {limit.member for limit in route.rate_limits if limit.member}
        self._member_limits = [
            MemberLimits(member, self._limits("address", member), self._limits("principal", member))
            for member in sorted(members)
        ]
        headers = self._shared.headers.copy()
        headers["Cache-Control"] = "no-store" if self._unsafe else "private, no-cache"
        self._head = Head(headers)

    async def serve(self, http: web.Request) -> web.StreamResponse:
        """Answer a request that aiohttp's router brought here."""
        return await self.answer(http, http.match_info)

    def answer(self, http: web.Request, placeholders: Mapping[str, str]) -> Awaitable[web.StreamResponse]:
        """Answer a request with these values of the path's *placeholders*."""
        return self._frame.run(http, self._respond, placeholders)

    async def _respond(self, request: Request) -> web.StreamResponse:
        told = await self._admit(request)
        arguments: Arguments = {"request": request} if self._signature.request else {}
        self._fill_path(request.placeholders, arguments)
        self._fill_query(request.http, arguments)
        raw = b"" if self._decode is None else await self._read(request, arguments, self._decode)
        if self._member_limits:
            told = told | await self._check_body(request, arguments["body"])
        if self._unsafe:
            self._take_key(request)
        if self._signature.session:
            result = await self._transact(request, arguments, raw)
        elif self._signature.begin:
            result = await self._transact_later(request, arguments, raw)
        else:
            result = await self._handle(request, arguments)
        if not isinstance(result, Reply):
            return result
        if told:
            result.headers = {**result.headers, **told}
        return self._finish(request.http, result)

    async def _admit(self, request: Request) -> dict[str, str]:
        """Refuse whoever may not call; return the headers that tell where the caller stands with the limits."""
        http, told = request.http, {}
        if self._unsafe:
            refuse_cross_site(http, self._origin)
        if self._address_limits is not None:
            told = await self._address_limits.check(address_key(request.address))
        request.caller = caller = await self._shared.callers.caller(http)
        if self._unsafe or self._caller_limits is not None:
            who = address_key(request.address) if caller is None else str(caller.id)
            if self._unsafe:
                self._general_limit.check(who)
            if self._caller_limits is not None:
                told = told | await self._caller_limits.check(who)
        check_permission(caller, self._route.permission)
        if self._unsafe and caller is not None and caller.actor is not None:
            await self._shared.callers.record_acting(request, self._name)
        return told

    async def _check_body(self, request: Request, body: object) -> dict[str, str]:
        """Refuse whoever sends too often what the body has; return the headers as `_admit` does."""
        address = address_key(request.address)
        who = address if request.caller is None else str(request.caller.id)
        told: dict[str, str] = {}
        for limits in self._member_limits:
            told |= await limits.check(body, address, who)
        return told

    async def _read(self, request: Request, arguments: Arguments, decode: Callable[[bytes], object]) -> bytes:
        http, limit, deadlines = request.http, self._route.body_limit, self._shared.deadlines
        if http.content.is_eof():  # it came together with the headers
            raw = await read_body(http, limit)
        else:
            deadlines.begin(self._shared.settings.body_seconds)
            raw = await read_body(http, limit)
            deadlines.begin(self._route.timeout)
        arguments["body"] = decode(raw)
        return raw

    def _take_key(self, request: Request) -> None:
        request.idempotency_key = key_of(request.http)
        if request.idempotency_key is None and self._route.idempotency in _NEEDS_KEY:
            raise problems.IdempotencyKeyMissing("Send a new one, such as a UUID, and the same with each repetition.")

    async def _transact(self, request: Request, arguments: Arguments, raw: bytes) -> Reply | web.StreamResponse:
        claim = self._claim(request, raw)
        async with self._db.transaction() as session:
            arguments["session"] = session
            if claim is None:
                return await self._handle(request, arguments)
            first = await claim.take(session, self._db.dialect, self._shared.clock)
            if first is not None:
                return first
            reply = await self._handle(request, arguments)
            if isinstance(reply, Reply):
                await claim.keep(session, reply)
            return reply

    async def _transact_later(self, request: Request, arguments: Arguments, raw: bytes) -> Reply | web.StreamResponse:
        """Let the handler begin the transaction itself; a repeat is answered before it asks anybody anything."""
        claim = self._claim(request, raw)
        first = None if claim is None else await claim.answered(self._db)
        if first is not None:
            return first
        try:
            async with LateTransaction(self._db, claim, self._shared.clock) as transaction:
                arguments["begin"] = transaction.begin
                reply = await self._handle(request, arguments)
                if isinstance(reply, Reply):
                    await transaction.keep(reply)
                return reply
        except AlreadyAnswered as twin:
            return twin.reply

    def _claim(self, request: Request, raw: bytes) -> Claim | None:
        key, caller = request.idempotency_key, request.caller
        if key is None or caller is None or self._route.idempotency not in _KEEPS:
            return None  # a stranger's key belongs to nobody, so nothing is kept for it
        return Claim(subject=caller.id, route=self._name, key=key, request_hash=request_hash(request.http, raw))

    async def _handle(self, request: Request, arguments: Arguments) -> Reply | web.StreamResponse:
        result = await self._route.handler(**arguments)
        encode = self._signature.encode
        if self._signature.responds and isinstance(result, web.StreamResponse):
            return result
        if encode is None:
            raise TypeError(f"{self._name} is annotated with a response and returned {type(result).__name__}")
        return encode(result, self._route.status, request.http)

    def _finish(self, http: web.Request, reply: Reply) -> web.StreamResponse:
        if reply.status == 200 and not self._unsafe:
            etag = reply.headers.get("ETag")
            if etag is None:
                etag = etag_of(reply.body)
                reply.headers = {**reply.headers, "ETag": etag}
            known = http.headers.get("If-None-Match")
            if known is not None and matches(known, etag):
                reply.status, reply.body = 304, b""
        return response_of(reply, self._head, http)

    def _limits(self, by: str, member: str = "") -> RouteLimits | None:
        limits = [limit for limit in self._route.rate_limits if limit.by == by and limit.member == member]
        return RouteLimits(self._name, self._frame.plugin, limits, self._shared.limiter) if limits else None
