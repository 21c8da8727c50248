"""AsyncAPI 3: the description of exactly the WebSockets that are on, made from their declarations."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from yarl import URL

from kernel.http.openapi import Json
from kernel.http.routes import PUBLIC
from kernel.http.settings import API_PREFIX

#: What a socket takes or sends: msgspec Structs with a tag.
Messages = tuple[type[msgspec.Struct], ...]

SERVER: Final = "lyceum"
_SCHEMA: Final = "#/components/schemas/{name}"


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """One WebSocket, with the types of its messages."""

    mount: str
    path: str  #: below the mount
    summary: str
    permission: str
    receives: Messages
    sends: Messages

    @property
    def name(self) -> str:
        """What names it in the document."""
        return ".".join(part.strip("{}") for part in f"{self.mount}{self.path}".split("/") if part)

    @property
    def kinds(self) -> Messages:
        """The types of all its messages, in either direction."""
        return tuple(dict.fromkeys((*self.receives, *self.sends)))


def document(channels: Sequence[Channel], *, title: str, version: str, url: str) -> Json:
    """Return the description of *channels* as an AsyncAPI document; what it sends is what the server sends."""
    kinds = list(dict.fromkeys(kind for channel in channels for kind in channel.kinds))
    shown, schemas = msgspec.json.schema_components(kinds, ref_template=_SCHEMA)
    payloads = dict(zip(kinds, shown, strict=True))
    return {
        "asyncapi": "3.0.0",
        "info": {"title": title, "version": version},
        "defaultContentType": "application/json",
        "servers": {SERVER: _server(URL(url))},
        "channels": {channel.name: _channel(channel) for channel in channels},
        "operations": {name: operation for channel in channels for name, operation in _operations(channel)},
        "components": {
            "messages": {
                _message_name(channel, kind): _message(kind, payloads[kind])
                for channel in channels
                for kind in channel.kinds
            },
            "schemas": _plain(schemas),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _plain(schema: Any) -> Any:
    """Return *schema* with the name of each discriminator alone, as AsyncAPI has it; OpenAPI maps its values too."""
    if isinstance(schema, dict):
        return {
            name: value["propertyName"] if name == "discriminator" else _plain(value) for name, value in schema.items()
        }
    return [_plain(one) for one in schema] if isinstance(schema, list) else schema


def _server(url: URL) -> Json:
    port = "" if url.is_default_port() else f":{url.port}"
    found = {"host": f"{url.host_subcomponent}{port}", "protocol": "wss" if url.scheme == "https" else "ws"}
    return found if url.path in ("", "/") else {**found, "pathname": url.path}


def _channel(channel: Channel) -> Json:
    described: Json = {
        "address": f"{API_PREFIX}/{channel.mount}{channel.path}",
        "summary": channel.summary,
        "servers": [{"$ref": f"#/servers/{SERVER}"}],
        "messages": {
            _tag(kind): {"$ref": f"#/components/messages/{_message_name(channel, kind)}"} for kind in channel.kinds
        },
        "bindings": {"ws": {"method": "GET"}},
    }
    placeholders = [part.strip("{}") for part in channel.path.split("/") if part.startswith("{")]
    return {**described, "parameters": {name: {} for name in placeholders}} if placeholders else described


def _operations(channel: Channel) -> Iterator[tuple[str, Json]]:
    for action, messages in (("receive", channel.receives), ("send", channel.sends)):
        operation: Json = {
            "action": action,
            "channel": {"$ref": f"#/channels/{channel.name}"},
            "messages": [{"$ref": f"#/channels/{channel.name}/messages/{_tag(kind)}"} for kind in messages],
        }
        if channel.permission != PUBLIC:
            operation["security"] = [{"$ref": "#/components/securitySchemes/bearer"}]
        yield f"{channel.name}.{action}", operation


def _message(kind: type[msgspec.Struct], payload: Json) -> Json:
    told = inspect.getdoc(kind) or ""
    return {"name": _tag(kind), "title": kind.__name__, "summary": told.partition("\n\n")[0], "payload": payload}


def _message_name(channel: Channel, kind: type[msgspec.Struct]) -> str:
    return f"{channel.mount}.{_tag(kind)}"


def _tag(kind: type[msgspec.Struct]) -> str:
    return str(kind.__struct_config__.tag or kind.__name__)
