"""Messages in both directions, one after the other, and how a conversation ends."""

from __future__ import annotations

import asyncio

import aiohttp
import msgspec
import pytest
import uvloop

from kernel import PUBLIC, CloseCode, Codec, Connection, Request, socket
from kernel.containment.breaker import Fault
from kernel.containment.containment import Containment
from kernel.containment.settings import ContainmentSettings
from kernel.http.metrics import HttpMetrics
from kernel.http.sockets.frames import frame
from tests.kernel.http.serving import bearing, serving
from tests.kernel.http.sockets.speaking import PATH, Stage, ended, masked, raw, talking


async def test_messages_are_heard_in_their_order_and_answered() -> None:
    """Each by itself, whatever its length."""
    texts = ["a", "", "ä" * 100, "x" * 300, "y" * 16_000]
    async with talking(Stage()) as ws:
        for text in texts:
            await ws.send_str(text)

        assert [await ws.receive_str() for _ in texts] == texts


async def test_message_that_comes_with_the_handshake_is_heard() -> None:
    """A client need not wait for the answer."""
    stage = Stage()
    async with serving(sockets=[stage.socket()]) as client, raw(client, behind=masked(0x81, b"early")) as peer:
        assert await peer.reader.readexactly(7) == frame(b"early")


async def test_fragments_are_one_message_with_pings_between_them() -> None:
    """As RFC 6455 allows."""
    stage = Stage()
    async with serving(sockets=[stage.socket()]) as client, raw(client) as peer:
        peer.send(masked(0x01, b"one ") + masked(0x89, b"?") + masked(0x00, b"two ") + masked(0x80, b"three"))

        assert await peer.reader.readexactly(3) == b"\x8a\x01?"
        assert await peer.reader.readexactly(15) == frame(b"one two three")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(b"unmasked"), CloseCode.PROTOCOL_ERROR),
        (masked(0xC1, b"reserved"), CloseCode.PROTOCOL_ERROR),
        (masked(0x83, b"unknown"), CloseCode.PROTOCOL_ERROR),
        (masked(0x80, b"nothing to continue"), CloseCode.PROTOCOL_ERROR),
        (masked(0x01, b"a") + masked(0x81, b"b"), CloseCode.PROTOCOL_ERROR),
        (masked(0x09, b"ping in fragments"), CloseCode.PROTOCOL_ERROR),
        (masked(0x89, b"x" * 126), CloseCode.PROTOCOL_ERROR),
        (masked(0x88, b"\x03"), CloseCode.PROTOCOL_ERROR),
        (masked(0x88, (1005).to_bytes(2, "big")), CloseCode.PROTOCOL_ERROR),
        (masked(0x88, (1000).to_bytes(2, "big") + b"\xff"), CloseCode.INVALID_TEXT),
        (masked(0x81, b"\xff"), CloseCode.INVALID_TEXT),
        (masked(0x01, b"\xc3") + masked(0x80, b"("), CloseCode.INVALID_TEXT),
        (masked(0x82, b"binary"), CloseCode.UNSUPPORTED),
        (masked(0x88, b""), CloseCode.NORMAL),
        (masked(0x88, (4321).to_bytes(2, "big")), 4321),
    ],
)
async def test_client_that_breaks_a_rule_is_told_which_and_parted_from(sent: bytes, code: int) -> None:
    """The listener hears nothing of it but the end."""
    stage = Stage()
    async with serving(sockets=[stage.socket()]) as client, raw(client) as peer:
        peer.send(sent)

        assert await peer.code() == code
        assert await stage.end() == code
    assert stage.heard == []


async def test_message_may_have_so_many_bytes_and_no_more() -> None:
    """In one frame or in fragments; the rest is not even kept."""
    stage = Stage()
    async with serving(sockets=[stage.socket(message_limit=100)]) as client:
        async with raw(client) as peer:
            peer.send(masked(0x81, b"x" * 100))
            assert await peer.reader.readexactly(102) == frame(b"x" * 100)
            peer.send(masked(0x81, b"x" * 101))
            assert await peer.code() == CloseCode.TOO_BIG
        async with raw(client) as peer:
            peer.send(masked(0x01, b"x" * 60) + masked(0x80, b"x" * 60))
            assert await peer.code() == CloseCode.TOO_BIG
        async with raw(client) as peer:
            peer.send(b"\x81\xff" + (1 << 62).to_bytes(8, "big"))
            assert await peer.code() == CloseCode.TOO_BIG
    assert stage.heard == [b"x" * 100]


@pytest.mark.parametrize("flood", [masked(0x81, b"hi"), masked(0x89, b""), masked(0x01, b"") + masked(0x00, b"") * 20])
async def test_client_that_sends_too_much_is_parted_from(flood: bytes) -> None:
    """A message, a ping and an empty fragment cost alike."""
    stage = Stage()
    async with serving(sockets=[stage.socket(rate="10/minute")]) as client, raw(client) as peer:
        peer.send(flood * 11)

        assert await peer.code() == CloseCode.TOO_MANY
    assert len(stage.heard) <= 10


async def test_client_may_send_a_burst_and_soon_the_next_but_no_more() -> None:
    """As one does that comes back with what was not answered; in the long run the rate holds."""
    stage, hi = Stage(), masked(0x81, b"hi")
    async with serving(sockets=[stage.socket(rate="100/second", burst=20)]) as client, raw(client) as peer:
        peer.send(hi * 20)
        await peer.reader.readexactly(20 * len(frame(b"hi")))
        await asyncio.sleep(0.15)
        peer.send(hi * 10)
        await peer.reader.readexactly(10 * len(frame(b"hi")))
        assert stage.closed == []
        peer.send(hi * 40)

        assert await peer.code() == CloseCode.TOO_MANY
    assert len(stage.heard) <= 50


class Say(msgspec.Struct, tag="say"):
    """Something is said."""

    text: str


class Leave(msgspec.Struct, tag="leave"):
    """Somebody goes."""


class Strict:
    """Answers nothing, and refuses what it can not read."""

    codec = Codec((Say, Leave))

    async def received(self, text: bytes) -> None:
        self.codec.decode(text)

    def closed(self, code: int) -> None: ...


@pytest.mark.parametrize(
    "text",
    ["[" * 10_000, '{"type":"say","x":' + "[" * 10_000, "nonsense", '{"type":"shout"}', '{"type":"say"}', "\x00"],
)
async def test_json_that_can_not_be_read_ends_its_connection_and_is_nobodys_fault(text: str) -> None:
    """A32: nested ten thousand deep, or none of the messages; the process lives, the plugin is not counted."""
    containment = Containment()

    async def open_strict(request: Request, connection: Connection) -> Strict:
        return Strict()

    sockets = [socket("/talk", open_strict, permission=PUBLIC, receives=(Say, Leave))]
    async with serving(sockets=sockets, containment=containment) as client, client.ws_connect(PATH) as ws:
        await ws.send_str(text)
        assert await ended(ws) == CloseCode.POLICY
    assert not containment.of("notes").counts


def test_codec_reads_its_messages_by_their_tags() -> None:
    """And writes them."""
    codec = Codec((Say, Leave))

    assert codec.decode(codec.encode(Say("hello"))) == Say("hello")
    assert codec.decode(b'{"type":"leave"}') == Leave()
    assert Codec((Leave,)).decode(b'{"type":"leave"}') == Leave()


def test_sockets_work_on_the_loop_that_serves() -> None:
    """Its transports are not asyncio's by their class."""

    async def talk() -> None:
        async with talking(Stage()) as ws:
            await ws.send_str("hello")
            assert await ws.receive_str() == "hello"

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(talk())


async def test_listener_that_breaks_ends_its_own_connection_alone() -> None:
    """It is counted as a route would be, and the client is told nothing of our insides."""
    stage, containment = Stage(), Containment(ContainmentSettings(faults=4))
    async with (
        serving(sockets=[stage.socket()], containment=containment) as client,
        client.ws_connect(PATH) as broken,
        client.ws_connect(PATH) as other,
    ):
        await broken.send_str("break")
        message = await broken.receive()
        await other.send_str("fine")

        assert (message.data, message.extra) == (CloseCode.INTERNAL, "it has been logged")
        assert await other.receive_str() == "fine"
    assert dict(containment.of("notes").counts) == {Fault.REQUEST: 1}
    assert stage.closed[0] == CloseCode.INTERNAL


@pytest.mark.parametrize("message", ["break", "bad end"])
async def test_stranger_who_breaks_connections_closes_the_plugin_for_nobody(message: str) -> None:
    """Whether by what is said or by going: all that comes from one address has a quarter in what closes a plugin."""
    stage, containment = Stage(), Containment(ContainmentSettings(faults=4))
    async with serving(sockets=[stage.socket()], containment=containment) as client:
        for _ in range(8):
            async with client.ws_connect(PATH) as ws:
                await ws.send_str(message)
                await ws.receive()

    assert containment.of("notes").counts[Fault.REQUEST] == 8
    assert not containment.of("notes").rests()


async def test_plugin_in_quarantine_opens_nothing_and_hears_nothing() -> None:
    """503 before the upgrade; who is connected already is asked to come later."""
    stage, containment = Stage(), Containment(ContainmentSettings(faults=1))
    async with serving(sockets=[stage.socket()], containment=containment) as client:
        async with client.ws_connect(PATH) as ws, client.ws_connect(PATH) as broken:
            await broken.send_str("break")
            assert await ended(broken) == CloseCode.INTERNAL
            await ws.send_str("hello")
            assert await ended(ws) == CloseCode.TRY_LATER
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await client.ws_connect(PATH)
    assert refused.value.status == 503


async def test_message_that_takes_too_long_ends_the_connection_and_is_counted() -> None:
    """As a request that is late."""
    stage, containment = Stage(), Containment()
    async with talking(stage, limits={"timeout": 0.1}, containment=containment) as ws:
        await ws.send_str("wait")

        assert await ended(ws) == CloseCode.INTERNAL
    assert dict(containment.of("notes").counts) == {Fault.TIMEOUT: 1}


async def test_listener_is_told_of_the_end_once_and_after_its_last_message() -> None:
    """So what it does of a message is never done behind its own farewell."""
    stage = Stage()
    async with talking(stage) as ws:
        await ws.send_str("wait")
        await ws.close(code=1000)
        await asyncio.sleep(0.1)
        assert (stage.heard, stage.closed) == ([b"wait"], [])
        stage.going_on.set()

        assert await stage.end() == 1000
    assert stage.closed == [1000]


async def test_connection_that_breaks_off_is_told_as_lost() -> None:
    """Its listener forgets it at once."""
    stage = Stage()
    async with serving(sockets=[stage.socket()]) as client:
        async with raw(client):
            pass

        assert await stage.end() == CloseCode.LOST


async def test_sockets_are_counted() -> None:
    """Those that are open, what they said, and why they ended."""
    stage, metrics = Stage(), HttpMetrics()
    async with talking(stage, headers=bearing("any"), metrics=metrics) as ws:
        await ws.send_str("one")
        await ws.receive_str()
        samples = {sample.name: sample.value for family in metrics.collect() for sample in family.samples}
        assert (samples["lyceum_sockets_open"], samples["lyceum_socket_messages_total"]) == (1, 1)
        await ws.close()
        await stage.end()
    last = {sample.name: sample for family in metrics.collect() for sample in family.samples}
    assert last["lyceum_sockets_open"].value == 0
    assert last["lyceum_sockets_closed_total"].labels == {"plugin": "notes", "route": PATH, "code": "1000"}
