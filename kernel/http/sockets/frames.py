"""Frames of RFC 6455 as a server reads and writes them; without extensions, so nothing is compressed.

A library would do it too, at several times the price: a connection that idles is to cost four kilobytes in all, and
one frame made once goes to every member of a room.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Final, NamedTuple

from kernel.http.sockets.codes import SENDABLE, CloseCode

CONTROL_LIMIT: Final = 125  # bytes of a control frame's payload
_FINAL: Final = 0x80
_RESERVED: Final = 0x70
_MASKED: Final = 0x80
_LENGTH_16: Final = 126  # the length stands in the two bytes that follow
_LENGTH_64: Final = 127
_KEY_SIZE: Final = 4  # bytes of the mask


class Opcode(enum.IntEnum):
    """What a frame is."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


_OPCODES: Final = {int(opcode): opcode for opcode in Opcode}


class Violation(Exception):
    """The client broke a rule; the connection ends with *code*."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Received(NamedTuple):
    """A frame, its payload unmasked. The last fragment of a message has the opcode and payload of the whole message.

    Each fragment before it is an empty `CONTINUATION`.
    """

    opcode: Opcode
    payload: bytes


_FRAGMENT: Final = Received(Opcode.CONTINUATION, b"")


def frame(payload: bytes, opcode: Opcode = Opcode.TEXT) -> bytes:
    """Return *payload* as one frame, ready for any number of connections; the default is a text message."""
    size = len(payload)
    if size < _LENGTH_16:
        return bytes((_FINAL | opcode, size)) + payload
    if size < 1 << 16:
        return bytes((_FINAL | opcode, _LENGTH_16)) + size.to_bytes(2, "big") + payload
    return bytes((_FINAL | opcode, _LENGTH_64)) + size.to_bytes(8, "big") + payload


def payloads(frames: bytes) -> Iterator[bytes]:
    """Yield what is in *frames*, each made by `frame`: for a client that gets it in another wrapping."""
    place, end = 0, len(frames)
    while place < end:
        size, begin = frames[place + 1], place + 2
        if size == _LENGTH_16:
            size, begin = int.from_bytes(frames[place + 2 : place + 4], "big"), place + 4
        elif size == _LENGTH_64:
            size, begin = int.from_bytes(frames[place + 2 : place + 10], "big"), place + 10
        place = begin + size
        yield frames[begin:place]


def close_frame(code: int, reason: str = "") -> bytes:
    """Return a close frame; a *reason* that is too long is cut."""
    told = reason.encode()[: CONTROL_LIMIT - 2].decode(errors="ignore")
    return frame(code.to_bytes(2, "big") + told.encode(), Opcode.CLOSE)


def close_code(payload: bytes) -> int:
    """Return the code of a client's close frame, `NORMAL` where it gave none.

    Raises:
        Violation: it may not be said, or the reason is not text.
    """
    if not payload:
        return CloseCode.NORMAL
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or code not in SENDABLE:
        raise Violation(CloseCode.PROTOCOL_ERROR, "this close code may not be sent")
    check_text(payload[2:])
    return code


def check_text(payload: bytes) -> None:
    """Refuse what is not UTF-8.

    Raises:
        Violation: it is not.
    """
    if payload.isascii():
        return
    try:
        payload.decode()
    except UnicodeDecodeError:
        raise Violation(CloseCode.INVALID_TEXT, "it is not UTF-8") from None


class Reader:
    """Reads the frames of one client. What has not come whole is kept; *limit* is of a message, in bytes."""

    __slots__ = ("_kept", "_limit", "_message", "_opcode")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept = b""  # the beginning of a frame
        self._opcode: Opcode | None = None  # of the message whose fragments come
        self._message = b""  # those that came

    def read(self, data: bytes) -> Iterator[Received]:
        """Yield what is whole with *data*; exhaust it before the next call.

        Raises:
            Violation: the client broke a rule; nothing can be read any more.
        """
        data = self._kept + data if self._kept else data
        place = 0
        while (payload := self._span(data, place)) is not None:
            yield self._take(data, place, payload)
            place = payload.stop
        self._kept = data[place:]

    def _span(self, data: bytes, place: int) -> slice | None:
        """Return where the payload of the frame at *place* stands, None where the frame has not come whole."""
        if len(data) - place < 2:
            return None
        first, size, start = data[place], data[place + 1] & 0x7F, place + 2
        self._check(first, data[place + 1], size)
        if size >= _LENGTH_16:
            wide = 2 if size == _LENGTH_16 else 8
            if len(data) - start < wide:
                return None
            size, start = int.from_bytes(data[start : start + wide], "big"), start + wide
        if first & 0x0F < Opcode.CLOSE and len(self._message) + size > self._limit:
            raise Violation(CloseCode.TOO_BIG, f"a message may have {self._limit} bytes")
        start += _KEY_SIZE
        return slice(start, start + size) if start + size <= len(data) else None

    def _check(self, first: int, second: int, size: int) -> None:
        opcode = first & 0x0F
        if first & _RESERVED:
            raise Violation(CloseCode.PROTOCOL_ERROR, "a reserved bit is set; no extension was agreed on")
        if opcode not in _OPCODES:
            raise Violation(CloseCode.PROTOCOL_ERROR, "there is no such frame")
        if not second & _MASKED:
            raise Violation(CloseCode.PROTOCOL_ERROR, "a client must mask its frames")
        if opcode >= Opcode.CLOSE:
            if not first & _FINAL or size > CONTROL_LIMIT:
                raise Violation(CloseCode.PROTOCOL_ERROR, "a control frame is whole and has 125 bytes at most")
        elif (opcode == Opcode.CONTINUATION) is (self._opcode is None):
            raise Violation(CloseCode.PROTOCOL_ERROR, "the fragments of a message follow each other")

    def _take(self, data: bytes, place: int, where: slice) -> Received:
        payload = _unmasked(data[where.start - _KEY_SIZE : where.start], data[where])
        opcode, is_final = _OPCODES[data[place] & 0x0F], data[place] & _FINAL
        if opcode >= Opcode.CLOSE:
            return Received(opcode, payload)
        if opcode is Opcode.CONTINUATION:
            self._message += payload
        elif is_final:
            return _whole(opcode, payload)
        else:
            self._opcode, self._message = opcode, payload
        return self._finished() if is_final else _FRAGMENT

    def _finished(self) -> Received:
        opcode, payload = self._opcode or Opcode.TEXT, self._message
        self._opcode, self._message = None, b""
        return _whole(opcode, payload)


def _whole(opcode: Opcode, payload: bytes) -> Received:
    if opcode is Opcode.TEXT:
        check_text(payload)
    return Received(opcode, payload)


def _unmasked(key: bytes, payload: bytes) -> bytes:
    """Return *payload* combined with the *key*, as one number: byte by byte it would take a hundred times as long."""
    size = len(payload)
    if not size or key == b"\0\0\0\0":
        return payload
    keys = (key * (size // _KEY_SIZE + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(keys, "big")).to_bytes(size, "big")
