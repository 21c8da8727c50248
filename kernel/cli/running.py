"""What a server that runs elsewhere tells of its plugins."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from typing import Final

import msgspec

from kernel.config import Config
from kernel.sections import authority

PATIENCE: Final = 1.0  # seconds
#: What listens on every address listens on this one.
_NEAREST: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing listens here


class Told(msgspec.Struct, frozen=True):
    """One plugin in `/-/plugins.json`, of which no more is needed here."""

    name: str
    state: str
    reason: str | None


def url_of(config: Config) -> str:
    """Return where the server of this configuration listens."""
    host = config.server.host
    return f"http://{authority(_NEAREST.get(host, host), config.server.port)}"


def ask(config: Config) -> Mapping[str, Told] | None:
    """Return each plugin as the server tells of it; None where none answers, or none that takes us for an operator.

    With several workers it is one of them that answers.
    """
    host, token = config.server.host, config.operations.token
    headers = {} if token is None else {"Authorization": f"Bearer {token.reveal()}"}
    # no proxy and no redirection: the token is for this address alone
    connection = http.client.HTTPConnection(_NEAREST.get(host, host), config.server.port, timeout=PATIENCE)
    try:
        connection.request("GET", "/-/plugins.json", headers=headers)
        answer = connection.getresponse()
        if answer.status != 200:
            return None
        return {told.name: told for told in msgspec.json.decode(answer.read(), type=list[Told])}
    except (OSError, http.client.HTTPException, msgspec.MsgspecError, ValueError):
        return None
    finally:
        connection.close()
