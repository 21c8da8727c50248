"""The description of the WebSockets, for programs and for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from kernel.http.asyncapi import Channel, document
from tests.kernel.http.asyncapi_schema import violations


class Ask(msgspec.Struct, frozen=True, tag_field="type", tag="ask"):
    """Ask something.

    At length.
    """

    what: str


class Tell(msgspec.Struct, frozen=True, tag_field="type", tag="tell"):
    """Tell something."""

    answers: tuple[Ask | Tell, ...]


CHANNEL = Channel(
    mount="notes", path="/{room}/socket", summary="Talk", permission="signed-in", receives=(Ask,), sends=(Ask, Tell)
)
DOCUMENT = document([CHANNEL], title="Notes", version="1", url="https://school.test/lyceum")


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        yield from (value for name, value in part.items() if name == "$ref")
    for value in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _references(value)


def test_document_is_one_as_asyncapi_has_it() -> None:
    """By the official schema; also where there is no WebSocket at all."""
    assert violations(DOCUMENT) == []
    assert violations(document([], title="Notes", version="1", url="http://127.0.0.1:8080")) == []


@pytest.mark.parametrize(
    "broken",
    [
        {**DOCUMENT, "asyncapi": "9.0.0"},
        {**DOCUMENT, "servers": {"lyceum": {"protocol": "wss"}}},
        {**DOCUMENT, "operations": {"dance": {"action": "dance"}}},
        {**DOCUMENT, "components": {"messages": {"ask": {"payloads": {}}}}},
    ],
)
def test_document_that_is_none_is_found_out(broken: Any) -> None:
    """By the same schema: it is no rubber stamp."""
    assert violations(broken)


def test_every_reference_leads_somewhere() -> None:
    """Within the document."""
    for reference in _references(DOCUMENT):
        found: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        assert found


def test_socket_is_described_with_all_its_messages() -> None:
    """Who receives what; where it is; who may."""
    (channel,) = DOCUMENT["channels"].values()

    assert DOCUMENT["servers"]["lyceum"] == {"host": "school.test", "protocol": "wss", "pathname": "/lyceum"}
    assert channel["address"] == "/api/v1/notes/{room}/socket"
    assert channel["parameters"] == {"room": {}}
    assert list(channel["messages"]) == ["ask", "tell"]
    operations = {one["action"]: one for one in DOCUMENT["operations"].values()}
    assert [len(operations[action]["messages"]) for action in ("receive", "send")] == [1, 2]
    assert operations["receive"]["security"] == [{"$ref": "#/components/securitySchemes/bearer"}]
    assert DOCUMENT["components"]["messages"]["notes.ask"]["summary"] == "Ask something."


@pytest.mark.parametrize("message", [Ask("x"), Tell((Ask("x"), Tell(())))])
def test_message_fits_its_schema(message: msgspec.Struct) -> None:
    """As it is sent."""
    schema = {"components": DOCUMENT["components"], "$ref": f"#/components/schemas/{type(message).__name__}"}

    assert jsonschema_rs.is_valid(schema, msgspec.json.decode(msgspec.json.encode(message)))


def test_discriminator_is_a_name() -> None:
    """As AsyncAPI wants it, where OpenAPI has an object."""
    items = DOCUMENT["components"]["schemas"]["Tell"]["properties"]["answers"]["items"]

    assert items["discriminator"] == "type"
