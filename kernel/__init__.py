"""Lyceum's kernel: everything that a plugin may import, but for `kernel.contracts` and `kernel.database`."""

from kernel import errors
from kernel.capabilities import Capability, Contribution
from kernel.cli.console import Console
from kernel.clock import Clock
from kernel.context import Context
from kernel.events.event import AnyEvent, Delivery, Event, EventHandler, on, on_every
from kernel.failpoints import failpoint
from kernel.http import problems
from kernel.http.answers import Answer, Cookie, Encoded, Renders, etag_of, require_match, shared_page
from kernel.http.beginning import Begin
from kernel.http.idempotency import REPLAYED
from kernel.http.identity import IDENTITY, Identity
from kernel.http.pages import Page, PageQuery, page
from kernel.http.principal import Principal
from kernel.http.reference import api_document
from kernel.http.request import Request
from kernel.http.routes import PUBLIC, SIGNED_IN, Idempotency, RateLimit, Route, delete, get, patch, post, put
from kernel.http.sockets.codec import Codec, InvalidMessage
from kernel.http.sockets.codes import CloseCode
from kernel.http.sockets.connection import Connection, Credential, Listener
from kernel.http.sockets.declaring import Opener, Socket, socket
from kernel.http.sockets.fan_out import FanOut
from kernel.http.sockets.frames import frame, payloads
from kernel.http.tables import csv_answer, stream_csv, wants_csv
from kernel.ids import new_id
from kernel.plugin import (
    API_VERSION,
    Check,
    Manifest,
    Migrations,
    Permission,
    Plugin,
    Provide,
    hookimpl,
)
from kernel.redaction import ERASED, Identifiers, Personal, redacted
from kernel.secrets import Secrets, Unsealable
from kernel.settings import NoSettings, Rate, Secret, Settings
from kernel.traces import TRACES, Traces
from kernel.web import declarations as web

__all__ = [
    "API_VERSION",
    "ERASED",
    "IDENTITY",
    "PUBLIC",
    "REPLAYED",
    "SIGNED_IN",
    "TRACES",
    "Answer",
    "AnyEvent",
    "Begin",
    "Capability",
    "Check",
    "Clock",
    "CloseCode",
    "Codec",
    "Connection",
    "Console",
    "Context",
    "Contribution",
    "Cookie",
    "Credential",
    "Delivery",
    "Encoded",
    "Event",
    "EventHandler",
    "FanOut",
    "Idempotency",
    "Identifiers",
    "Identity",
    "InvalidMessage",
    "Listener",
    "Manifest",
    "Migrations",
    "NoSettings",
    "Opener",
    "Page",
    "PageQuery",
    "Permission",
    "Personal",
    "Plugin",
    "Principal",
    "Provide",
    "Rate",
    "RateLimit",
    "Renders",
    "Request",
    "Route",
    "Secret",
    "Secrets",
    "Settings",
    "Socket",
    "Traces",
    "Unsealable",
    "api_document",
    "csv_answer",
    "delete",
    "errors",
    "etag_of",
    "failpoint",
    "frame",
    "get",
    "hookimpl",
    "new_id",
    "on",
    "on_every",
    "page",
    "patch",
    "payloads",
    "post",
    "problems",
    "put",
    "redacted",
    "require_match",
    "shared_page",
    "socket",
    "stream_csv",
    "wants_csv",
    "web",
]
