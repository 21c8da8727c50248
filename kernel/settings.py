"""The type of a plugin's settings."""

from __future__ import annotations

from typing import Annotated

import msgspec

#: A setting that says how often something may be done.
Rate = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[1-9][0-9]*/([1-9][0-9]* )?(second|minute|hour|day)$(?!\n)",
        description='a rate such as "10/minute" or "100/2 hour"',
    ),
]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an administrator may set under `[plugins.<name>]`; a plugin subclasses it.

    Each field has a default or must be set. Constrain values with `msgspec.Meta`; check several together in
    `__post_init__` and raise ValueError with the remedy. A field of type `Secret` is given by reference.
    """


class NoSettings(Settings, frozen=True):
    """The settings of a plugin that has none."""


class Secret:
    """A value that is never shown: `env:NAME` or `file:PATH` in the configuration."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself; keep it out of logs, errors and pages."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"


class Url(str):
    """A URL that may carry a password: given by reference or in the environment, and in a file only without one."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Url(…)"
