"""Floor: fan-out by hand on asyncio, for as much of Lyceum's protocol as `wsload.c` speaks: `join` and `post`.

What is said goes through Redis, with a list as its history, and one frame is encoded for all. Nothing that a product
needs besides: it knows nobody, stores nothing for good, numbers and acknowledges nothing, and has no limits or queues.
So this is what a server in Python can reach at most on a machine; most of its time is the kernel's, for one write each.
"""

import asyncio
import base64
import hashlib
import os
import re
from collections import defaultdict

import hiredis
import msgspec
import uvloop

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
HISTORY = 100

rooms: defaultdict[bytes, set[asyncio.Transport]] = defaultdict(set)


class Said(msgspec.Struct):
    """A message of a client."""

    type: str
    room: str
    text: str = ""


read = msgspec.json.Decoder(Said).decode
write = msgspec.json.Encoder().encode


def frame(text: bytes) -> bytes:
    """Return *text*, of less than 64 KiB, as a server's frame."""
    size = len(text)
    return (bytes((0x81, size)) if size < 126 else bytes((0x81, 126)) + size.to_bytes(2, "big")) + text


class Redis(asyncio.Protocol):
    """Sends the commands of one turn of the loop together, and fans out what was published."""

    def __init__(self) -> None:
        self.answers, self.commands = hiredis.Reader(), list[bytes]()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def send(self, *command: bytes | str | int) -> None:
        if not self.commands:
            asyncio.get_running_loop().call_soon(self.flush)
        self.commands.append(hiredis.pack_command(command))

    def flush(self) -> None:
        self.transport.write(b"".join(self.commands))
        self.commands.clear()

    def data_received(self, data: bytes) -> None:
        self.answers.feed(data)
        heard: defaultdict[bytes, list[bytes]] = defaultdict(list)
        while (answer := self.answers.gets()) is not False:
            if isinstance(answer, list) and answer[0] == b"message":
                heard[answer[1]].append(frame(answer[2]))
        for room, frames in heard.items():
            together = b"".join(frames)
            for member in rooms[room]:
                member.write(together)


class Client(asyncio.Protocol):
    """Small whole frames, masked with zeros, as the driver sends them."""

    def __init__(self, commands: Redis, news: Redis) -> None:
        self.commands, self.news, self.received, self.shaken = commands, news, b"", False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        if not self.shaken:
            self.shake_hands()
        while self.shaken and (text := self.next_text()) is not None:
            self.act(read(text))

    def shake_hands(self) -> None:
        head, end, rest = self.received.partition(b"\r\n\r\n")
        if not end:
            return
        self.shaken, self.received = True, rest
        if (key := re.search(rb"(?i)\r\nsec-websocket-key: (\S+)", head)) is None:
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self.transport.close()
            return
        accept = base64.b64encode(hashlib.sha1(key[1] + MAGIC).digest())
        switching = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self.transport.write(switching + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")

    def next_text(self) -> bytes | None:
        received = self.received
        if len(received) < 8:
            return None
        size, head = received[1] & 127, 6
        if size == 126:
            size, head = int.from_bytes(received[2:4], "big"), 8
        if len(received) < head + size:
            return None
        self.received = received[head + size :]
        return received[head : head + size]

    def act(self, said: Said) -> None:
        room = said.room.encode()
        if said.type == "join":
            self.news.send("SUBSCRIBE", room)
            rooms[room].add(self.transport)
            self.transport.write(frame(b'{"type":"joined"}'))
            return
        text = write({"type": "message", "room": said.room, "text": said.text})
        self.commands.send("LPUSH", b"history:" + room, text)
        self.commands.send("LTRIM", b"history:" + room, 0, HISTORY)
        self.commands.send("PUBLISH", room, text)

    def connection_lost(self, exc: Exception | None) -> None:
        for members in rooms.values():
            members.discard(self.transport)


async def main() -> None:
    loop, redis = asyncio.get_running_loop(), os.environ["BENCH_REDIS"]
    commands, news = [(await loop.create_unix_connection(Redis, redis))[1] for _ in range(2)]
    server = await loop.create_server(
        lambda: Client(commands, news), "127.0.0.1", int(os.environ["PORT"]), backlog=4096
    )
    await server.serve_forever()


uvloop.run(main())
