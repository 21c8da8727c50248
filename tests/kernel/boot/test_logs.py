"""Logs: one JSON object a line for machines, columns for people, and never a secret."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from kernel import Secret, logs
from kernel.config import load
from kernel.testing.printing import print_logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the lines of one test go."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield io.StringIO()
    print_logs()
    root.handlers[:] = handlers
    root.setLevel(level)


def set_up(stream: io.StringIO, **sections: dict[str, object]) -> None:
    logs.set_up(load([], {}, sections), stream)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_line_is_json_with_the_plugin(stream: io.StringIO) -> None:
    """In production a line is an object with time, level, event and plugin."""
    set_up(stream)

    structlog.get_logger().bind(plugin="payments").info("charged", action="charge", amount=3)

    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"level": "info", "event": "charged", "plugin": "payments", "action": "charge", "amount": 3}


def test_exception_is_part_of_the_line(stream: io.StringIO) -> None:
    """A traceback does not spread over lines of its own."""
    set_up(stream)

    try:
        raise ValueError("no power")
    except ValueError:
        structlog.get_logger().exception("failed")

    (line,) = lines(stream)
    assert line["exception"].endswith("ValueError: no power")


def test_standard_library_goes_the_same_way(stream: io.StringIO) -> None:
    """What libraries log arrives in the same format; the chatty ones only when something is wrong."""
    set_up(stream)

    logging.getLogger("some.library").warning("careful: %s", 3)
    logging.getLogger("alembic.runtime").info("context")

    (line,) = lines(stream)
    assert (line["event"], line["level"], line["logger"]) == ("careful: 3", "warning", "some.library")
    assert line["plugin"] == "kernel"


def test_level_is_the_configured_one(stream: io.StringIO) -> None:
    """Lines below the level are not written."""
    set_up(stream, log={"level": "warning"})

    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")

    assert [line["event"] for line in lines(stream)] == ["loud"]


def test_broken_text_is_written_all_the_same(stream: io.StringIO) -> None:
    """What a client sends can not make a line fail."""
    set_up(stream)

    structlog.get_logger().info("request", path="/\udce4")

    (line,) = lines(stream)
    assert line["path"] == "/\udce4"


def test_secret_is_not_shown(stream: io.StringIO) -> None:
    """A Secret in a line stays secret, in either format."""
    set_up(stream)
    structlog.get_logger().info("configured", key=Secret("hunter2"), nested={"key": [Secret("hunter2")]})
    set_up(stream, log={"format": "console"})
    structlog.get_logger().info("configured", key=Secret("hunter2"), nested={"key": [Secret("hunter2")]})

    assert "configured" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


def test_development_shows_columns(stream: io.StringIO) -> None:
    """A person reads columns."""
    set_up(stream, server={"development": True})

    structlog.get_logger().info("started", plugin="courses")

    assert "[info     ] started" in stream.getvalue()
    assert "plugin=courses" in stream.getvalue()
