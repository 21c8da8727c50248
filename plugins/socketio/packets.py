"""Packets of Socket.IO as bodies of `chat_socket`, and the other way.

An event is named by the `type` of its body. The number under which a client awaits an acknowledgement is the `id` of
its message, and the answer with that `id` is the acknowledgement.
"""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec
from socketio import packet

from kernel.contracts.chat_socket import Id, Typing

ASKED: Final = "asked"  # by which our handler knows every event, whatever its name
TYPING: Final = Typing.__struct_config__.tag  # the message without an `id`: nothing answers it
_EVENT: Final = b'42["%b",%b]'
_ACK: Final = b"43%d[%b]"


class Asked(msgspec.Struct, frozen=True):
    """An event."""

    name: str
    ack: int | None  #: under which the client awaits the answer, if it does
    body: dict[str, msgspec.Raw]

    def message(self) -> bytes:
        """Return it as the chat's WebSocket would get it."""
        known = {} if self.ack is None or self.name == TYPING else {"id": self.ack}
        return encode({**self.body, **known, "type": self.name})


class Unreadable(msgspec.Struct, frozen=True):
    """No packet as the protocol has it."""

    reason: str


class Told(msgspec.Struct, frozen=True):
    """What of a message matters here."""

    type: str
    id: int | None = None


decode_told: Final = msgspec.json.Decoder(Told).decode
encode: Final = msgspec.json.encode
_decode_event: Final = msgspec.json.Decoder(tuple[str, dict[str, msgspec.Raw]]).decode


class _Later:
    """JSON for the library: what comes is left as it is, for whoever knows what it should be."""

    dumps = staticmethod(json.dumps)

    @staticmethod
    def loads(text: str) -> msgspec.Raw:
        return msgspec.Raw(text.encode())


class EventPacket(packet.Packet):  # type: ignore[misc] # the library has no types
    """A packet whose event is `ASKED`, with what came as its only argument. Nothing in it is binary."""

    packet_type: int
    namespace: str | None
    id: int | None
    data: Any
    uses_binary_events = False
    json = _Later

    def decode(self, encoded_packet: str) -> int:
        """Read it; what can not be read is an event as well, lest the library log it as an error of ours."""
        asked: Asked | Unreadable | None
        try:
            super().decode(encoded_packet)
            asked = self._asked() if self.packet_type == packet.EVENT else None
        except (ValueError, msgspec.MsgspecError, RecursionError) as error:
            self.packet_type, self.namespace, asked = packet.EVENT, None, Unreadable(str(error))
        if asked is not None:
            self.data = [ASKED, asked]
        return 0

    def _asked(self) -> Asked:
        name, body = _decode_event(self.data or b"")
        return Asked(name, msgspec.convert(self.id, Id | None), body)


def event(name: str, body: bytes) -> bytes:
    """Return the event *name*, which is a word, with *body*."""
    return _EVENT % (name.encode(), body)


def acknowledgement(ack: int, body: bytes = b"") -> bytes:
    """Return the answer to what is awaited under *ack*."""
    return _ACK % (ack, body)
