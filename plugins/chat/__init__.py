"""Chat: rooms for those who take a course, in which no word is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import ClassVar

import click

from kernel import (
    Context,
    EventHandler,
    Manifest,
    Migrations,
    Permission,
    Plugin,
    Provide,
    Route,
    Socket,
    hookimpl,
    on,
    web,
)
from kernel.contracts import chat as contract
from kernel.contracts.audit import ActRecorded
from kernel.contracts.courses import COURSES, CourseChanged
from kernel.contracts.enrollments import AccessEnded
from kernel.contracts.personal_data import PERSONAL_DATA
from kernel.contracts.users import USERS, ProfileChanged
from plugins.chat import api, migrations, pages, running, socket_api
from plugins.chat.commands import COMMANDS
from plugins.chat.names import Names
from plugins.chat.permissions import PERMISSIONS
from plugins.chat.personal_data import ChatPersonalData
from plugins.chat.putting_out import PuttingOut
from plugins.chat.rooms import Rooms
from plugins.chat.service import ChatService
from plugins.chat.settings import ChatSettings
from plugins.chat.tables import metadata


class ChatPlugin(Plugin[ChatSettings]):
    """Provides `chat/1`."""

    manifest: ClassVar[Manifest] = Manifest(
        name="chat",
        version="0.1.0",
        summary="Rooms in which those who take a course talk.",
        provides=(contract.CHAT, PERSONAL_DATA),
        requires=(COURSES,),
        wants=(USERS,),
        publishes=(
            ActRecorded,
            contract.MemberMentioned,
            contract.MessageAnswered,
            contract.MessageRemoved,
            contract.RoomOpened,
            contract.RoomWasClosed,
        ),
    )

    @hookimpl
    def settings(self) -> type[ChatSettings]:
        return ChatSettings

    @hookimpl
    def migrations(self) -> Migrations:
        return Migrations(metadata, migrations)

    @hookimpl
    def permissions(self) -> Iterable[Permission]:
        return PERMISSIONS

    @hookimpl
    def services(self, ctx: Context[ChatSettings]) -> Iterable[Provide[object]]:
        return (
            Provide(contract.CHAT, lambda: nullcontext(ctx.own(ChatService))),
            Provide(PERSONAL_DATA, lambda: nullcontext(ChatPersonalData(ctx))),
        )

    @hookimpl
    def event_handlers(self, ctx: Context[ChatSettings]) -> Iterable[EventHandler]:
        return (
            on(ProfileChanged, ctx.own(Names).changed, name="names"),
            on(CourseChanged, ctx.own(Rooms).renamed, name="titles"),
            on(AccessEnded, ctx.own(PuttingOut).access_ended, name="access-ended"),
        )

    @hookimpl
    def routes(self, ctx: Context[ChatSettings]) -> Iterable[Route | Socket]:
        return (*api.routes(ctx), *socket_api.sockets(ctx))

    @hookimpl
    def commands(self) -> Iterable[click.Command]:
        return COMMANDS

    @hookimpl
    def pages(self, ctx: Context[ChatSettings]) -> Iterable[web.PageDeclaration]:
        return pages.declarations(ctx)

    @hookimpl
    def lifespan(self, ctx: Context[ChatSettings]) -> AbstractAsyncContextManager[None]:
        @asynccontextmanager
        async def running_chat() -> AsyncIterator[None]:
            async with running.chat(ctx):
                yield

        return running_chat()
