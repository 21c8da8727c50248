"""The client in `docs/chat.md`: it does what it promises there, as it stands there."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

from kernel.testing.deploying import Deploy
from tests.plugins.chat.classroom import open_classroom
from tests.plugins.chat.listening import eventually

DOCUMENT = Path(__file__).parents[3] / "docs" / "chat.md"


def documented() -> Any:
    """Return the class `Room` of the page."""
    (code,) = re.findall(r"```python\n(import asyncio\n.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, str(DOCUMENT), "exec"), names)
    return names["Room"]


async def test_documented_client_loses_nothing_though_its_connection_breaks(deploy: Deploy) -> None:
    """It says what it has to say once, and shows everything once and in order."""
    room = await open_classroom(deploy)
    student, other = room.student(), room.student()
    client = documented()(room.deployment.url, student.token, room.room)
    shown: list[int] = []
    show = client._show

    def note(entry: dict[str, Any]) -> None:
        shown.append(entry["offset"])
        show(entry)

    client._show = note
    following = asyncio.create_task(client.follow())
    try:
        await eventually(lambda: client.epoch is not None)
        for number in range(20):
            await client.say(f"mine {number}")
            await room.say(other, f"theirs {number}")
            if number in (5, 12):
                await client.socket.close()
        await eventually(lambda: len(shown) == 40 and not client.unanswered)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

    assert shown == list(range(1, 41))
    assert sorted(await room.texts(other)) == sorted(f"{who} {n}" for who in ("mine", "theirs") for n in range(20))
