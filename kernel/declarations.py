"""What the plugins declare through their hooks, gathered once at boot and checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kernel import errors
from kernel.capabilities import Capability
from kernel.context import Context
from kernel.events.event import Event, EventHandler
from kernel.hooks import Hooks
from kernel.http.routes import PUBLIC, SIGNED_IN, Route
from kernel.http.sockets.declaring import Socket
from kernel.plugin import Check, Manifest, Permission, Provide
from kernel.web.declarations import Navigation, Page, PageDeclaration, Slot, StaticFiles, Templates

#: The roles that every deployment has; plugins say what they allow, and may name further ones.
ROLES: Final = ("admin", "instructor", "student")
OPERATE: Final = Permission(name="platform.operate", summary="See how the deployment fares", roles=("admin",))
_EVENT_NAME: Final = re.compile(r"[a-z0-9_]+\.[a-z0-9_]+\.v[1-9][0-9]*")
_PAGE_KINDS: Final = (Navigation, Page, Slot, StaticFiles, Templates)


@dataclass(frozen=True, kw_only=True)
class Declarations:
    """Everything one plugin declared with its context."""

    provides: tuple[Provide[object], ...] = ()
    event_handlers: tuple[EventHandler, ...] = ()
    routes: tuple[Route, ...] = ()
    sockets: tuple[Socket, ...] = ()
    pages: tuple[PageDeclaration, ...] = ()
    checks: tuple[Check, ...] = ()


def declare(hooks: Hooks, manifest: Manifest, permissions: Iterable[Permission], ctx: Context[Any]) -> Declarations:
    """Ask the plugin's hooks for all it declares.

    Raises:
        errors.InvalidDeclaration: a hook raised, or what it returned breaks a rule of the house.
    """
    name = manifest.name
    served = tuple(_served(hooks, name, ctx))
    found = Declarations(
        provides=hooks.many(name, "services", Provide, ctx=ctx),
        event_handlers=hooks.many(name, "event_handlers", EventHandler, ctx=ctx),
        routes=tuple(one for one in served if isinstance(one, Route)),
        sockets=tuple(one for one in served if isinstance(one, Socket)),
        pages=tuple(_pages(hooks, name, ctx)),
        checks=hooks.many(name, "checks", Check, ctx=ctx),
    )
    allowed = {PUBLIC, SIGNED_IN, *(permission.name for permission in permissions)}
    _check_provides(manifest, found.provides)
    _check_handlers(name, found.event_handlers)
    for route in found.routes:
        _check_permission(name, f"the route {route.method} {route.path}", route.permission, allowed)
    for socket in found.sockets:
        _check_permission(name, f"the socket {socket.path}", socket.permission, allowed)
    for page in found.pages:
        if isinstance(page, Page | Navigation):
            _check_permission(name, f"the {type(page).__name__.lower()} {page.path}", page.permission, allowed)
    return found


def _served(hooks: Hooks, name: str, ctx: Context[Any]) -> Iterable[Route | Socket]:
    for one in hooks.many(name, "routes", object, ctx=ctx):
        if not isinstance(one, (Route, Socket)):
            raise errors.InvalidDeclaration(
                f"its hook 'routes' returned {one!r} among others; return only Route and Socket", plugin=name
            )
        yield one


def _pages(hooks: Hooks, name: str, ctx: Context[Any]) -> Iterable[PageDeclaration]:
    for page in hooks.many(name, "pages", object, ctx=ctx):
        if not isinstance(page, _PAGE_KINDS):
            kinds = ", ".join(kind.__name__ for kind in _PAGE_KINDS)
            raise errors.InvalidDeclaration(f"its hook 'pages' returned {page!r}; return only {kinds}", plugin=name)
        yield page


def _check_permission(name: str, what: str, permission: str, allowed: set[str]) -> None:
    if not permission:
        raise errors.InvalidDeclaration(
            f"{what} has no permission; give it PUBLIC, SIGNED_IN or one that the hook 'permissions' returns",
            plugin=name,
        )
    if permission not in allowed:
        raise errors.InvalidDeclaration(
            f"{what} asks for the permission '{permission}', which the plugin does not declare; "
            "return it from the hook 'permissions'",
            plugin=name,
        )


def _check_provides(manifest: Manifest, provides: tuple[Provide[object], ...]) -> None:
    given = [one.capability for one in provides]
    for capability in manifest.provides:
        if capability not in given:
            raise errors.InvalidDeclaration(
                f"its manifest provides {capability}, but its hook 'services' returns no Provide for it; add one",
                plugin=manifest.name,
            )
    for capability in given:
        if capability not in manifest.provides:
            raise errors.InvalidDeclaration(
                f"its hook 'services' returns a Provide for {capability}, which its manifest does not list; "
                "add it to `provides`",
                plugin=manifest.name,
            )
        if isinstance(capability, Capability) and given.count(capability) > 1:
            raise errors.InvalidDeclaration(
                f"its hook 'services' returns several Provide for {capability}; return one", plugin=manifest.name
            )


def _check_handlers(name: str, handlers: Iterable[EventHandler]) -> None:
    seen: set[str] = set()
    for handler in handlers:
        if handler.name in seen:
            raise errors.InvalidDeclaration(
                f"two of its event handlers are called '{handler.name}'; give each a name of its own", plugin=name
            )
        seen.add(handler.name)


def check_permissions(permissions: Mapping[str, Iterable[Permission]]) -> dict[str, frozenset[str]]:
    """Return the permissions of each role, from what each plugin declares.

    Raises:
        errors.InvalidDeclaration: two declarations have the same name.
    """
    owners: dict[str, str] = {}
    roles: dict[str, set[str]] = {role: set() for role in ROLES}
    for plugin, declared in {"the kernel": (OPERATE,), **permissions}.items():
        for permission in declared:
            if permission.name in owners:
                raise errors.InvalidDeclaration(
                    f"the permission '{permission.name}' is declared by {owners[permission.name]} already; "
                    "give it another name",
                    plugin=plugin,
                )
            owners[permission.name] = plugin
            for role in permission.roles:
                roles.setdefault(role, set()).add(permission.name)
    return {role: frozenset(names) for role, names in roles.items()}


def check_events(manifests: Iterable[Manifest]) -> None:
    """Check the events that the plugins publish; several may publish the same class.

    Raises:
        errors.InvalidDeclaration: an event lacks its name or key, or two classes have the same name.
    """
    owners: dict[str, tuple[type[Event], str]] = {}
    for manifest in manifests:
        for event in manifest.publishes:
            _check_event(manifest.name, event)
            first, owner = owners.setdefault(event.name, (event, manifest.name))
            if first is not event:
                raise errors.InvalidDeclaration(
                    f"the event name '{event.name}' of {event.__qualname__} belongs to {first.__qualname__} "
                    f"of {owner}; give it another name",
                    plugin=manifest.name,
                )


def _check_event(plugin: str, event: type[Event]) -> None:
    name, key = getattr(event, "name", ""), getattr(event, "key", "")
    if not _EVENT_NAME.fullmatch(name):
        raise errors.InvalidDeclaration(
            f"the event {event.__qualname__} is called '{name}'; set `name` to a wire name such as 'courses.fact.v1'",
            plugin=plugin,
        )
    if key not in event.__struct_fields__:
        raise errors.InvalidDeclaration(
            f"the event {event.__qualname__} has the key '{key}'; set `key` to one of its fields: "
            f"{', '.join(event.__struct_fields__)}",
            plugin=plugin,
        )
