"""Messages as JSON: tagged msgspec Structs."""

from __future__ import annotations

from typing import Any, Union

import msgspec

from kernel import errors
from kernel.http.sockets.declaring import Messages


class InvalidMessage(errors.LyceumError):
    """A message is none of those that the socket takes; one that leaves a listener closes with `CloseCode.POLICY`."""


class Codec:
    """Reads messages of the types *receives*; each has a tag of its own, as `tag=True` gives it."""

    def __init__(self, receives: Messages) -> None:
        self._decode = msgspec.json.Decoder(Union[receives]).decode  # noqa: UP007 - of a tuple
        self.encode = msgspec.json.Encoder().encode

    def decode(self, text: bytes) -> Any:
        """Return the message.

        Raises:
            InvalidMessage: it is not JSON, none of the types, or nested too deeply.
        """
        try:
            return self._decode(text)
        except (msgspec.DecodeError, RecursionError) as error:
            raise InvalidMessage(str(error)) from error
