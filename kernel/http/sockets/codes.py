"""Close codes: why a connection ends, as a client's author reads it."""

from __future__ import annotations

import enum
from typing import Final


class CloseCode(enum.IntEnum):
    """Why a connection ends. Those of 1000 and more are RFC 6455's, those of 4000 and more our own."""

    NORMAL = 1000  #: it has served its purpose
    GOING_AWAY = 1001  #: the client goes away
    PROTOCOL_ERROR = 1002  #: what came is not WebSocket as RFC 6455 has it
    UNSUPPORTED = 1003  #: a binary message came; all of ours are text
    LOST = 1006  #: never sent: the connection broke off
    INVALID_TEXT = 1007  #: a message is not UTF-8
    POLICY = 1008  #: a message can not be read as one of those that the socket takes
    TOO_BIG = 1009  #: a message is larger than the socket allows
    INTERNAL = 1011  #: something broke on our side
    RESTART = 1012  #: this process stops; another one serves
    TRY_LATER = 1013  #: the plugin rests after failures
    EXPIRED = 4001  #: the token or the session is over, and was not renewed in time
    REVOKED = 4003  #: the session was ended, the account closed, or its roles are others
    SLOW = 4008  #: the client did not take what it was sent
    SILENT = 4010  #: the client did not answer a ping
    TOO_MANY = 4013  #: more messages than the socket allows


#: What a client may say as it closes; the rest is reserved.
SENDABLE: Final = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)})
