"""The permissions of chat."""

from __future__ import annotations

from typing import Final

from kernel import Permission

MODERATE: Final = "chat.moderate"
MODERATE_ANY: Final = "chat.moderate_any"

PERMISSIONS: Final = (
    Permission(name=MODERATE, summary="Moderate the rooms of the courses one teaches", roles=("instructor", "admin")),
    Permission(name=MODERATE_ANY, summary="Read and moderate every room", roles=("admin",)),
)
