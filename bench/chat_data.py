"""Lyceum's side of the comparison of chats: people with access to a course, and rooms of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from bench.lyceum_data import BEGAN, fill, register, tokens
from kernel import Context, new_id
from kernel.config import load
from kernel.contracts.chat import CHAT
from kernel.lifecycle import Platform
from plugins.chat.tables import people
from plugins.enrollments.tables import grants

PORT: Final = 8308

#: Limits, history and offsets are on; one load stands for a thousand people, so it may say as much as they would.
CONFIG: Final = """
[server]
port = {port}
secret = "file:{folder}/secret"

[database]
url = "{url}"

[redis]
url = "{redis}"

[http]
connections_per_address = 20000   # one client stands for all members

[plugins.chat]
messages_per_person = "100/second"
messages_per_room = "100000/second"

[log]
format = "json"
"""


@dataclass(frozen=True)
class SeededChat:
    """Where the config lies, the files with a token and with a room a line, and who is a member."""

    config: Path
    tokens: Path
    rooms: Path
    members: Sequence[UUID]

    @property
    def environ(self) -> dict[str, str]:
        """What the driver reads."""
        return {"BENCH_TOKENS": str(self.tokens), "BENCH_ROOMS": str(self.rooms)}

    async def sign_in(self) -> None:
        """Write a token for each member that holds from now on for ten minutes."""
        platform = Platform.boot(load([self.config], {}))
        async with platform.running(background=False):
            self.tokens.write_text("\n".join(await tokens(platform.context("auth"), self.members)))


async def seed_chat(url: str, redis: str, folder: Path, *, members: int, rooms: int) -> SeededChat:
    """Make and fill the databases behind *url*; write config and rooms into *folder*."""
    ids = [new_id() for _ in range(members)]
    seeded = SeededChat(folder / "lyceum.toml", folder / "tokens", folder / "rooms", ids)
    (folder / "secret").write_text(os.urandom(32).hex())
    seeded.config.write_text(CONFIG.format(port=PORT, folder=folder, url=url, redis=redis))
    platform = Platform.boot(load([seeded.config], {}))
    await platform.migrate()
    async with platform.running(background=False):
        course = new_id()
        await register(platform.context("auth"), ids)
        await fill(platform.context("enrollments"), grants, [_grant(user, course) for user in ids])
        await fill(platform.context("chat"), people, [{"user_id": user, "display_name": "Somebody"} for user in ids])
        seeded.rooms.write_text("\n".join(await _rooms(platform.context("chat"), course, rooms)))
    return seeded


async def _rooms(ctx: Context[Any], course: UUID, number: int) -> Sequence[str]:
    chat = ctx.services.get(CHAT)
    opened = [
        await chat.open_room(kind="bench", subject=new_id(), course_id=course, title=f"Room {room}")
        for room in range(number)
    ]
    return [str(room.id) for room in opened]


def _grant(user: UUID, course: UUID) -> Mapping[str, object]:
    empty = {column.name: None for column in grants.columns if column.nullable and isinstance(column, sa.Column)}
    return empty | {
        "id": new_id(),
        "user_id": user,
        "course_id": course,
        "source": "admin",
        "state": "active",
        "reason": "",
        "starts_at": BEGAN,
        "created_at": BEGAN,
    }
