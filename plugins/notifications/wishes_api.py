"""What people want to be told of, how soon and when; what they follow; and the link in a mail that ends it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from aiohttp import web
from sqlalchemy import bindparam

from kernel import (
    PUBLIC,
    SIGNED_IN,
    Context,
    Idempotency,
    Page,
    PageQuery,
    RateLimit,
    Request,
    Route,
    delete,
    get,
    page,
    post,
    problems,
    put,
)
from kernel.contracts.notifications import Frequency, NotificationKind, Topic
from kernel.contracts.users_http import is_time_zone
from kernel.database import Query
from plugins.notifications.api import TrayApi
from plugins.notifications.channels import Channels
from plugins.notifications.deciding import TRAY, Because, wish
from plugins.notifications.following import NotificationsService
from plugins.notifications.kinds import Kinds
from plugins.notifications.links import Links
from plugins.notifications.settings import Minutes, NotificationsSettings
from plugins.notifications.tables import contacts
from plugins.notifications.wanting import ARRANGE, AS_USUAL, CHOOSE, FORGET, Own, Wanted, end, wanted
from plugins.notifications.wording import in_language

#: Of one address: mail programs of very many people ask from few of them.
UNSUBSCRIBING: Final = "1200/minute"
_FIRST: Final = ""  # before every other topic
ZONE: Final = Query(sa.select(contacts.c.time_zone).where(contacts.c.user_id == bindparam("person")), str)
_topic: Final = msgspec.json.Decoder(Topic).decode


class Preference(msgspec.Struct, frozen=True, kw_only=True):
    """How soon notices of a kind reach one by a channel."""

    frequency: Frequency
    because: Because


class KindView(msgspec.Struct, frozen=True, kw_only=True):
    """A kind and what one wants of it."""

    kind: str
    label: str
    channels: dict[str, Preference]  #: `tray`, `mail` and what plugins bring


class Chosen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How soon one wants to hear of it. The tray knows `now` and `never`."""

    frequency: Frequency


class ScheduleView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When one wants to be told; null for what is usual. Hours are those of the time zone."""

    time_zone: Annotated[str, msgspec.Meta(max_length=60)] | None = None
    hour: Annotated[int, msgspec.Meta(ge=0, le=23)] | None = None
    weekday: Annotated[int, msgspec.Meta(ge=0, le=6)] | None = None
    quiet_from: Minutes | None = None
    quiet_until: Minutes | None = None


class InForce(msgspec.Struct, frozen=True, kw_only=True):
    """When one is told: what one has chosen, and what follows from it."""

    chosen: ScheduleView
    time_zone: str
    hour: int
    weekday: int
    quiet_from: int
    quiet_until: int


_NOTHING_CHOSEN: Final = msgspec.structs.asdict(ScheduleView())


class Followed(msgspec.Struct, frozen=True):
    """What one follows."""

    topic: str


class Follows(msgspec.Struct, frozen=True):
    """Whether one follows something."""

    follows: bool


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """What one is told no more of."""

    channel: str
    kinds: list[str]


class WishesApi:
    """Takes what people want."""

    def __init__(self, ctx: Context[NotificationsSettings]) -> None:
        self._ctx = ctx
        self._db = ctx.db
        self._kinds, self._channels = ctx.own(Kinds), ctx.own(Channels)
        self._tray, self._service = ctx.own(TrayApi), ctx.own(NotificationsService)
        self._links = Links(ctx)

    def routes(self) -> Iterable[Route]:
        """Return every route. None keeps idempotency keys: each change may be repeated, and does nothing more then."""
        none, unknown = Idempotency.NONE, (problems.NotFound,)
        one, followed = "/preferences/{kind}/{channel}", "/following/{topic}"
        bad = (problems.NotFound, problems.Invalid)
        yield get("/preferences", self.preferences, permission=SIGNED_IN)
        yield put(one, self.choose, permission=SIGNED_IN, problems=bad, idempotency=none)
        yield delete(one, self.forget, permission=SIGNED_IN, status=204, problems=unknown, idempotency=none)
        yield get("/schedule", self.schedule, permission=SIGNED_IN)
        yield put("/schedule", self.arrange, permission=SIGNED_IN, problems=bad[1:], idempotency=none)
        yield get("/following", self.following, permission=SIGNED_IN, problems=(problems.InvalidCursor,))
        yield get(followed, self.follows, permission=SIGNED_IN, problems=unknown)
        yield put(followed, self.follow, permission=SIGNED_IN, status=204, problems=unknown, idempotency=none)
        yield delete(followed, self.unfollow, permission=SIGNED_IN, status=204, problems=unknown, idempotency=none)
        limits = (RateLimit(UNSUBSCRIBING, by="address"),)
        for method, handler in ((post, self.unsubscribe), (get, self.look)):
            yield method(
                "/unsubscribe/{token}",
                handler,
                permission=PUBLIC,
                problems=unknown,
                idempotency=none,
                rate_limits=limits,
            )

    async def preferences(self, request: Request) -> list[KindView]:
        """Show how soon what reaches one, by kind and channel."""
        person = request.principal.id
        want, locale = await self._wanted(person), await self._tray.locale(person)
        return [self._view(kind, want, locale) for kind in self._kinds.all().values()]

    async def choose(self, request: Request, kind: str, channel: str, body: Chosen) -> Preference:
        """Say how soon notices of a kind reach one by a channel."""
        self._require_known(kind, channel)
        if channel == TRAY and body.frequency not in ("now", "never"):
            raise _invalid("body.frequency", "is 'now' or 'never' for the tray")
        person = {"user_id": request.principal.id, "kind": kind, "channel": channel}
        await self._db.run(CHOOSE, **person, frequency=body.frequency, unsubscribed_at=None)
        return Preference(frequency=body.frequency, because="chosen")

    async def forget(self, request: Request, kind: str, channel: str) -> None:
        """Have it as it is for everybody."""
        self._require_known(kind, channel)
        await self._db.run(FORGET, person=request.principal.id, of_kind=kind, by_channel=channel)

    async def schedule(self, request: Request) -> InForce:
        """Show at which hours one is told."""
        return await self._in_force(request.principal.id)

    async def arrange(self, request: Request, body: ScheduleView) -> InForce:
        """Say at which hours one wants digests, and when nothing is to come."""
        if body.time_zone is not None and not is_time_zone(body.time_zone):
            raise _invalid("body.time_zone", "is no time zone; send one such as 'Europe/Berlin'")
        if (body.quiet_from is None) != (body.quiet_until is None):
            missing = "quiet_from" if body.quiet_from is None else "quiet_until"
            raise _invalid(f"body.{missing}", "is missing; quiet hours have a beginning and an end")
        usual = _usual(self._ctx.settings)
        own = {name: value for name, value in msgspec.structs.asdict(body).items() if value != usual.get(name)}
        await self._db.run(ARRANGE, user_id=request.principal.id, **{**_NOTHING_CHOSEN, **own})
        return await self._in_force(request.principal.id)

    async def following(self, request: Request, query: PageQuery) -> Page[Followed]:
        """List what one follows."""
        after = query.after(str) or _FIRST
        found = await self._service.followed(request.principal.id, after, query.limit + 1)
        return page([Followed(topic) for topic in found], query, lambda one: one.topic)

    async def follows(self, request: Request, topic: str) -> Follows:
        """Say whether one follows a topic."""
        return Follows(await self._service.follows(request.principal.id, _known_topic(topic)))

    async def follow(self, request: Request, topic: str) -> None:
        """Be told from now on what concerns a topic, such as `instructor:` and somebody's id."""
        await self._service.follow(request.principal.id, _known_topic(topic))

    async def unfollow(self, request: Request, topic: str) -> None:
        """Be told no more of a topic."""
        await self._service.unfollow(request.principal.id, _known_topic(topic))

    async def look(self, request: Request, token: str) -> web.StreamResponse:
        """Go to the page on which a person can end it: a program that only looks at a link ends nothing."""
        if self._links.read(token) is None:
            raise problems.NotFound
        raise web.HTTPSeeOther(self._links.page(token))

    async def unsubscribe(self, request: Request, token: str) -> Ended:
        """End what the link of a mail names, for ever; it may be asked again and again."""
        ending = self._links.read(token)
        if ending is None:
            raise problems.NotFound
        async with self._db.transaction() as session:
            await end(session, ending.person, ending.channel, ending.kinds, self._ctx.clock.now())
        return Ended(channel=ending.channel, kinds=list(ending.kinds))

    def _view(self, kind: NotificationKind, want: Wanted, locale: str) -> KindView:
        wished = {channel: wish(kind, channel, want.chosen) for channel in (TRAY, *self._channels.names())}
        told = {name: Preference(frequency=one.frequency, because=one.because) for name, one in wished.items()}
        return KindView(kind=kind.name, label=in_language(kind.words, locale).label, channels=told)

    async def _wanted(self, person: UUID) -> Wanted:
        async with self._db.transaction() as session:
            return (await wanted(session, [person])).get(person, AS_USUAL)

    async def _in_force(self, person: UUID) -> InForce:
        want = await self._wanted(person)
        schedule = want.schedule(self._ctx.settings, await self._db.first(ZONE, person=person) or "UTC")
        return InForce(chosen=_chosen(want.own), **msgspec.structs.asdict(schedule))

    def _require_known(self, kind: str, channel: str) -> None:
        if kind not in self._kinds.all() or channel not in (TRAY, *self._channels.names()):
            raise problems.NotFound


def _usual(settings: NotificationsSettings) -> Mapping[str, int]:
    """Return what is so for everybody who has not chosen."""
    return {
        "hour": settings.digest_hour,
        "weekday": settings.digest_weekday,
        **({"quiet_from": 0, "quiet_until": 0} if settings.quiet_from == settings.quiet_until else {}),
    }


def _chosen(own: Own | None) -> ScheduleView:
    if own is None:
        return ScheduleView()
    return ScheduleView(**{name: getattr(own, name) for name in ScheduleView.__struct_fields__})


def _invalid(field: str, why: str) -> problems.Invalid:
    return problems.Invalid(fields=[problems.FieldError(field, why)])


def _known_topic(topic: str) -> str:
    try:
        return _topic(msgspec.json.encode(topic))
    except msgspec.ValidationError as error:
        raise problems.NotFound from error
