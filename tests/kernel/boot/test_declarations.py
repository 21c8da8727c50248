"""What hooks return is checked at boot: each wrong declaration is one readable refusal."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar

import pytest

from kernel import (
    PUBLIC,
    Capability,
    Context,
    Delivery,
    Event,
    EventHandler,
    Manifest,
    Migrations,
    Permission,
    Plugin,
    Provide,
    Request,
    Route,
    Settings,
    errors,
    get,
    hookimpl,
    on,
    web,
)
from kernel.config import load
from kernel.database import Session
from kernel.lifecycle import Platform

BOARD: Capability[object] = Capability("board")


class Moved(Event, frozen=True, kw_only=True):
    name: ClassVar[str] = "chess.moved.v1"
    key: ClassVar[str] = "game"
    game: str


async def answer(request: Request) -> None:
    """Do nothing."""


async def handle(session: Session, delivery: Delivery[Moved]) -> None:
    """Do nothing."""


class Base(Plugin):
    manifest: ClassVar[Manifest] = Manifest(name="chess", version="1")


def boot(folder: Path, *plugins: type[Plugin[Any]]) -> Platform:
    config = load([], {}, {"database": {"url": f"sqlite:///{folder}"}, "plugins": {"enabled": []}})
    return Platform.boot(config, plugins=plugins)


def refusal(folder: Path, *plugins: type[Plugin[Any]]) -> str:
    with pytest.raises(errors.InvalidDeclaration) as refused:
        boot(folder, *plugins)
    return str(refused.value)


def test_route_without_permission_is_refused(tmp_path: Path) -> None:
    """Every route says who may call it."""

    class Chess(Base):
        @hookimpl
        def routes(self, ctx: Context) -> Iterable[Route]:
            return [get("/games", answer, permission="")]

    assert refusal(tmp_path, Chess) == (
        "chess: the route GET /games has no permission; "
        "give it PUBLIC, SIGNED_IN or one that the hook 'permissions' returns"
    )


def test_route_with_undeclared_permission_is_refused(tmp_path: Path) -> None:
    """A permission that no role could ever have would close the route to everyone."""

    class Chess(Base):
        @hookimpl
        def routes(self, ctx: Context) -> Iterable[Route]:
            return [get("/games", answer, permission="chess.play")]

    assert refusal(tmp_path, Chess) == (
        "chess: the route GET /games asks for the permission 'chess.play', which the plugin does not declare; "
        "return it from the hook 'permissions'"
    )


def test_page_with_undeclared_permission_is_refused(tmp_path: Path) -> None:
    """Pages and entries of the navigation are held to the same rule as routes."""

    class Chess(Base):
        @hookimpl
        def pages(self, ctx: Context) -> Iterable[web.PageDeclaration]:
            return [web.Navigation(label="Play", path="/play", permission="chess.play")]

    assert refusal(tmp_path, Chess) == (
        "chess: the navigation /play asks for the permission 'chess.play', which the plugin does not declare; "
        "return it from the hook 'permissions'"
    )


def test_duplicate_permission_is_refused(tmp_path: Path) -> None:
    """A permission belongs to one plugin."""

    class Chess(Base):
        @hookimpl
        def permissions(self) -> Iterable[Permission]:
            return [Permission(name="play", summary="Play")]

    class Go(Chess):
        manifest: ClassVar[Manifest] = Manifest(name="go", version="1")

    assert refusal(tmp_path, Chess, Go) == (
        "go: the permission 'play' is declared by chess already; give it another name"
    )


def test_duplicate_event_name_is_refused(tmp_path: Path) -> None:
    """A wire name means one class; two plugins may publish the same class."""

    class Other(Moved, frozen=True, kw_only=True):
        pass

    class Chess(Base):
        manifest: ClassVar[Manifest] = Manifest(name="chess", version="1", publishes=(Moved,))

    class Draughts(Base):
        manifest: ClassVar[Manifest] = Manifest(name="draughts", version="1", publishes=(Moved,))

    class Go(Base):
        manifest: ClassVar[Manifest] = Manifest(name="go", version="1", publishes=(Other,))

    message = refusal(tmp_path, Chess, Draughts, Go)

    assert message == (
        f"go: the event name 'chess.moved.v1' of {Other.__qualname__} belongs to Moved of chess; give it another name"
    )


def test_event_without_wire_name_is_refused(tmp_path: Path) -> None:
    """The wire name carries the version."""

    class Nameless(Event, frozen=True, kw_only=True):
        name: ClassVar[str] = "moved"
        key: ClassVar[str] = "game"
        game: str

    class Chess(Base):
        manifest: ClassVar[Manifest] = Manifest(name="chess", version="1", publishes=(Nameless,))

    assert refusal(tmp_path, Chess) == (
        f"chess: the event {Nameless.__qualname__} is called 'moved'; "
        "set `name` to a wire name such as 'courses.fact.v1'"
    )


def test_event_with_a_key_that_is_no_field_is_refused(tmp_path: Path) -> None:
    """Order is kept by the value of a field."""

    class Keyless(Event, frozen=True, kw_only=True):
        name: ClassVar[str] = "chess.moved.v1"
        key: ClassVar[str] = "player"
        game: str

    class Chess(Base):
        manifest: ClassVar[Manifest] = Manifest(name="chess", version="1", publishes=(Keyless,))

    assert refusal(tmp_path, Chess) == (
        f"chess: the event {Keyless.__qualname__} has the key 'player'; set `key` to one of its fields: game"
    )


def test_capability_without_provide_is_refused(tmp_path: Path) -> None:
    """What the manifest promises, the hook gives."""

    class Chess(Base):
        manifest: ClassVar[Manifest] = Manifest(name="chess", version="1", provides=(BOARD,))

    assert refusal(tmp_path, Chess) == (
        "chess: its manifest provides board/1, but its hook 'services' returns no Provide for it; add one"
    )


def test_provide_without_capability_is_refused(tmp_path: Path) -> None:
    """What the hook gives, the manifest says, so that the order of the start is right."""

    class Chess(Base):
        @hookimpl
        def services(self, ctx: Context) -> Iterable[Provide[object]]:
            return [Provide(BOARD, nullcontext)]

    assert refusal(tmp_path, Chess) == (
        "chess: its hook 'services' returns a Provide for board/1, which its manifest does not list; "
        "add it to `provides`"
    )


def test_two_handlers_of_one_name_are_refused(tmp_path: Path) -> None:
    """The name is how the inbox knows what was handled."""

    class Chess(Base):
        @hookimpl
        def event_handlers(self, ctx: Context) -> Iterable[EventHandler]:
            return [on(Moved, handle, name="count"), on(Moved, handle, name="count")]

    assert refusal(tmp_path, Chess) == (
        "chess: two of its event handlers are called 'count'; give each a name of its own"
    )


def test_hook_that_raises_is_refused_with_its_name(tmp_path: Path) -> None:
    """The message names plugin, hook and what was raised."""

    class Chess(Base):
        @hookimpl
        def routes(self, ctx: Context) -> Iterable[Route]:
            raise ValueError("no board")

    assert refusal(tmp_path, Chess) == (
        "chess: its hook 'routes' raised ValueError: no board; a hook only returns declarations"
    )


def test_hook_that_returns_something_else_is_refused(tmp_path: Path) -> None:
    """Each hook returns declarations of its kind."""

    class Chess(Base):
        @hookimpl
        def routes(self, ctx: Context) -> Iterable[Route]:
            return ["/games"]  # type: ignore[list-item]

    class Settingless(Base):
        @hookimpl
        def settings(self) -> type[Settings]:  # type: ignore[override]
            return dict  # type: ignore[return-value]

    class Tableless(Base):
        @hookimpl
        def migrations(self) -> Migrations | None:
            return "plugins.chess"  # type: ignore[return-value]

    assert refusal(tmp_path, Chess) == (
        "chess: its hook 'routes' returned '/games' among others; return only Route and Socket"
    )
    assert refusal(tmp_path, Settingless) == (
        "chess: its hook 'settings' returned <class 'dict'>; return a subclass of kernel.Settings"
    )
    assert refusal(tmp_path, Tableless) == (
        "chess: its hook 'migrations' returned 'plugins.chess'; return a kernel.Migrations or None"
    )


def test_two_plugins_under_one_mount_are_refused(tmp_path: Path) -> None:
    """A plugin called like another one's capability would share its paths."""

    class Chess(Base):
        manifest: ClassVar[Manifest] = Manifest(name="chess", version="1", provides=(BOARD,))

        @hookimpl
        def services(self, ctx: Context) -> Iterable[Provide[object]]:
            return [Provide(BOARD, nullcontext)]

        @hookimpl
        def routes(self, ctx: Context) -> Iterable[Route]:
            return [get("/games", answer, permission=PUBLIC)]

    class Board(Base):
        manifest: ClassVar[Manifest] = Manifest(name="board", version="1")

    assert refusal(tmp_path, Chess, Board) == (
        "chess: its routes and those of board would both be under /api/v1/board; disable one of the two"
    )


def test_optional_plugin_gives_way_to_a_required_one(tmp_path: Path) -> None:
    """Of two that can not be together the optional one fails, whichever starts first."""

    class Other(Moved, frozen=True, kw_only=True):
        pass

    class Chess(Base):
        manifest: ClassVar[Manifest] = Manifest(name="chess", version="1", publishes=(Moved,))

        @hookimpl
        def permissions(self) -> Iterable[Permission]:
            return [Permission(name="play", summary="Play")]

    class ByEvent(Base):
        manifest: ClassVar[Manifest] = Manifest(name="alike", version="1", publishes=(Other,), optional=True)

    class ByPermission(Chess):
        manifest: ClassVar[Manifest] = Manifest(name="before", version="1", optional=True)

    class ByMount(Base):
        manifest: ClassVar[Manifest] = Manifest(name="board", version="1", provides=(BOARD,), optional=True)

        @hookimpl
        def services(self, ctx: Context) -> Iterable[Provide[object]]:
            return [Provide(BOARD, nullcontext)]

    class Board(Base):
        manifest: ClassVar[Manifest] = Manifest(
            name="chess-board", version="1", provides=(Capability[object]("chess"),), optional=True
        )

    members = boot(tmp_path, Chess, ByEvent, ByPermission, ByMount, Board).assembly.members

    reasons = {name: str(member.reason) for name, member in members.items() if member.state == "failed"}
    assert members["chess"].alive
    assert members["board"].alive
    assert reasons.keys() == {"alike", "before", "chess-board"}
    assert "belongs to Moved of chess" in reasons["alike"]
    assert "is declared by chess already" in reasons["before"]
    assert "would both be under /api/v1/chess" in reasons["chess-board"]


def test_optional_plugin_with_a_wrong_declaration_fails_alone(tmp_path: Path) -> None:
    """An optional plugin that breaks a rule is marked failed and the others boot."""

    class Chess(Base):
        manifest: ClassVar[Manifest] = Manifest(name="chess", version="1", optional=True)

        @hookimpl
        def routes(self, ctx: Context) -> Iterable[Route]:
            return [get("/games", answer, permission="")]

    class Go(Base):
        manifest: ClassVar[Manifest] = Manifest(name="go", version="1", optional=True)

        @hookimpl
        def routes(self, ctx: Context) -> Iterable[Route]:
            return [get("/games/{game_id}", answer, permission=PUBLIC)]

    platform = boot(tmp_path, Chess, Go)

    chess, go = (platform.assembly.members[name] for name in ("chess", "go"))
    assert (chess.state, go.state) == ("failed", "failed")
    assert str(chess.reason).startswith("the route GET /games has no permission")
    assert "game_id" in str(go.reason)
