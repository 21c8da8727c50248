"""An in-memory `users/1`, and a plugin that provides it where a test leaves the real one out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from uuid import UUID

import msgspec

from kernel import (
    PUBLIC,
    SIGNED_IN,
    Answer,
    Context,
    Delivery,
    EventHandler,
    Manifest,
    Page,
    Permission,
    Plugin,
    Provide,
    Request,
    Route,
    etag_of,
    get,
    hookimpl,
    new_id,
    on,
    page,
    patch,
    problems,
    require_match,
)
from kernel.contracts.auth import RolesChanged, UserDisabled, UserEnabled, UserRegistered
from kernel.contracts.users import USERS, Person, ProfileChanged
from kernel.contracts.users_http import (
    LIST_USERS,
    DirectoryEntry,
    DirectoryQuery,
    OwnProfile,
    ProfileChange,
    Teacher,
    is_time_zone,
)
from kernel.database import Session

TEACHING: Final = frozenset({"admin", "instructor"})


@dataclass
class Known:
    """What is known of one person."""

    profile: OwnProfile
    email: str = ""
    roles: tuple[str, ...] = ()
    active: bool = True
    changed: bool = False  #: by the person
    versions: tuple[int, int] = (-1, -1)  #: of the account, when its roles and its state were told last

    def entry(self) -> DirectoryEntry:
        return DirectoryEntry(
            id=self.profile.id,
            display_name=self.profile.display_name,
            email=self.email,
            roles=self.roles,
            active=self.active,
        )


class InMemoryUsers:
    """Knows the people that a test made, and those of whom events tell."""

    def __init__(self, ctx: Context[Any] | None = None) -> None:
        self._known: dict[UUID, Known] = {}

    async def people(self, ids: Sequence[UUID]) -> Mapping[UUID, Person]:
        found = ((one, self._known[one].profile.display_name) for one in ids if one in self._known)
        return {one: Person(id=one, display_name=name) for one, name in found}

    def add(self, display_name: str, *roles: str, email: str = "") -> UUID:
        """Make a person, who has the role `student` where none is said; return the id."""
        person = new_id()
        self.register(
            UserRegistered(
                user_id=person, email=email, display_name=display_name, locale="en", roles=roles or ("student",)
            )
        )
        return person

    def own(self, person: UUID) -> OwnProfile:
        """Return what *person* told, of whom nothing need be known."""
        return self._known[person].profile if person in self._known else _blank(person)

    def put(self, profile: OwnProfile) -> None:
        """Have the person's profile be *profile*, as the person wants it."""
        known = self._of(profile.id)
        known.profile, known.changed = profile, True

    def teacher(self, person: UUID) -> Teacher | None:
        """Return what everybody may read about *person*, None about anybody who does not teach."""
        known = self._known.get(person)
        if known is None or not known.active or not TEACHING.intersection(known.roles):
            return None
        return Teacher(id=person, display_name=known.profile.display_name)

    def directory(self, query: DirectoryQuery) -> list[DirectoryEntry]:
        """Return whom *query* asks for by name, the whole list."""
        entries = (known.entry() for known in self._known.values())
        return sorted((entry for entry in entries if _is_wanted(entry, query)), key=_place)

    def register(self, event: UserRegistered) -> None:
        """Note that somebody registered; what the person has told already stands."""
        known = self._of(event.user_id)
        known.email = event.email
        if not known.changed:
            told = {"display_name": event.display_name, "locale": event.locale}
            known.profile = msgspec.structs.replace(known.profile, **told)
        self.set_roles(event)

    def set_roles(self, event: UserRegistered | RolesChanged) -> None:
        """Note somebody's roles, unless later ones are known."""
        known = self._of(event.user_id)
        if event.version >= known.versions[0]:
            known.roles, known.versions = tuple(sorted(event.roles)), (event.version, known.versions[1])

    def set_active(self, event: UserDisabled | UserEnabled) -> None:
        """Note whether an account is open, unless something later is known."""
        known = self._of(event.user_id)
        if event.version >= known.versions[1]:
            known.active, known.versions = isinstance(event, UserEnabled), (known.versions[0], event.version)

    def _of(self, person: UUID) -> Known:
        return self._known.setdefault(person, Known(_blank(person)))


class InMemoryUsersApi:
    """Serves the HTTP surface of the contract."""

    def __init__(self, ctx: Context[Any], users: InMemoryUsers) -> None:
        self._ctx = ctx
        self._users = users

    def routes(self) -> Iterable[Route]:
        return (
            get("/me", self.me, permission=SIGNED_IN),
            patch("/me", self.change, permission=SIGNED_IN, problems=(problems.PreconditionFailed,)),
            get("", self.directory, permission=LIST_USERS),
            get("/{user_id}", self.teacher, permission=PUBLIC, problems=(problems.NotFound,)),
        )

    async def me(self, request: Request) -> OwnProfile:
        """Read one's own profile."""
        return self._users.own(request.principal.id)

    async def change(self, request: Request, body: ProfileChange, session: Session) -> Answer[OwnProfile]:
        """Change one's own profile; with `If-Match`, only if nobody else has meanwhile."""
        before = self._users.own(request.principal.id)
        require_match(request.http, _etag(before))
        after = _changed(before, body)
        self._users.put(after)  # at once, so that changes at the same moment follow one another
        await self._ctx.events.publish(session, _told(after))
        return Answer(after, headers={"ETag": _etag(after)})

    async def teacher(self, user_id: UUID) -> Teacher:
        """Read about somebody who teaches."""
        found = self._users.teacher(user_id)
        if found is None:
            raise problems.NotFound
        return found

    async def directory(self, query: DirectoryQuery) -> Page[DirectoryEntry]:
        """List people by name."""
        after = query.after(tuple[str, UUID])
        rows = [entry for entry in self._users.directory(query) if after is None or _place(entry) > after]
        return page(rows[: query.limit + 1], query, _place)


class InMemoryUsersPlugin(Plugin[Any]):
    """Provides `users/1` from memory; `deployment.platform.services.get(USERS)` is the `InMemoryUsers`."""

    manifest: ClassVar[Manifest] = Manifest(
        name="test-users", version="1", provides=(USERS,), publishes=(ProfileChanged,)
    )
    kind: ClassVar[type[InMemoryUsers]] = InMemoryUsers  #: what it provides; a subclass may have another

    @hookimpl
    def permissions(self) -> Iterable[Permission]:
        yield Permission(name=LIST_USERS, summary="See everybody in the directory", roles=("admin",))

    @hookimpl
    def services(self, ctx: Context[Any]) -> Iterable[Provide[Any]]:
        yield Provide(USERS, lambda: contextlib.nullcontext(ctx.own(self.kind)))

    @hookimpl
    def event_handlers(self, ctx: Context[Any]) -> Iterable[EventHandler]:
        users = ctx.own(self.kind)
        yield on(UserRegistered, _noting(users.register), name="registered")
        yield on(RolesChanged, _noting(users.set_roles), name="roles-changed")
        yield on(UserDisabled, _noting(users.set_active), name="disabled")
        yield on(UserEnabled, _noting(users.set_active), name="enabled")

    @hookimpl
    def routes(self, ctx: Context[Any]) -> Iterable[Route]:
        return InMemoryUsersApi(ctx, ctx.own(self.kind)).routes()


def _noting(note: Callable[[Any], None]) -> Callable[[Session, Delivery[Any]], Any]:
    """Return a handler that has *note* take the event once it counts as handled."""

    async def handle(session: Session, delivery: Delivery[Any]) -> None:
        session.after_commit(lambda: note(delivery.event))

    return handle


def _blank(person: UUID) -> OwnProfile:
    return OwnProfile(id=person, display_name="", locale="en", time_zone="UTC")


def _changed(profile: OwnProfile, change: ProfileChange) -> OwnProfile:
    if change.time_zone is not msgspec.UNSET and not is_time_zone(change.time_zone):
        raise problems.Invalid(fields=[problems.FieldError("body.time_zone", "no time zone; use an IANA name")])
    told = msgspec.structs.asdict(change).items()
    return msgspec.structs.replace(profile, **{name: value for name, value in told if value is not msgspec.UNSET})


def _told(profile: OwnProfile) -> ProfileChanged:
    return ProfileChanged(
        user_id=profile.id, display_name=profile.display_name, locale=profile.locale, time_zone=profile.time_zone
    )


def _etag(profile: OwnProfile) -> str:
    return etag_of(msgspec.json.encode(profile))


def _place(entry: DirectoryEntry) -> tuple[str, UUID]:
    return entry.display_name.casefold(), entry.id


def _is_wanted(entry: DirectoryEntry, query: DirectoryQuery) -> bool:
    begins = (query.search or "").strip().casefold()
    return (
        (entry.display_name.casefold().startswith(begins) or entry.email.casefold().startswith(begins))
        and query.role in (None, *entry.roles)
        and query.active in (None, entry.active)
    )
