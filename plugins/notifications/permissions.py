"""What roles may do with notifications."""

from __future__ import annotations

from typing import Final

from kernel import Permission

SUPPORT: Final = "notifications.support"

PERMISSIONS: Final = (
    Permission(
        name=SUPPORT, summary="See what was decided about the notifications of somebody else.", roles=("admin",)
    ),
)
