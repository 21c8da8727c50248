"""Where tests print what is logged."""

from __future__ import annotations

import sys

import structlog


def print_logs() -> None:
    """Log to stderr from now on, as structlog would by itself to stdout, which is for what commands answer."""
    structlog.reset_defaults()
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
