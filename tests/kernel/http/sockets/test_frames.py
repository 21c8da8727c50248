"""The reader of frames: held against aiohttp's over streams that are made up, and cut anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise

from aiohttp import WSMsgType
from aiohttp._websocket.reader_py import WebSocketDataQueue, WebSocketReader
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_websocket import WebSocketError
from hypothesis import example, given
from hypothesis import strategies as st

from kernel.http.sockets.codes import CloseCode
from kernel.http.sockets.frames import Opcode, Reader, Violation, close_frame, frame, payloads
from tests.kernel.http.sockets.speaking import masked

LIMIT = 70_000

Frame = tuple[int, bytes]

_texts = st.text(max_size=30).map(str.encode)
_sizes = st.sampled_from([0, 1, 125, 126, 127, 300, 65_535, 65_536])
_payloads = st.one_of(_texts, _sizes.map(lambda size: b"x" * size), st.binary(max_size=20))
_firsts = st.sampled_from([0x81, 0x01, 0x00, 0x80, 0x89, 0x8A, 0x82, 0x02, 0xC1, 0x83, 0x09])


def _is_told_apart(sent: Frame) -> bool:
    """Return False for an empty first fragment: aiohttp takes the message for not begun, and lets another begin."""
    first, payload = sent
    return first not in (0x01, 0x02) or bool(payload)


_streams = st.lists(st.tuples(_firsts, _payloads).filter(_is_told_apart), max_size=8)
_keys = st.binary(min_size=4, max_size=4)


def ours(pieces: Sequence[bytes]) -> tuple[list[tuple[int, bytes]], bool]:
    """Return what our reader gets out of *pieces*, and whether a rule was broken."""
    reader, found = Reader(LIMIT), list[tuple[int, bytes]]()
    try:
        for piece in pieces:
            for opcode, payload in reader.read(piece):
                if opcode is not Opcode.CONTINUATION:
                    found.append((int(opcode), payload))
    except Violation:
        return found, True
    return found, False


def theirs(data: bytes) -> tuple[list[tuple[int, bytes]], bool]:
    """Return the same of aiohttp's, whose limits lie one higher."""
    loop = asyncio.new_event_loop()
    try:
        queue = WebSocketDataQueue(BaseProtocol(loop), 1 << 20, loop=loop)
        failed, _ = WebSocketReader(queue, LIMIT + 1, compress=False, decode_text=True).feed_data(data)
        found = []
        for message in queue._buffer:
            payload = message[0].data if isinstance(message[0], tuple) else message.data
            kind = message[0].type if isinstance(message[0], tuple) else message.type
            found.append((int(kind), payload.encode() if isinstance(payload, str) else bytes(payload)))
        return found, failed
    except WebSocketError:
        return [], True
    finally:
        loop.close()


@example([(0x01, b""), (0x81, b"")], b"\0\0\0\0", [])
@given(_streams, _keys, st.lists(st.integers(0, 400), max_size=6))
def test_reader_gets_what_aiohttps_gets_wherever_the_stream_is_cut(
    frames: list[Frame], key: bytes, cuts: list[int]
) -> None:
    """The same messages, and a violation where that one sees one; the cuts change nothing."""
    data = b"".join(masked(first, payload, key) for first, payload in frames)
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(places)]

    messages, broken = ours(pieces)

    assert (messages, broken) == ours([data])
    expected, failed = theirs(data)
    # After a first fragment that is empty aiohttp takes a new message, which RFC 6455 (5.4) forbids.
    overlooked = any(first in (Opcode.TEXT, Opcode.BINARY) and not payload for first, payload in frames)
    assert broken == failed or (broken and overlooked)
    if not broken:
        assert messages == expected


def test_message_does_not_begin_within_another() -> None:
    """Not after an empty first fragment either."""
    fragments = [masked(0x01, b""), masked(0x81, b"another")]

    assert ours(fragments) == ([], True)


@given(st.binary(max_size=200))
def test_reader_survives_anything(data: bytes) -> None:
    """There are frames in it, or a violation, and nothing else."""
    messages, _ = ours([data])
    assert all(opcode in set(Opcode) for opcode, _ in messages)


@given(st.integers(0, 70_000))
def test_frame_is_read_back(size: int) -> None:
    """Whatever its length, once it is masked."""
    made = frame(b"y" * size)
    assert made.endswith(b"y" * size)
    assert ours([masked(0x81, b"y" * size)]) == ([(WSMsgType.TEXT, b"y" * size)], False)
    assert len(made) == size + (2 if size < 126 else 4 if size < 65_536 else 10)


@given(st.lists(_sizes.map(lambda size: b"z" * size), max_size=5))
def test_messages_come_out_of_their_frames(messages: list[bytes]) -> None:
    """However many frames stand behind each other."""
    assert list(payloads(b"".join(map(frame, messages)))) == messages


def test_reason_of_a_close_frame_is_cut_to_fit() -> None:
    """At whole characters."""
    made = close_frame(CloseCode.SLOW, "ä" * 100)

    assert len(made) <= 127
    assert made[4:].decode() == "ä" * 61
