"""The client in `docs/socketio.md`: it does what it promises there, as it stands there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

from kernel.testing.deploying import Deploy
from tests.plugins.chat.classroom import open_classroom
from tests.plugins.chat.listening import eventually
from tests.plugins.socketio.noding import node

DOCUMENT: Final = Path(__file__).parents[3] / "docs" / "socketio.md"
#: Says what stands on its input, breaks the connection at `break`, and tells what is shown.
AROUND: Final = """
import { createInterface } from "node:readline";
import { Room } from "./room.mjs";

const { url, options } = JSON.parse(process.argv[2]);
const tell = (kind, members) => process.stdout.write(JSON.stringify({ kind, ...members }) + "\\n");
const room = new Room(url, options.room, () => ({ token: options.token }), (entry) => tell("shown", { entry }));
const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const asked = JSON.parse(line);
  if (asked.do === "say") room.say(asked.text);
  else room.socket.io.engine.close();
});
lines.on("close", () => process.exit(0));
"""


def documented() -> str:
    """Return the client of the page."""
    (code,) = re.findall(r"```js\n(import .*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    return str(code)


async def test_documented_client_loses_nothing_though_its_connection_breaks(deploy: Deploy, folder: Path) -> None:
    """It says what it has to say once, and shows everything once and in order."""
    (folder / "room.mjs").write_text(documented(), encoding="utf-8")
    (folder / "around.mjs").write_text(AROUND, encoding="utf-8")
    room = await open_classroom(deploy, "socketio")
    student, other = room.student(), room.student()
    async with node(folder, room.deployment.url, "around.mjs", room=room.room, token=student.token) as client:
        await client.until(lambda told: told["entry"]["type"] == "anew")
        for number in range(20):
            client.do("say", text=f"mine {number}")
            await room.say(other, f"theirs {number}")
            if number in (5, 12):
                client.do("break")
        await eventually(lambda: len(client.told) == 41)
        shown = [told["entry"] for told in client.told[1:]]

    assert [entry["offset"] for entry in shown] == list(range(1, 41)), json.dumps(shown)
    assert sorted(await room.texts(other)) == sorted(f"{who} {n}" for who in ("mine", "theirs") for n in range(20))
