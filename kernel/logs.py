"""Logs: structlog for our own lines and the standard library's, JSON for machines or columns for people."""

from __future__ import annotations

import json
import logging
import sys
from typing import Final, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from kernel.config import Config

#: Chatty at `info` about what a person who runs a deployment need not know.
_QUIET: Final = ("alembic", "asyncio", "aiosqlite", "sqlalchemy")


def set_up(config: Config, stream: TextIO | None = None) -> None:
    """Send every log line of this process to *stream*, standard error by default, in the configured format.

    The one piece of a deployment that is global: Python's logging is. A command calls it, a test does not.
    """
    stream = stream or sys.stderr
    level = logging.getLevelNamesMapping()[config.log.level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.UnicodeDecoder(),
    ]
    final = _console(stream) if for_people(config) else _json()
    structlog.configure(
        processors=[*shared, *final],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    _route_standard_library(shared, final, level, stream)


def for_people(config: Config) -> bool:
    """Return whether the lines are columns for people."""
    return config.log.format == "console" or (config.log.format == "auto" and config.server.development)


def _json() -> list[Processor]:
    return [structlog.processors.format_exc_info, _render]


def _render(logger: WrappedLogger, method: str, line: EventDict) -> str:
    # what JSON has no word for is shown as its repr, and the repr of a Secret does not show it
    try:
        return msgspec.json.encode(line, enc_hook=repr).decode()
    except UnicodeEncodeError:  # half a character, which a client can put into a path
        return json.dumps(line, default=repr)


def _console(stream: TextIO) -> list[Processor]:
    # plain tracebacks: the rich ones show local variables, and secrets among them
    return [
        structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), pad_event_to=24, exception_formatter=structlog.dev.plain_traceback
        )
    ]


def _route_standard_library(shared: list[Processor], final: list[Processor], level: int, stream: TextIO) -> None:
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, _name_logger],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def _name_logger(logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
    line.setdefault("plugin", "kernel")
    record = line.get("_record")
    if record is not None:
        line["logger"] = record.name
    return line
